//! Scores as CSV.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ReaderBuilder, StringRecord};

use super::fields::Fields;
use super::{Table, unread, wrong};
use crate::compare::row::Row;
use crate::disk::IoError;

/// Bytes of the file that a row may take.
const MAX_ROW: u64 = 8 << 20;

pub(super) struct Csv {
    path: PathBuf,
    reader: csv::Reader<Bounded>,
    left: Arc<AtomicU64>,
    columns: Columns,
    record: StringRecord,
    malformed: u64,
}

/// Where the columns are.
struct Columns {
    uid: usize,
    score: usize,
    others: [Option<usize>; 8],
}

const OTHERS: [&str; 8] =
    ["key", "shard", "reason", "verdict", "caption_length", "width", "height", "sha256"];

/// A file of which so much may be read; what a row may hold is bounded by it.
struct Bounded {
    file: File,
    left: Arc<AtomicU64>,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        let left = self.left.load(Ordering::Relaxed).checked_sub(read as u64);
        let left = left.ok_or_else(|| wrong(format!("a row is longer than {MAX_ROW} bytes")))?;
        self.left.store(left, Ordering::Relaxed);
        Ok(read)
    }
}

impl Csv {
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let file = File::open(path).map_err(unread(path))?;
        let left = Arc::new(AtomicU64::new(MAX_ROW));
        let bounded = Bounded { file, left: left.clone() };
        let mut reader = ReaderBuilder::new().from_reader(bounded);
        let header = reader.headers().map_err(|why| unread(path)(io::Error::other(why)))?;
        let columns = Columns::of(header).map_err(|what| unread(path)(wrong(what)))?;
        let record = StringRecord::new();
        Ok(Self { path: path.to_owned(), reader, left, columns, record, malformed: 0 })
    }

    fn fields(&self) -> Result<Fields<'_>, String> {
        let text = |place: Option<usize>| place.and_then(|place| self.record.get(place));
        let [key, shard, reason, verdict, length, width, height, sha256] =
            self.columns.others.map(|place| text(place).filter(|text| !text.is_empty()));
        let whole = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        let score = text(Some(self.columns.score)).unwrap_or_default().trim();
        let score = match score.is_empty() {
            true => None,
            false => Some(score.parse().map_err(|_| format!("the score {score:?} is no number"))?),
        };
        Ok(Fields {
            uid: text(Some(self.columns.uid)).unwrap_or_default().into(),
            key: key.unwrap_or_default().into(),
            shard: shard.unwrap_or_default().into(),
            score,
            reason: reason.map(Cow::Borrowed),
            verdict: verdict.map(Cow::Borrowed),
            caption_length: whole(length),
            width: whole(width),
            height: whole(height),
            sha256: sha256.map(Cow::Borrowed),
        })
    }
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, String> {
        let place = |name: &str| {
            let is_it = |field: &str| field.trim_start_matches('\u{feff}').trim() == name;
            header.iter().position(is_it)
        };
        let must = |name: &str| place(name).ok_or_else(|| format!("there is no column {name}"));
        Ok(Self { uid: must("uid")?, score: must("score")?, others: OTHERS.map(place) })
    }
}

impl Table for Csv {
    fn next(&mut self) -> Result<Option<Row>, IoError> {
        loop {
            self.left.store(MAX_ROW, Ordering::Relaxed);
            let read = self.reader.read_record(&mut self.record);
            if !read.map_err(|why| unread(&self.path)(io::Error::other(why)))? {
                return Ok(None);
            }
            let line = self.record.position().map_or(0, csv::Position::line);
            let failed = |what| unread(&self.path)(wrong(format!("line {line}: {what}")));
            match self.fields().and_then(Fields::row).map_err(failed)? {
                Some(row) => return Ok(Some(row)),
                None => self.malformed += 1,
            }
        }
    }

    fn is_decided(&self) -> bool {
        self.columns.others[3].is_some()
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}
