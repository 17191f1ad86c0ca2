//! The rows of one file or folder.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use pairgate_core::wire;

use super::csv::Csv;
use super::journal::Journal;
use super::lines::Lines;
use super::row::{ReadAs, RecordedRow};
#[cfg(feature = "parquet")]
use super::table::TableRows;
use super::{unread, wrong};
use crate::disk::IoError;
use crate::embeddings::Covers;
use crate::journal::Terms;

/// Bytes of a line, or of a row of CSV, at most: metadata of 1 MiB, every letter of it escaped.
pub const MAX_ROW: u64 = 8 << 20;
/// Bytes that are read at once; a table's header is within the first ones.
const BUFFER: usize = 256 << 10;
/// What a Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";

/// Gives the rows of a form one by one.
pub(super) trait Form: Send {
    /// The next row; `None` behind the last.
    fn next(&mut self) -> Result<Option<RecordedRow>, Failed>;

    /// What the place of the last row is called in the file.
    fn place(&self) -> String;

    /// Who gave the last row its score; before the first row, those that the file begins with.
    fn terms(&self) -> Option<&Terms> {
        None
    }

    /// Whether there is a row for every pair, or for kept ones alone.
    fn covers(&self) -> Covers {
        Covers::All
    }
}

/// Why there is no next row.
pub(super) enum Failed {
    /// What is wrong with it.
    Row(io::Error),
    /// An error that names its file and place itself.
    File(IoError),
}

impl From<io::Error> for Failed {
    fn from(why: io::Error) -> Self {
        Self::Row(why)
    }
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self::Row(wrong(why))
    }
}

impl From<IoError> for Failed {
    fn from(why: IoError) -> Self {
        Self::File(why)
    }
}

/// The rows of one file or folder, one after the other.
pub struct Rows {
    path: PathBuf,
    form: Box<dyn Form>,
    is_journal: bool,
    has_failed: bool,
}

impl Rows {
    /// Opens a journal, a folder that holds one or several, or a file of scores: JSON lines, CSV, Parquet. First
    /// bytes tell which, not the name.
    ///
    /// # Errors
    /// [`IoError::Read`] where it is none of them, or a column that is needed is not there.
    pub fn open(path: &Path, read: &ReadAs) -> Result<Self, IoError> {
        if path.is_dir() {
            return Self::of_journal(path);
        }
        let file = File::open(path).map_err(unread(path))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        let front = file.fill_buf().map_err(unread(path))?;
        let form: Box<dyn Form> = match Kind::of(front, path) {
            Some(Kind::Journal) => return Self::of_journal(path),
            Some(Kind::Lines) => Box::new(Lines::new(file, read)),
            Some(Kind::Csv) => Box::new(Csv::new(file, read).map_err(unread(path))?),
            #[cfg(feature = "parquet")]
            Some(Kind::Parquet) => Box::new(TableRows::open(path, read)?),
            #[cfg(not(feature = "parquet"))]
            Some(Kind::Parquet) => return Err(unread(path)(wrong("this build reads no Parquet"))),
            None => {
                return Err(unread(path)(wrong(
                    "it is no journal, and no file of scores as `score` writes them: JSON lines, CSV or \
                     Parquet with a uid and a score",
                )));
            }
        };
        Ok(Self { path: path.to_owned(), form, is_journal: false, has_failed: false })
    }

    fn of_journal(path: &Path) -> Result<Self, IoError> {
        let form = Box::new(Journal::open(path)?);
        Ok(Self { path: path.to_owned(), form, is_journal: true, has_failed: false })
    }

    /// Whether it is a journal.
    pub fn is_journal(&self) -> bool {
        self.is_journal
    }

    /// Who gave the last row its score, as far as that is told; before the first row, what the file begins
    /// with.
    pub fn terms(&self) -> Option<&Terms> {
        self.form.terms()
    }

    /// Whether there is a row for every pair that was read, or for kept pairs alone.
    pub fn covers(&self) -> Covers {
        self.form.covers()
    }

    /// The error that the last row is wrong.
    pub fn refuse(&self, why: impl Into<String>) -> IoError {
        self.named(wrong(why))
    }

    fn named(&self, why: io::Error) -> IoError {
        let text = format!("{}: {why}", self.form.place());
        unread(&self.path)(io::Error::new(why.kind(), text))
    }
}

/// Ends with the first error: [`IoError::Read`], which names file and row.
impl Iterator for Rows {
    type Item = Result<RecordedRow, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let row = self.form.next().transpose()?;
        self.has_failed = row.is_err();
        Some(row.map_err(|why| match why {
            Failed::Row(why) => self.named(why),
            Failed::File(why) => why,
        }))
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Journal,
    Lines,
    Csv,
    Parquet,
}

impl Kind {
    /// By the first bytes of a file; one without any is by its name a run without pairs.
    fn of(front: &[u8], path: &Path) -> Option<Self> {
        if front.starts_with(wire::MAGIC) {
            return Some(Self::Journal);
        }
        if front.starts_with(PARQUET) {
            return Some(Self::Parquet);
        }
        let text = without_mark(front).trim_ascii_start();
        match text.first() {
            None => path.extension().is_some_and(|end| end == "jsonl").then_some(Self::Lines),
            Some(b'{') => Some(Self::Lines),
            Some(_) => {
                let header = text.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
                let mut names = header.split(|byte| *byte == b',');
                let is_uid = |name: &[u8]| [&b"uid"[..], b"\"uid\""].contains(&name.trim_ascii());
                names.any(is_uid).then_some(Self::Csv)
            }
        }
    }
}

/// The same without the mark that some programs put before UTF-8.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Checks that `path` is a file or a folder, which can be read several times.
///
/// # Errors
/// [`IoError::Read`] where it is not there, or is a stream.
pub fn check_repeatable(path: &Path) -> Result<(), IoError> {
    let refuse = |what| unread(path)(wrong(format!("it is read more than once: {what}")));
    if path.as_os_str() == "-" {
        return Err(refuse("write it to a file"));
    }
    let found = fs::metadata(path).map_err(unread(path))?;
    let is_stream = !found.is_file() && !found.is_dir();
    if is_stream { Err(refuse("name a file")) } else { Ok(()) }
}
