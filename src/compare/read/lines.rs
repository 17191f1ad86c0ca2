//! Scores as JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::fields::Fields;
use super::{Table, unread, wrong};
use crate::compare::row::Row;
use crate::disk::IoError;

/// Longest line: metadata of 1 MiB, every letter of it escaped.
const MAX_LINE: u64 = 8 << 20;

pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    malformed: u64,
    has_verdicts: bool,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let file = File::open(path).map_err(unread(path))?;
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 20, file),
            line: Vec::new(),
            number: 0,
            malformed: 0,
            has_verdicts: false,
        })
    }

    fn failed(&self, what: &str) -> IoError {
        unread(&self.path)(wrong(format!("line {}: {what}", self.number)))
    }
}

impl Table for Lines {
    fn next(&mut self) -> Result<Option<Row>, IoError> {
        loop {
            self.line.clear();
            let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line);
            if read.map_err(unread(&self.path))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() as u64 == MAX_LINE && !self.line.ends_with(b"\n") {
                return Err(self.failed(&format!("it is longer than {MAX_LINE} bytes")));
            }
            let line = match self.number {
                1 => self.line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.line),
                _ => &self.line,
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let fields: Fields = serde_json::from_slice(line)
                .map_err(|why| self.failed(&format!("not a score with its uid: {why}")))?;
            self.has_verdicts |= fields.verdict.is_some();
            match fields.row().map_err(|what| self.failed(&what))? {
                Some(row) => return Ok(Some(row)),
                None => self.malformed += 1,
            }
        }
    }

    fn is_decided(&self) -> bool {
        self.has_verdicts
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}
