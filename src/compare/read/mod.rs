//! A run's rows: of a journal, or of a file of scores.

mod csv;
mod fields;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;
use pairgate_core::wire;

use super::row::Row;
use crate::disk::IoError;
use crate::journal::{Reader, Record, Terms};

/// What a Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";
/// Bytes that tell what a file is: the header of a table is within them.
const FRONT: u64 = 64 << 10;

/// A run that can be read again and again.
#[derive(Debug, Clone)]
pub struct Run {
    path: PathBuf,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Journal,
    Lines,
    Csv,
    Parquet,
}

impl Run {
    /// The run at `path`: a journal, a folder that holds one or several, a file of scores. First bytes
    /// tell which, not the name.
    ///
    /// # Errors
    /// [`IoError::Read`] where it is none of them.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let form =
            if path.is_dir() { Form::Journal } else { form_of(path).map_err(unread(path))? };
        Ok(Self { path: path.to_owned(), form })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its rows, decided by `threshold` where there is one.
    ///
    /// # Errors
    /// [`IoError::Read`] where it cannot be opened.
    pub fn rows(&self, threshold: Option<f32>) -> Result<Rows, IoError> {
        let path = &self.path;
        let table: Box<dyn Table> = match self.form {
            Form::Journal => Box::new(Journal { reader: Reader::open(path)?, moved: None }),
            Form::Lines => Box::new(lines::Lines::open(path)?),
            Form::Csv => Box::new(csv::Csv::open(path)?),
            #[cfg(feature = "parquet")]
            Form::Parquet => Box::new(parquet::Parquet::open(path)?),
            #[cfg(not(feature = "parquet"))]
            Form::Parquet => return Err(unread(path)(wrong("this build reads no Parquet"))),
        };
        Ok(Rows { table, decided_by: threshold })
    }
}

fn form_of(path: &Path) -> io::Result<Form> {
    let mut front = Vec::new();
    File::open(path)?.take(FRONT).read_to_end(&mut front)?;
    if front.starts_with(wire::MAGIC) {
        return Ok(Form::Journal);
    }
    if front.starts_with(PARQUET) {
        return Ok(Form::Parquet);
    }
    let text = front.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&front).trim_ascii_start();
    if text.first() == Some(&b'{') {
        return Ok(Form::Lines);
    }
    let header = text.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let mut names = header.split(|byte| *byte == b',');
    let is_uid = |name: &[u8]| name.trim_ascii() == b"uid" || name.trim_ascii() == b"\"uid\"";
    match names.any(is_uid) {
        true => Ok(Form::Csv),
        false => Err(wrong(
            "it is no journal, and no file of scores as `score` writes them: JSON lines, CSV or \
             Parquet with a uid and a score",
        )),
    }
}

/// Gives rows one by one.
trait Table: Send {
    /// The next row.
    fn next(&mut self) -> Result<Option<Row>, IoError>;

    /// What decided the row that was given last.
    fn terms(&self) -> Option<Terms> {
        None
    }

    /// The threshold that decided the row that was given last.
    fn threshold(&self) -> Option<f32> {
        self.terms()?.threshold
    }

    /// Whether a threshold decided the rows so far.
    fn is_decided(&self) -> bool {
        self.threshold().is_some()
    }

    /// Rows that were passed over, because their uid is none.
    fn malformed(&self) -> u64 {
        0
    }
}

/// The rows of a run.
pub struct Rows {
    table: Box<dyn Table>,
    decided_by: Option<f32>,
}

impl Rows {
    /// What decided the last row; of a file of scores, as far as it tells.
    pub fn terms(&self) -> Option<Terms> {
        self.table.terms()
    }

    /// The threshold that decided the last row.
    pub fn threshold(&self) -> Option<f32> {
        self.decided_by.or_else(|| self.table.threshold())
    }

    /// Whether a threshold decided.
    pub fn is_decided(&self) -> bool {
        self.decided_by.is_some() || self.table.is_decided()
    }

    /// Rows that were passed over, because their uid is none.
    pub fn malformed(&self) -> u64 {
        self.table.malformed()
    }
}

impl Iterator for Rows {
    type Item = Result<Row, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.table.next().transpose()?;
        Some(row.map(|row| match self.decided_by {
            Some(threshold) => row.decided_by(threshold),
            None => row,
        }))
    }
}

/// A journal's records.
struct Journal {
    reader: Reader,
    /// The last threshold, where it moves.
    moved: Option<f32>,
}

impl Table for Journal {
    fn next(&mut self) -> Result<Option<Row>, IoError> {
        let record: Option<Record> = self.reader.next().transpose()?;
        Ok(record.map(|record| {
            self.moved = record.threshold.or(self.moved);
            record.into()
        }))
    }

    fn terms(&self) -> Option<Terms> {
        // Of a header that is not known nothing is.
        Some(self.reader.terms().clone()).filter(|terms| terms.model() != Digest::default())
    }

    fn threshold(&self) -> Option<f32> {
        self.moved.or(self.reader.terms().threshold)
    }
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

fn unread(path: &Path) -> impl Fn(io::Error) -> IoError {
    let from = path.display().to_string();
    move |why| IoError::Read { from: from.clone(), why }
}
