//! Scores that a run has recorded, by the pairs' uids: a journal, or a table that `score` wrote.

use std::collections::BTreeSet;
use std::path::Path;

use pairgate_core::pair::Uid;
use pairgate_core::policy::pooled_score;

use super::super::journal::journal_at;
use crate::disk::IoError;
use crate::recorded::{Field, ReadAs, Rows};

/// Whether a path is a run that has scores, and no bundle and no pairs: by its name.
pub fn is_recorded(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    journal_at(path).is_some()
        || ["jsonl", "csv", "parquet"].iter().any(|known| extension == *known)
}

/// The pairs of a run. About 24 bytes a pair are held.
#[derive(Debug, Default)]
pub struct Scored {
    /// Each pair with its score, where only a threshold decides on it.
    pub pairs: Vec<(Uid, Option<f32>)>,
    /// Thresholds that decided, by their bits: several where it moved.
    pub thresholds: BTreeSet<u32>,
}

impl Scored {
    pub fn add(&mut self, uid: Uid, score: Option<f32>) {
        self.pairs.push((uid, score.filter(|score| score.is_finite())));
    }

    /// Adds what a file or a journal holds.
    pub fn read(&mut self, path: &Path) -> Result<(), IoError> {
        let read = ReadAs::fields(&[Field::Uid, Field::Score], &[Field::Reason]);
        let mut rows = Rows::open(path, &read)?;
        while let Some(row) = rows.next().transpose()? {
            if row.is_malformed {
                return Err(rows.refuse("its uid is not 32 hex digits"));
            }
            self.add(row.uid, pooled_score(row.found(), &row.facts()));
            self.thresholds.extend(row.threshold.map(f32::to_bits));
        }
        Ok(())
    }

    /// Puts the pairs in the order of their uids, each once; the first of several counts.
    pub fn sort(&mut self) {
        self.pairs.sort_by_key(|(uid, _)| *uid);
        self.pairs.dedup_by_key(|(uid, _)| *uid);
    }
}
