//! Rows of several runs, with their embeddings.
//!
//! ```no_run
//! use std::path::PathBuf;
//! use pairgate::embeddings::Covers;
//! use pairgate::recorded::{ReadAs, RecordedRun};
//!
//! let mut run = RecordedRun::open(&[PathBuf::from("scores.parquet")], &ReadAs::default())?;
//! assert_eq!(run.embeddings(), Some(Covers::All), "kept pairs alone are no pool");
//! while let Some(row) = run.next()? {
//!     if let (Some(score), Some(pair)) = (row.score, &row.embeddings) {
//!         println!("{} {score} {}", row.uid, pair.image.len());
//!     }
//! }
//! # Ok::<(), pairgate::IoError>(())
//! ```
//!
//! | path | rows | embeddings |
//! |---|---|---|
//! | `NAME.parquet`, `NAME.csv`, `NAME.jsonl` of `score` | every pair | `NAME.npz`, a row for each |
//! | `NAME.pairgate` of `score` | every pair | the same |
//! | an output folder of `filter`, `serve`, ... | every pair, by its journal | `embeddings/*.npz`, of every scored pair; else `00000.npz` beside each shard, of kept ones |
//! | a folder of one-to-one outputs | every pair | `NAME.npz`: of every pair where they are scores, else of kept ones |
//! | a kept shard, `00000.tar` or its table | kept pairs | `00000.npz` |
//! | DataComp's metadata, files or a folder | every pair | `.npz` beside each, by the names that are asked for |
//! | `NAME.npz` by itself | uids alone | its own |

use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;

use super::beside::{Embedded, Npz};
use super::row::{ReadAs, RecordedRow};
use super::{Rows, find, unread, wrong};
use crate::disk::IoError;
use crate::embeddings::Covers;

/// Reads the rows of runs, one run after the other.
#[derive(Debug)]
pub struct RecordedRun {
    rest: std::vec::IntoIter<PathBuf>,
    read: ReadAs,
    current: Option<Pairs>,
    rows: Covers,
    embeddings: Option<Covers>,
    model: Option<Digest>,
    dimension: Option<usize>,
    malformed: u64,
}

/// One file or folder, and what it holds.
#[derive(Debug)]
pub(super) struct Part {
    pub pairs: Pairs,
    pub about: About,
}

/// One file or folder that is being read.
#[derive(Debug)]
pub(super) enum Pairs {
    /// Rows, and where their embeddings come from.
    Rows(Rows, Embedded),
    /// An `.npz` that nothing tells more of.
    Alone(Box<Npz>),
}

impl Pairs {
    /// The next row, also one whose uid is none; `None` behind the last.
    fn next(&mut self) -> Result<Option<RecordedRow>, IoError> {
        match self {
            Self::Alone(npz) => {
                let Some((uid, embeddings)) = npz.next()? else { return Ok(None) };
                let uid = uid.unwrap_or_default();
                Ok(Some(RecordedRow { uid, embeddings, ..RecordedRow::default() }))
            }
            Self::Rows(rows, embedded) => {
                let Some(mut row) = rows.next().transpose()? else {
                    embedded.end()?;
                    return Ok(None);
                };
                row.embeddings = embedded.next(&row)?;
                Ok(Some(row))
            }
        }
    }
}

/// What a file or folder holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub rows: Covers,
    pub embeddings: Option<Covers>,
    pub model: Option<Digest>,
    pub dimension: Option<usize>,
}

impl RecordedRun {
    /// Opens what `paths` are; see [the module](self). Each is looked at now, so that nothing is learnt of
    /// it too late.
    ///
    /// # Errors
    /// [`IoError::Read`] where one is no run, cannot be read, or has another model or another length of
    /// embeddings than those before it.
    pub fn open(paths: &[PathBuf], read: &ReadAs) -> Result<Self, IoError> {
        let mut parts = Vec::new();
        for path in paths {
            parts.extend(find::parts_of(path)?);
        }
        let mut run = Self {
            rest: Vec::new().into_iter(),
            read: read.clone(),
            current: None,
            rows: Covers::All,
            embeddings: None,
            model: None,
            dimension: None,
            malformed: 0,
        };
        for (place, path) in parts.iter().enumerate() {
            let about = find::open(path, read)?.about;
            run.join(path, about, place == 0)?;
        }
        run.rest = parts.into_iter();
        Ok(run)
    }

    /// Takes what one more part holds into account.
    fn join(&mut self, path: &Path, about: About, is_first: bool) -> Result<(), IoError> {
        let refuse = |why: String| unread(path)(wrong(why));
        if let (Some(was), Some(is)) = (self.dimension, about.dimension)
            && was != is
        {
            return Err(refuse(format!(
                "its embeddings have {is} values, those before {was}: they are of two models"
            )));
        }
        if let (Some(was), Some(is)) = (self.model, about.model)
            && was != is
        {
            return Err(refuse(format!("its model is {is}, that of the runs before is {was}")));
        }
        if about.rows == Covers::Kept {
            self.rows = Covers::Kept;
        }
        self.embeddings = match (self.embeddings, about.embeddings) {
            (found, other) if is_first => other.or(found),
            (Some(Covers::All), Some(Covers::All)) => Some(Covers::All),
            (Some(_), Some(_)) => Some(Covers::Kept),
            // Some have none: they are not those of all pairs.
            (found, other) => found.or(other).map(|_| Covers::Kept),
        };
        self.dimension = self.dimension.or(about.dimension);
        self.model = self.model.or(about.model);
        Ok(())
    }

    /// Whether there is a row for every pair that was read, or for kept pairs alone.
    pub fn rows(&self) -> Covers {
        self.rows
    }

    /// Which pairs' embeddings are recorded; `None` where there are none. What is fitted to a pool needs
    /// [`Covers::All`].
    pub fn embeddings(&self) -> Option<Covers> {
        self.embeddings
    }

    /// The digest of the model that scored and embedded the pairs, where that is told.
    pub fn model(&self) -> Option<Digest> {
        self.model
    }

    /// Values of an embedding, where there are any.
    pub fn dimension(&self) -> Option<usize> {
        self.dimension
    }

    /// Rows so far that were passed over: their uid is not 32 hex digits.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The next row; `None` behind the last.
    ///
    /// # Errors
    /// [`IoError::Read`] where a file is damaged, or does not belong to what lies beside it.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error is no row: `?` comes before the end is asked"
    )]
    pub fn next(&mut self) -> Result<Option<RecordedRow>, IoError> {
        loop {
            match self.current.as_mut().map(Pairs::next).transpose()?.flatten() {
                Some(row) if row.is_malformed => {
                    self.malformed += 1;
                    continue;
                }
                Some(row) => return Ok(Some(row)),
                None => self.current = None,
            }
            let Some(path) = self.rest.next() else { return Ok(None) };
            self.current = Some(find::open(&path, &self.read)?.pairs);
        }
    }
}
