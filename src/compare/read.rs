//! A run's rows: of a journal, or of a file of scores.

use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;

use super::row::Row;
use crate::disk::IoError;
use crate::journal::Terms;
use crate::recorded::{self, Field, ReadAs, check_repeatable};

const NEEDS: &[Field] = &[Field::Uid, Field::Score];
const ALSO: &[Field] = &[
    Field::Key,
    Field::Shard,
    Field::Reason,
    Field::Verdict,
    Field::CaptionLength,
    Field::Width,
    Field::Height,
    Field::Sha256,
];

/// A run that can be read again and again.
#[derive(Debug, Clone)]
pub struct Run {
    path: PathBuf,
}

impl Run {
    /// The run at `path`: a journal, a folder that holds one or several, a file of scores.
    ///
    /// # Errors
    /// [`IoError::Read`] where it is none of them.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        check_repeatable(path)?;
        let run = Self { path: path.to_owned() };
        run.rows(None)?;
        Ok(run)
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
        let rows = recorded::Rows::open(&self.path, &ReadAs::fields(NEEDS, ALSO))?;
        let last = rows.terms().and_then(|terms| terms.threshold);
        Ok(Rows { rows, decided_by: threshold, last, has_verdicts: false, malformed: 0 })
    }
}

/// The rows of a run.
pub struct Rows {
    rows: recorded::Rows,
    decided_by: Option<f32>,
    /// The threshold that decided the row that was given last.
    last: Option<f32>,
    has_verdicts: bool,
    malformed: u64,
}

impl Rows {
    /// What decided the last row; of a file of scores, as far as it tells.
    pub fn terms(&self) -> Option<Terms> {
        // Of a header that is not known nothing is.
        self.rows.terms().filter(|terms| terms.model() != Digest::default()).cloned()
    }

    /// The threshold that decided the last row.
    pub fn threshold(&self) -> Option<f32> {
        self.decided_by.or(self.last)
    }

    /// Whether a threshold decided. A journal has verdicts without one, too.
    pub fn is_decided(&self) -> bool {
        self.threshold().is_some() || (self.has_verdicts && !self.rows.is_journal())
    }

    /// Rows that were passed over, because their uid is none.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

impl Iterator for Rows {
    type Item = Result<Row, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.rows.next()? {
                Ok(row) if row.is_malformed => {
                    self.malformed += 1;
                    continue;
                }
                Ok(row) => row,
                Err(why) => return Some(Err(why)),
            };
            self.last = row.threshold.or(self.last);
            self.has_verdicts |= row.verdict.is_some();
            let row = Row::from(row);
            return Some(Ok(match self.decided_by {
                Some(threshold) => row.decided_by(threshold),
                None => row,
            }));
        }
    }
}
