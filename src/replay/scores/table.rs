//! Scores as Parquet.

use std::path::{Path, PathBuf};

use pairgate_core::pair::{Digest, Size};
use parquet::data_type::ByteArray;

use super::row::Row;
use super::unread;
use crate::datacomp::metadata::{Numbers, Table, Texts};
use crate::disk::IoError;
use crate::journal::Record;

/// Rows that are read at once.
const BATCH: usize = 4096;

/// The scores of a file.
pub(super) struct Rows {
    path: PathBuf,
    table: Table,
    groups: Vec<u64>,
    /// The next row group.
    group: usize,
    current: Option<Group>,
    batch: Batch,
    /// The next row of the batch.
    at: usize,
    ticket: u64,
    has_failed: bool,
}

/// The columns of a row group.
struct Group {
    left: u64,
    uid: Texts,
    key: Texts,
    shard: Texts,
    score: Numbers,
    reason: Texts,
    sha256: Texts,
    /// Those that may be missing: caption length, width, height.
    sizes: [Option<Numbers>; 3],
}

/// Some rows, column by column.
#[derive(Default)]
struct Batch {
    rows: usize,
    uid: Vec<Option<ByteArray>>,
    key: Vec<Option<ByteArray>>,
    shard: Vec<Option<ByteArray>>,
    score: Vec<Option<f64>>,
    reason: Vec<Option<ByteArray>>,
    sha256: Vec<Option<ByteArray>>,
    sizes: [Vec<Option<f64>>; 3],
}

/// Opens the file at `path`.
///
/// # Errors
/// [`IoError::Read`] if it is no Parquet file, or a column is missing.
pub(super) fn open(path: &Path) -> Result<Rows, IoError> {
    let table = Table::open(path)?;
    let groups = table.groups()?;
    for name in ["uid", "key", "shard", "reason", "sha256"] {
        table.check_text(name)?;
    }
    table.precision("score")?;
    let (path, batch) = (path.to_owned(), Batch::default());
    Ok(Rows {
        path,
        table,
        groups,
        group: 0,
        current: None,
        batch,
        at: 0,
        ticket: 0,
        has_failed: false,
    })
}

/// The digest of the model that gave the scores, where the file tells it.
///
/// # Errors
/// As [`open`].
pub(super) fn model(path: &Path) -> Result<Option<Digest>, IoError> {
    let told = Table::open(path)?.note("pairgate.model").map(str::to_owned);
    Ok(told.and_then(|digest| digest.parse().ok()))
}

impl Rows {
    /// Reads the next rows; whether there were any.
    fn fill(&mut self) -> Result<bool, IoError> {
        loop {
            if let Some(group) = self.current.as_mut().filter(|group| group.left > 0) {
                self.batch.fill(group)?;
                self.at = 0;
                return Ok(true);
            }
            let Some(rows) = self.groups.get(self.group) else { return Ok(false) };
            self.current = Some(Group::open(&self.table, self.group, *rows)?);
            self.group += 1;
        }
    }

    fn read(&mut self) -> Result<Option<Record>, IoError> {
        if self.at == self.batch.rows && !self.fill()? {
            return Ok(None);
        }
        let record = self.batch.record(self.at, self.ticket);
        self.at += 1;
        self.ticket += 1;
        record.map(Some).map_err(|why| {
            let text = format!("row {}: not what `pairgate score` writes: {why}", self.ticket);
            unread(&self.path)(std::io::Error::other(text))
        })
    }
}

impl Group {
    fn open(table: &Table, group: usize, rows: u64) -> Result<Self, IoError> {
        let text = |name| table.texts(group, name);
        let number =
            |name| table.precision(name).ok().map(|_| table.numbers(group, name)).transpose();
        Ok(Self {
            left: rows,
            uid: text("uid")?,
            key: text("key")?,
            shard: text("shard")?,
            score: table.numbers(group, "score")?,
            reason: text("reason")?,
            sha256: text("sha256")?,
            sizes: [number("caption_length")?, number("width")?, number("height")?],
        })
    }
}

impl Batch {
    fn fill(&mut self, group: &mut Group) -> Result<(), IoError> {
        let rows = group.left.min(BATCH as u64);
        (self.rows, group.left) = (rows as usize, group.left - rows);
        group.uid.read(self.rows, &mut self.uid)?;
        group.key.read(self.rows, &mut self.key)?;
        group.shard.read(self.rows, &mut self.shard)?;
        group.score.read(self.rows, &mut self.score)?;
        group.reason.read(self.rows, &mut self.reason)?;
        group.sha256.read(self.rows, &mut self.sha256)?;
        for (column, values) in group.sizes.iter_mut().zip(&mut self.sizes) {
            match column {
                Some(column) => column.read(self.rows, values)?,
                None => *values = vec![None; self.rows],
            }
        }
        Ok(())
    }

    fn record(&self, at: usize, ticket: u64) -> Result<Record, String> {
        let text =
            |column: &'_ [Option<ByteArray>], name: &str| -> Result<Option<String>, String> {
                let Some(bytes) = column.get(at).and_then(Option::as_ref) else { return Ok(None) };
                let text = std::str::from_utf8(bytes.data())
                    .map_err(|_| format!("its {name} is no text"))?;
                Ok(Some(text.to_owned()))
            };
        let needed =
            |column, name: &str| text(column, name)?.ok_or_else(|| format!("it has no {name}"));
        let size = |place: usize| {
            self.sizes[place].get(at).copied().flatten().map_or(0, |number| number as u32)
        };
        let (uid, key, shard) =
            (needed(&self.uid, "uid")?, needed(&self.key, "key")?, needed(&self.shard, "shard")?);
        let (reason, sha256) = (text(&self.reason, "reason")?, text(&self.sha256, "sha256")?);
        let row = Row {
            uid: &uid,
            key: &key,
            shard: &shard,
            score: self.score.get(at).copied().flatten().map(|score| score as f32),
            reason: reason.as_deref(),
            sha256: sha256.as_deref(),
            caption_length: size(0),
            size: Size::new(size(1), size(2)),
        };
        row.record(ticket)
    }
}

impl Iterator for Rows {
    type Item = Result<Record, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let record = self.read().transpose()?;
        self.has_failed = record.is_err();
        Some(record)
    }
}
