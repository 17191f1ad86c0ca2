//! The rows of a Parquet table: scores, kept pairs, or DataComp's metadata.

use std::borrow::Cow;
use std::path::Path;

use pairgate_core::decision::Verdict;
use pairgate_core::pair::{Digest, Size};
use parquet::data_type::ByteArray;

use super::cells::Cells;
use super::row::{Field, ReadAs, RecordedRow};
use super::rows::{Failed, Form};
use crate::datacomp::metadata::{Numbers, Table, Texts};
use crate::disk::IoError;
use crate::embeddings::Covers;
use crate::journal::Terms;

/// Rows that are read at once.
const BATCH: u64 = 1024;

/// One row a row of the table.
pub(super) struct TableRows {
    table: Table,
    is_kept: bool,
    terms: Option<Terms>,
    /// By [`Field::TEXTS`].
    texts: Vec<Column<Texts, ByteArray>>,
    /// By [`Field::NUMBERS`].
    numbers: Vec<Column<Numbers, f64>>,
    /// Row groups that are to come, by their rows.
    groups: std::iter::Enumerate<std::vec::IntoIter<u64>>,
    /// Rows of the group that are left.
    left: u64,
    /// The next row of the batch.
    next: usize,
    rows: usize,
    ticket: u64,
}

/// A column that is read, where it has a name; of it the row group that is open, and some cells.
struct Column<C, T> {
    name: Option<String>,
    open: Option<C>,
    batch: Vec<Option<T>>,
}

impl<C, T> Column<C, T> {
    fn named(name: Option<String>) -> Self {
        Self { name, open: None, batch: Vec::new() }
    }

    fn cell(&self, place: usize) -> Option<&T> {
        self.batch.get(place)?.as_ref()
    }
}

impl TableRows {
    pub fn open(path: &Path, read: &ReadAs) -> Result<Self, IoError> {
        let table = Table::open(path)?;
        // What only the table beside a kept shard has.
        let is_kept = table.check_text("source_shard").is_ok();
        let text = |field: Field| {
            let name = name_of(field, is_kept, read, &|name| table.check_text(name));
            name.map(Column::named)
        };
        let number = |field: Field| {
            let name = name_of(field, is_kept, read, &|name| table.precision(name).map(|_| ()));
            name.map(Column::named)
        };
        let texts = Field::TEXTS.into_iter().map(text).collect::<Result<_, _>>()?;
        let numbers = Field::NUMBERS.into_iter().map(number).collect::<Result<_, _>>()?;
        let groups = table.groups()?.into_iter().enumerate();
        let terms = terms(&table);
        let (left, next, rows, ticket) = (0, 0, 0, 0);
        Ok(Self { table, is_kept, terms, texts, numbers, groups, left, next, rows, ticket })
    }

    /// Reads the next batch; whether there was one.
    fn fill(&mut self) -> Result<bool, IoError> {
        while self.left == 0 {
            let Some((group, rows)) = self.groups.next() else { return Ok(false) };
            self.left = rows;
            for column in &mut self.texts {
                let name = column.name.as_ref();
                column.open = name.map(|name| self.table.texts(group, name)).transpose()?;
            }
            for column in &mut self.numbers {
                let name = column.name.as_ref();
                column.open = name.map(|name| self.table.numbers(group, name)).transpose()?;
            }
        }
        let rows = self.left.min(BATCH) as usize;
        self.left -= rows as u64;
        for Column { open, batch, .. } in &mut self.texts {
            open.as_mut().map_or(Ok(()), |column| column.read(rows, batch))?;
        }
        for Column { open, batch, .. } in &mut self.numbers {
            open.as_mut().map_or(Ok(()), |column| column.read(rows, batch))?;
        }
        (self.next, self.rows) = (0, rows);
        Ok(true)
    }
}

/// What the column of a field is called; `None` where it is not there, or not read.
fn name_of(
    field: Field,
    is_kept: bool,
    read: &ReadAs,
    check: &dyn Fn(&str) -> Result<(), IoError>,
) -> Result<Option<String>, IoError> {
    if !read.reads(field) {
        return Ok(None);
    }
    let asked = read.score.as_deref().filter(|_| field == Field::Score);
    let names: &[&str] = match (field, &asked) {
        (_, Some(asked)) => &[asked],
        (Field::Key, _) if is_kept => &["source_key", "key"],
        (Field::Shard, _) if is_kept => &["source_shard"],
        (Field::Caption, _) => &["caption", "text", "metadata_caption"],
        _ => &[field.name()],
    };
    match names.iter().find(|name| check(name).is_ok()) {
        None if read.needs.contains(&field) || asked.is_some() => check(names[0]).map(|()| None),
        found => Ok(found.map(|name| (*name).to_owned())),
    }
}

/// The model and the config's digest, which the footer has.
fn terms(table: &Table) -> Option<Terms> {
    let digest = |name: &str| table.note(name)?.parse::<Digest>().ok();
    let config = digest("pairgate.config").unwrap_or_default();
    Some(Terms { config, ..Terms::of_model(digest("pairgate.model")?) })
}

impl Form for TableRows {
    fn next(&mut self) -> Result<Option<RecordedRow>, Failed> {
        if self.next == self.rows && !self.fill()? {
            return Ok(None);
        }
        let place = self.next;
        (self.next, self.ticket) = (place + 1, self.ticket + 1);
        let mut cells = Cells::default();
        for ((text, column), field) in cells.texts.iter_mut().zip(&self.texts).zip(Field::TEXTS) {
            let Some(bytes) = column.cell(place) else { continue };
            *text = str::from_utf8(bytes.data()).ok().map(Cow::Borrowed);
            // What people write is not always text, and what is no uid is told apart.
            if text.is_none() && !matches!(field, Field::Uid | Field::Caption) {
                return Err(format!("its {} is no text", field.name()).into());
            }
        }
        let number = |field: usize| self.numbers[field].cell(place).copied();
        let whole = |field: usize| number(field).map_or(0, |number| number as u32);
        cells.score = number(0).map(|score| score as f32);
        cells.caption_length = whole(1);
        cells.size = Size::new(whole(2), whole(3));
        let mut row = cells.row(self.ticket - 1)?;
        row.verdict = row.verdict.or(self.is_kept.then_some(Verdict::Kept));
        Ok(Some(row))
    }

    fn place(&self) -> String {
        format!("row {}", self.ticket)
    }

    fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    fn covers(&self) -> Covers {
        if self.is_kept { Covers::Kept } else { Covers::All }
    }
}
