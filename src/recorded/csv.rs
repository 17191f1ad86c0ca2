//! Scores as CSV with a header.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::StringRecord;
use pairgate_core::pair::Size;

use super::cells::Cells;
use super::row::{Field, ReadAs, RecordedRow};
use super::rows::{Failed, Form, MAX_ROW};
use super::wrong;

/// One row a row.
pub(super) struct Csv {
    reader: csv::Reader<Bounded>,
    left: Arc<AtomicU64>,
    columns: Columns,
    record: StringRecord,
    line: u64,
    ticket: u64,
}

/// Where the columns are that are read.
struct Columns {
    texts: [Option<usize>; Field::TEXTS.len()],
    numbers: [Option<usize>; Field::NUMBERS.len()],
}

/// A file of which so much may be read: what a row may hold is bounded by it.
struct Bounded {
    file: BufReader<File>,
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
    pub fn new(file: BufReader<File>, read: &ReadAs) -> io::Result<Self> {
        let left = Arc::new(AtomicU64::new(MAX_ROW));
        let mut reader = csv::Reader::from_reader(Bounded { file, left: left.clone() });
        let columns = Columns::of(reader.headers()?, read).map_err(wrong)?;
        let record = StringRecord::new();
        Ok(Self { reader, left, columns, record, line: 1, ticket: 0 })
    }
}

impl Columns {
    fn of(header: &StringRecord, read: &ReadAs) -> Result<Self, String> {
        let place = |name: &str| {
            let is_it = |field: &str| field.trim_start_matches('\u{feff}').trim() == name;
            header.iter().position(is_it)
        };
        let found = |field: Field| {
            let other = || place("text").filter(|_| field == Field::Caption);
            place(field.name()).or_else(other).filter(|_| read.reads(field))
        };
        match read.needs.iter().find(|field| found(**field).is_none()) {
            Some(field) => Err(format!("there is no column {:?}", field.name())),
            None => Ok(Self { texts: Field::TEXTS.map(found), numbers: Field::NUMBERS.map(found) }),
        }
    }
}

impl Form for Csv {
    fn next(&mut self) -> Result<Option<RecordedRow>, Failed> {
        self.left.store(MAX_ROW, Ordering::Relaxed);
        self.line = self.reader.position().line();
        if !self.reader.read_record(&mut self.record).map_err(io::Error::from)? {
            return Ok(None);
        }
        let cell = |place: Option<usize>| {
            let text = place.and_then(|place| self.record.get(place));
            text.filter(|text| !text.is_empty())
        };
        let [score, caption_length, width, height] =
            self.columns.numbers.map(|place| cell(place).map(str::trim));
        let whole = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        let score = score
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().map_err(|_| format!("the score {text:?} is no number")));
        let cells = Cells {
            texts: self.columns.texts.map(|place| cell(place).map(Cow::Borrowed)),
            score: score.transpose()?,
            caption_length: whole(caption_length),
            size: Size::new(whole(width), whole(height)),
        };
        self.ticket += 1;
        Ok(Some(cells.row(self.ticket - 1)?))
    }

    fn place(&self) -> String {
        format!("line {}", self.line)
    }
}
