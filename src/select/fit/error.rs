//! Why nothing is fitted or applied.

use crate::disk::IoError;
use crate::select::entries::EntriesError;
use crate::select::kmeans::KMeansError;
use crate::select::quota::QuotaError;
use crate::select::scorers::ScorerError;
use crate::select::state::StateError;

/// Why nothing is fitted or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The pool cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// No quotas.
    #[error("{method}: {why}")]
    Quota {
        /// The method.
        method: &'static str,
        /// Why.
        why: QuotaError,
    },
    /// No centroids.
    #[error("{method}: {why}")]
    KMeans {
        /// The method.
        method: &'static str,
        /// Why.
        why: KMeansError,
    },
    /// No entries.
    #[error("entries: {0}")]
    Entries(#[from] EntriesError),
    /// No scorer.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// No state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The pool has not what a method needs.
    #[error("{method}: {why}")]
    Pool {
        /// The method.
        method: &'static str,
        /// What is missing.
        why: String,
    },
    /// There is nothing to fit on.
    #[error("no pair of the pool passes the threshold and the rules")]
    Empty,
    /// It was asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// The error of a pair whose caption is not known.
pub(in crate::select) fn captionless(method: &'static str) -> SelectError {
    let why = "captions are not recorded there: name the shards, --source SHARDS";
    SelectError::Pool { method, why: why.into() }
}
