//! What is known of files: decided before, given in this run, to be done with when durable.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairgate_core::decision::Verdict;

use super::signature::INPUT;
use crate::disk::{IoError, failed};
use crate::journal;

/// Shared by the source, which looks up and notes, and by what is done with decided files.
#[derive(Debug, Clone, Default)]
pub struct Book(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Signatures of which the journal told at the start: 8 bytes a file and some.
    pub before: HashSet<u64>,
    /// Those of them that could not be judged.
    pub failed: HashSet<u64>,
    /// Given in this run.
    pub given: HashSet<u64>,
    /// Files that belong to what was given, by its signature.
    pub files: HashMap<u64, Files>,
}

/// Files that are done with together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The picture or the shard first.
    pub paths: Vec<PathBuf>,
    /// Its signature as it was read.
    pub signature: u64,
}

impl Book {
    /// What the journal in `output` tells of watched files.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be read. What is damaged in it is passed over.
    pub fn open(output: &Path) -> Result<Self, IoError> {
        let mut pages = Pages::default();
        for part in journal::parts(output).map_err(failed(output))? {
            if !part.is_file() {
                continue;
            }
            journal::examine(&part, |record| {
                if record.position.input == INPUT {
                    pages.before.insert(record.position.item);
                    if record.verdict == Verdict::Failed {
                        pages.failed.insert(record.position.item);
                    }
                }
            })?;
        }
        Ok(Self(Arc::new(Mutex::new(pages))))
    }

    /// Files of which the journal told.
    pub fn known(&self) -> usize {
        self.pages().before.len()
    }

    /// No step under the lock leaves it half changed.
    pub(super) fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was decided, or is on its way to be.
    pub(super) fn has(&self, signature: u64) -> bool {
        let pages = self.pages();
        pages.before.contains(&signature) || pages.given.contains(&signature)
    }
}
