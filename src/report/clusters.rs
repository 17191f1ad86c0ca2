//! The cluster that each pair is in: as the journal tells it, or by a state and recorded embeddings.

use std::path::{Path, PathBuf};

#[cfg(feature = "parquet")]
use super::assign;
use crate::disk::IoError;
#[cfg(not(feature = "parquet"))]
use crate::disk::{unread, wrong};
use crate::journal::Record;

/// Stands for a pair that is in no cluster.
pub(super) const NONE: u32 = u32::MAX;

/// The clusters of the pairs of journals.
#[derive(Debug)]
pub struct Clusters {
    /// What a number is one of.
    by: &'static str,
    /// By the records' places.
    numbers: Vec<u32>,
}

impl Clusters {
    /// What pairs are told apart by: `cluster`, or `source of the state`.
    pub fn by(&self) -> &'static str {
        self.by
    }

    /// The number, in the state, of the cluster that the record at `place` is in; `None` where it is in none.
    pub fn of(&self, place: usize) -> Option<u32> {
        self.numbers.get(place).copied().filter(|number| *number != NONE)
    }

    /// Pairs that are in none.
    pub fn outside(&self) -> usize {
        self.numbers.iter().filter(|number| **number == NONE).count()
    }

    /// By the clusters of the state whose file is `path`: as its own choices tell them, where it selected, and else by the nearest
    /// centroid to each picture's recorded embedding. Pairs without either are in none.
    ///
    /// # Errors
    /// [`IoError::Read`] where the journals cannot be read, or tell neither; or where the state has no
    /// clusters, or is another model's.
    #[cfg(feature = "parquet")]
    pub fn of_state(journals: &[PathBuf], path: &Path) -> Result<Self, IoError> {
        assign::numbers(journals, path).map(|numbers| Self { by: "cluster", numbers })
    }

    /// Refuses: this build reads no recorded embeddings.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "parquet"))]
    pub fn of_state(_journals: &[PathBuf], path: &Path) -> Result<Self, IoError> {
        let why =
            "this build of pairgate reads no recorded embeddings: it lacks the feature parquet";
        Err(unread(path)(wrong(why)))
    }
}

/// What the choices of a journal's records tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    records: usize,
    numbers: Vec<u32>,
    /// Measures that were the group's number so far: a cluster is a measure, a source is none.
    columns: Option<Vec<usize>>,
}

impl Told {
    /// Takes the next record; gives the number of its cluster.
    pub fn add(&mut self, record: &Record) -> Option<u32> {
        self.records += 1;
        let choice = record.choice.as_ref()?;
        let group = choice.group?;
        self.numbers.resize(self.records - 1, NONE);
        self.numbers.push(group);
        let is_group = |column: &usize| choice.measures.get(*column) == Some(&(group as f32));
        match &mut self.columns {
            Some(columns) => columns.retain(is_group),
            None => self.columns = Some((0..choice.measures.len()).filter(is_group).collect()),
        }
        Some(group)
    }

    /// All of them; `None` where no record told one.
    pub fn clusters(mut self) -> Option<Clusters> {
        let columns = self.columns?;
        let by = if columns.is_empty() { "source of the state" } else { "cluster" };
        self.numbers.resize(self.records, NONE);
        Some(Clusters { by, numbers: self.numbers })
    }
}
