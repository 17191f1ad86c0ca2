//! Scores and metadata as a table: Parquet or CSV, one row for each pair, in the input's order.
//!
//! | column | type | |
//! |---|---|---|
//! | `uid` | string | 32 hex digits |
//! | `key`, `shard` | string | the sample's name, and where it came from |
//! | `score` | float32 | null where the network was not asked or gave no number |
//! | `reason` | string | null where nothing speaks against the pair |
//! | `verdict` | string | `kept`, `rejected` or `failed`; there only where a threshold decides |
//! | `width`, `height` | uint32 | pixels; 0 where the header was not read |
//! | `caption_length` | uint32 | code points |
//! | `sha256` | string | of the image file; null where there is none |
//! | one for each scorer of a state that selects | float32 | null where the pair did not come to selection |
//! | one for each field of the samples' metadata | | by the names of the fields |
//! | `metadata_other` | string | JSON: the metadata that no other column holds |
//!
//! # Columns of metadata
//! The first rows, up to [`WINDOW_ROWS`] or [`WINDOW_BYTES`], are held back, and their metadata (the
//! `.json` member, or the manifest's line) give the columns: `int64`, `float64`, `bool` or `string`
//! where all values of a field are that; integers beside floats are floats, as long as that changes
//! no digit; everything else, mixed values, lists, objects and fields that were always null, is JSON
//! text. Then the columns stand. A later field without a column and a later value that its column
//! cannot hold as it is are in `metadata_other`, under the field's name, and are counted: nothing is
//! lost, nothing is rounded. There are at most 256 columns of metadata, with names of at most 256
//! bytes.
//!
//! A field with the name of another column, in upper or lower case, gets `metadata_` in front, as
//! often as it takes: an img2dataset `width` becomes `metadata_width`. Metadata of more than
//! [`MAX_METADATA`](super::scores::MAX_METADATA) bytes, or that are no object, are left out.
//!
//! # Files
//! Parquet: Snappy, statistics for each row group, dictionaries for all that may repeat, and as
//! key-value metadata `pairgate.version`, `pairgate.model`, `pairgate.config` (digests) and
//! `pairgate.columns` (the types above by column, as JSON, which tells JSON text from text).
//! CSV: RFC 4180 in UTF-8, with a header; null is an empty field, as an empty string is.

mod column;
mod csv;
mod row;
mod survey;

use std::io;
use std::path::{Path, PathBuf};

use row::Row;
use survey::Survey;

use crate::disk::IoError;
use crate::disk::failed;
use crate::journal::Terms;
use crate::sink::target::{Target, closed};
use crate::sink::{Judged, RunEnd, Sink};
#[cfg(feature = "parquet")]
use crate::table::{About, ParquetRows};
use crate::table::{Cell, Column};

/// Rows that are held back at most until the columns are known.
pub const WINDOW_ROWS: usize = 1000;
/// Bytes of keys and metadata that are held back at most.
pub const WINDOW_BYTES: usize = 8 << 20;

/// The form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// Apache Parquet; needs the feature `parquet`.
    Parquet,
}

impl Format {
    /// The form that a file's extension asks for; `None` where it asks for no table.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Bytes of memory that writing takes at most, but for a row that takes more by itself.
    pub const fn memory(self) -> u64 {
        match self {
            Self::Csv => 16 << 20,
            // The values of a row group, and the pages of its largest column.
            Self::Parquet => 80 << 20,
        }
    }
}

/// Takes a table's rows.
trait Rows: Send {
    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Writes what is left; the file has its name when the target is published.
    fn end(self: Box<Self>) -> io::Result<Target>;
}

/// Writes a table.
pub struct TableSink {
    state: State,
    path: PathBuf,
    /// Whether rows say the verdict.
    verdicts: bool,
    /// What scorers' values are called.
    measures: Vec<String>,
    /// Values of metadata that are in the last column.
    unfitted: u64,
    /// Rows whose metadata were too large.
    left_out: u64,
}

enum State {
    /// The columns are not known yet.
    Waiting(Box<Waiting>),
    Writing(Writing),
    /// The file has got its name, or the run has failed.
    Closed,
}

struct Waiting {
    target: Target,
    format: Format,
    terms: Terms,
    rows: Vec<Row>,
    bytes: usize,
}

struct Writing {
    columns: Vec<Column>,
    fields: Vec<String>,
    rows: Box<dyn Rows>,
}

