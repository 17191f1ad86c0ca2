//! Scores as Parquet.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;

use super::fields::Fields;
use super::{Table, unread, wrong};
use crate::compare::row::Row;
use crate::datacomp::metadata::{Numbers, Table as Columns, Texts};
use crate::disk::IoError;
use crate::journal::{ModelName, Terms};

/// Rows that are read at once.
const BLOCK: usize = 1024;

const TEXTS: [&str; 6] = ["uid", "key", "shard", "reason", "verdict", "sha256"];
const NUMBERS: [&str; 4] = ["score", "width", "height", "caption_length"];

pub(super) struct Parquet {
    path: PathBuf,
    table: Columns,
    /// Rows of the groups that are still to be read.
    groups: std::iter::Enumerate<std::vec::IntoIter<u64>>,
    /// The group that is read, and its rows that are left.
    group: Option<Group>,
    texts: [Vec<Option<String>>; 6],
    numbers: [Vec<Option<f64>>; 4],
    /// The next row of the block.
    next: usize,
    rows: usize,
    malformed: u64,
}

struct Group {
    texts: [Option<Texts>; 6],
    numbers: [Option<Numbers>; 4],
    left: u64,
}

impl Parquet {
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let table = Columns::open(path)?;
        table.check_text("uid")?;
        table.precision("score")?;
        let groups = table.groups()?.into_iter().enumerate();
        Ok(Self {
            path: path.to_owned(),
            table,
            groups,
            group: None,
            texts: Default::default(),
            numbers: Default::default(),
            next: 0,
            rows: 0,
            malformed: 0,
        })
    }

    fn open_group(&self, index: usize, left: u64) -> Result<Group, IoError> {
        let text = |name: &str| match self.table.has(name) {
            true => self.table.texts(index, name).map(Some),
            false => Ok(None),
        };
        let number = |name: &str| match self.table.has(name) {
            true => self.table.numbers(index, name).map(Some),
            false => Ok(None),
        };
        let mut group = Group { texts: Default::default(), numbers: Default::default(), left };
        for (column, name) in group.texts.iter_mut().zip(TEXTS) {
            *column = text(name)?;
        }
        for (column, name) in group.numbers.iter_mut().zip(NUMBERS) {
            *column = number(name)?;
        }
        Ok(group)
    }

    /// Reads the next block; whether there was one.
    fn fill(&mut self) -> Result<bool, IoError> {
        while self.group.as_ref().is_none_or(|group| group.left == 0) {
            let Some((index, rows)) = self.groups.next() else { return Ok(false) };
            self.group = Some(self.open_group(index, rows)?);
        }
        let Some(group) = &mut self.group else { return Ok(false) };
        let rows = usize::try_from(group.left).unwrap_or(BLOCK).min(BLOCK);
        let mut bytes = Vec::new();
        for (column, texts) in group.texts.iter_mut().zip(&mut self.texts) {
            texts.clear();
            if let Some(column) = column {
                column.read(rows, &mut bytes)?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                texts.extend(bytes.iter().map(|cell| cell.as_ref().map(|cell| text(cell.data()))));
            }
        }
        for (column, numbers) in group.numbers.iter_mut().zip(&mut self.numbers) {
            numbers.clear();
            if let Some(column) = column {
                column.read(rows, numbers)?;
            }
        }
        group.left -= rows as u64;
        (self.next, self.rows) = (0, rows);
        Ok(true)
    }

    fn fields(&self, place: usize) -> Fields<'_> {
        let text = |column: usize| {
            self.texts[column].get(place).and_then(Option::as_deref).map(Cow::Borrowed)
        };
        let number = |column: usize| self.numbers[column].get(place).copied().flatten();
        let whole = |column: usize| number(column).map_or(0, |number| number as u32);
        Fields {
            uid: text(0).unwrap_or_default(),
            key: text(1).unwrap_or_default(),
            shard: text(2).unwrap_or_default(),
            score: number(0).map(|score| score as f32),
            reason: text(3),
            verdict: text(4),
            caption_length: whole(3),
            width: whole(1),
            height: whole(2),
            sha256: text(5),
        }
    }
}

impl Table for Parquet {
    fn next(&mut self) -> Result<Option<Row>, IoError> {
        loop {
            if self.next == self.rows && !self.fill()? {
                return Ok(None);
            }
            let row = self.fields(self.next).row();
            self.next += 1;
            match row.map_err(|what| unread(&self.path)(wrong(what)))? {
                Some(row) => return Ok(Some(row)),
                None => self.malformed += 1,
            }
        }
    }

    /// The model and config's digests, which the file's footer has.
    fn terms(&self) -> Option<Terms> {
        let digest = |name: &str| self.table.note(name)?.parse::<Digest>().ok();
        let name = ModelName { name: String::new(), digest: digest("pairgate.model")? };
        let mut terms = Terms::new(name, digest("pairgate.config")?, Vec::new(), None, None);
        // Its settings are not known; without a program's version, nobody takes them for none.
        terms.program = String::new();
        terms.decision_version = 0;
        Some(terms)
    }

    fn is_decided(&self) -> bool {
        self.table.has("verdict")
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}
