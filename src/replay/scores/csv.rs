//! Scores as CSV.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::StringRecord;
use pairgate_core::pair::Size;

use super::row::Row;
use super::unread;
use crate::disk::IoError;
use crate::journal::Record;

/// Longest row, in bytes.
const MAX_ROW: u64 = 64 << 20;

/// A reader that ends where a row does not.
struct Bounded {
    file: File,
    /// Bytes since the last row.
    since: Arc<AtomicU64>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let since = self.since.fetch_add(read as u64, Ordering::Relaxed);
        if since > MAX_ROW {
            return Err(io::Error::other(format!("a row of more than {MAX_ROW} bytes")));
        }
        Ok(read)
    }
}

/// The scores of a file.
pub(super) struct Rows {
    path: PathBuf,
    reader: csv::Reader<Bounded>,
    since: Arc<AtomicU64>,
    columns: Columns,
    row: StringRecord,
    ticket: u64,
    has_failed: bool,
}

/// Where the columns are.
struct Columns {
    uid: usize,
    key: usize,
    shard: usize,
    score: usize,
    reason: usize,
    sha256: usize,
    caption_length: Option<usize>,
    width: Option<usize>,
    height: Option<usize>,
}

/// Opens the file at `path`, and reads its header.
///
/// # Errors
/// [`IoError::Read`] if the system refuses, or a column is missing.
pub(super) fn open(path: &Path) -> Result<Rows, IoError> {
    let since = Arc::new(AtomicU64::new(0));
    let file = File::open(path).map_err(unread(path))?;
    let bounded = Bounded { file, since: since.clone() };
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 20).from_reader(bounded);
    let header = reader.headers().map_err(io::Error::from).map_err(unread(path))?;
    let columns = Columns::of(header).map_err(|why| unread(path)(io::Error::other(why)))?;
    let (path, row) = (path.to_owned(), StringRecord::new());
    Ok(Rows { path, reader, since, columns, row, ticket: 0, has_failed: false })
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, String> {
        let named = |name: &str| {
            header.iter().position(|column| column.trim_start_matches('\u{feff}') == name)
        };
        let needed = |name: &str| {
            named(name).ok_or_else(|| {
                format!("there is no column {name:?}: not what `pairgate score` writes")
            })
        };
        Ok(Self {
            uid: needed("uid")?,
            key: needed("key")?,
            shard: needed("shard")?,
            score: needed("score")?,
            reason: needed("reason")?,
            sha256: needed("sha256")?,
            caption_length: named("caption_length"),
            width: named("width"),
            height: named("height"),
        })
    }
}

impl Rows {
    fn read(&mut self) -> io::Result<Option<Record>> {
        if !self.reader.read_record(&mut self.row).map_err(io::Error::from)? {
            return Ok(None);
        }
        self.since.store(0, Ordering::Relaxed);
        let cell = |column: usize| self.row.get(column).unwrap_or_default();
        let told = |column| Some(cell(column)).filter(|text| !text.is_empty());
        let score = told(self.columns.score).map(str::parse::<f32>).transpose();
        let score = score.map_err(|_| io::Error::other("its score is not a number"))?;
        let number = |column: Option<usize>| {
            column.and_then(|column| cell(column).parse().ok()).unwrap_or_default()
        };
        let row = Row {
            uid: cell(self.columns.uid),
            key: cell(self.columns.key),
            shard: cell(self.columns.shard),
            score,
            reason: told(self.columns.reason),
            sha256: told(self.columns.sha256),
            caption_length: number(self.columns.caption_length),
            size: Size::new(number(self.columns.width), number(self.columns.height)),
        };
        let record = row.record(self.ticket).map_err(io::Error::other)?;
        self.ticket += 1;
        Ok(Some(record))
    }
}

impl Iterator for Rows {
    type Item = Result<Record, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let record = self.read().transpose()?;
        Some(record.map_err(|why| {
            self.has_failed = true;
            let line = self.row.position().map_or(0, csv::Position::line);
            let text = format!("line {line}: not what `pairgate score` writes: {why}");
            unread(&self.path)(io::Error::new(why.kind(), text))
        }))
    }
}