impl TableSink {
    /// A sink into the file at `path`, which appears, or is replaced, when the run is done; `terms`
    /// tell of model and config. Where they have a threshold, there is a column for the verdict.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be opened, or this build does not write its format.
    pub fn create(path: &Path, format: Format, terms: Terms) -> Result<Self, IoError> {
        if format == Format::Parquet && !cfg!(feature = "parquet") {
            return Err(failed(path)(not_built()));
        }
        let target = Target::create(path)?;
        let path = target.path().to_owned();
        let verdicts = terms.threshold.is_some();
        let waiting = Waiting { target, format, terms, rows: Vec::new(), bytes: 0 };
        let state = State::Waiting(Box::new(waiting));
        Ok(Self { state, path, verdicts, measures: Vec::new(), unfitted: 0, left_out: 0 })
    }

    /// The same with columns of what a state's scorers gave, under these names
    /// ([`State::value_names`](crate::select::State::value_names)).
    pub fn with_measures(self, measures: Vec<String>) -> Self {
        Self { measures, ..self }
    }

    fn take(&mut self, row: Row) -> io::Result<()> {
        match &mut self.state {
            State::Waiting(waiting) => {
                waiting.bytes += row.bytes();
                waiting.rows.push(row);
                let full = waiting.rows.len() >= WINDOW_ROWS || waiting.bytes >= WINDOW_BYTES;
                if full { self.begin().map(drop) } else { Ok(()) }
            }
            State::Writing(writing) => {
                self.unfitted += writing.add(&row, self.measures.len())?;
                Ok(())
            }
            State::Closed => Err(closed()),
        }
    }

    /// Fixes the columns, and writes the rows that were held back.
    fn begin(&mut self) -> io::Result<()> {
        let Waiting { target, format, terms, rows, .. } =
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Waiting(waiting) => *waiting,
                begun => {
                    self.state = begun;
                    return Ok(());
                }
            };
        let mut survey = Survey::default();
        rows.iter().for_each(|row| survey.see(&row.metadata()));
        let (columns, fields) = survey.columns(self.verdicts, &self.measures);
        let writer = start(target, format, &columns, &terms)?;
        let mut writing = Writing { columns, fields, rows: writer };
        for row in &rows {
            self.unfitted += writing.add(row, self.measures.len())?;
        }
        self.state = State::Writing(writing);
        Ok(())
    }

    fn end(&mut self) -> io::Result<Target> {
        self.begin()?;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Writing(writing) => writing.rows.end(),
            _ => Err(closed()),
        }
    }

    fn warn(&self) {
        let (path, unfitted, left_out) = (self.path.display(), self.unfitted, self.left_out);
        if unfitted > 0 {
            log::warn!(
                "{path}: {unfitted} values of metadata fit none of the columns that the first rows \
                 gave; they are in {}",
                column::REST
            );
        }
        if left_out > 0 {
            log::warn!("{path}: {left_out} pairs are without their metadata, which are too large");
        }
    }
}

impl Writing {
    fn add(&mut self, row: &Row, measures: usize) -> io::Result<u64> {
        let mut cells = Vec::with_capacity(self.columns.len());
        let unfitted = row.cells(&self.columns, &self.fields, measures, &mut cells);
        self.rows.add(&cells)?;
        Ok(unfitted)
    }
}

impl Sink for TableSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let (row, is_left_out) = Row::of(judged, self.verdicts);
        self.left_out += u64::from(is_left_out);
        self.take(row).map_err(|why| {
            // What is not whole must not get its name.
            self.state = State::Closed;
            failed(&self.path)(why)
        })
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        if matches!(self.state, State::Closed) {
            return Ok(());
        }
        let target = self.end().map_err(failed(&self.path))?;
        target.finish(end)?;
        self.warn();
        Ok(())
    }
}

/// Bytes of a row group's values, before encoding, from which it is written.
#[cfg(feature = "parquet")]
const GROUP_BYTES: usize = 32 << 20;

#[cfg(feature = "parquet")]
impl Rows for ParquetRows<Target> {
    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.add(cells)
    }

    fn end(self: Box<Self>) -> io::Result<Target> {
        (*self).end()
    }
}

#[cfg(feature = "parquet")]
fn start(
    target: Target,
    format: Format,
    columns: &[Column],
    terms: &Terms,
) -> io::Result<Box<dyn Rows>> {
    Ok(match format {
        Format::Csv => Box::new(csv::CsvRows::start(target, columns)?),
        Format::Parquet => {
            let about = About { model: terms.model(), config: terms.config };
            Box::new(ParquetRows::start(target, columns, about, GROUP_BYTES)?)
        }
    })
}

#[cfg(not(feature = "parquet"))]
fn start(
    target: Target,
    format: Format,
    columns: &[Column],
    _: &Terms,
) -> io::Result<Box<dyn Rows>> {
    match format {
        Format::Csv => Ok(Box::new(csv::CsvRows::start(target, columns)?)),
        Format::Parquet => Err(not_built()),
    }
}

fn not_built() -> io::Error {
    let why = "this pairgate is built without the feature `parquet`: name a .csv or .jsonl file";
    io::Error::new(io::ErrorKind::Unsupported, why)
}
