//! Scores as JSON lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use pairgate_core::pair::Size;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::row::Row;
use super::unread;
use crate::disk::IoError;
use crate::journal::Record;

/// Longest line, in bytes: keys and names have a few thousand at most, metadata a million.
const MAX_LINE: u64 = 16 << 20;

/// A line; fields that are not there say so, those that are not named here say nothing.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    shard: Cow<'a, str>,
    // A missing field is not null: whoever leaves it out has lost it.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    score: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    sha256: Option<Cow<'a, str>>,
    #[serde(default)]
    caption_length: u32,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
}

/// The scores of a file.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    ticket: u64,
    has_failed: bool,
}

/// Opens the file at `path`.
///
/// # Errors
/// [`IoError::Read`] if the system refuses.
pub(super) fn open(path: &Path) -> Result<Lines, IoError> {
    let reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(unread(path))?);
    let (line, path) = (Vec::new(), path.to_owned());
    Ok(Lines { path, reader, line, number: 0, ticket: 0, has_failed: false })
}

impl Lines {
    fn read(&mut self) -> io::Result<Option<Record>> {
        loop {
            self.line.clear();
            self.number += 1;
            (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
            if self.line.len() as u64 == MAX_LINE {
                return Err(io::Error::other(format!("longer than {MAX_LINE} bytes")));
            }
            let is_first = self.number == 1;
            let text = match self.line.strip_prefix(b"\xef\xbb\xbf") {
                Some(text) if is_first => text,
                _ => &self.line,
            };
            if self.line.is_empty() {
                return Ok(None);
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let line: Line<'_> = serde_json::from_slice(text)?;
            let record = line.record(self.ticket).map_err(io::Error::other)?;
            self.ticket += 1;
            return Ok(Some(record));
        }
    }
}

impl Line<'_> {
    fn record(&self, ticket: u64) -> Result<Record, String> {
        // From its digits: by way of 64 bits it would be rounded twice.
        let score = self.score.map(|score| score.get().parse::<f32>());
        let score = score.transpose().map_err(|_| "its score is not a number".to_owned())?;
        let row = Row {
            uid: &self.uid,
            key: &self.key,
            shard: &self.shard,
            score,
            reason: self.reason.as_deref(),
            sha256: self.sha256.as_deref(),
            caption_length: self.caption_length,
            size: Size::new(self.width, self.height),
        };
        row.record(ticket)
    }
}

impl Iterator for Lines {
    type Item = Result<Record, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let record = self.read().transpose()?;
        Some(record.map_err(|why| {
            self.has_failed = true;
            let text = format!("line {}: not what `pairgate score` writes: {why}", self.number);
            unread(&self.path)(io::Error::new(why.kind(), text))
        }))
    }
}
