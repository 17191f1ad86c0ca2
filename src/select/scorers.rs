//! The pure scorers by the names of their methods: fitted on a pool, and read back from a state.

use std::sync::Arc;

use super::arrays::ArrayError;
use super::expression::Atom;
use super::fit::SelectError;
use super::pool::PoolPair;
use crate::score::{Array, Measure};

/// What methods are fitted with, beside the pool.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// Entries that are looked for in captions.
    pub entries: Vec<String>,
}

/// Reads pairs of the pool: at most so many, drawn by their uids, or all.
pub type Pairs<'a> =
    dyn FnMut(Option<usize>, &mut dyn FnMut(&PoolPair) -> Result<(), SelectError>) -> Result<(), SelectError>
        + 'a;

/// Whether a method looks at captions.
pub fn needs_caption(method: &str) -> bool {
    matches!(method, "perplexity" | "color" | "entries")
}

/// Fits a scorer: its measure, `None` being the model's own score, and what is frozen of it.
///
/// # Errors
/// [`SelectError`].
pub fn fit(
    atom: &Atom,
    _resources: &Resources,
    _dimension: usize,
    _seed: u64,
    _pairs: &mut Pairs<'_>,
) -> Result<(Option<Arc<dyn Measure>>, Vec<Array>), SelectError> {
    match atom.method {
        "score" => Ok((None, Vec::new())),
        other => Err(ScorerError::Unknown(other.to_owned()).into()),
    }
}

/// Why there is no scorer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// Its arrays are not what they should be.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// This program has no such method.
    #[error("this pairgate knows no method {0}")]
    Unknown(String),
    /// It cannot be made of what there is.
    #[error("{method}: {why}")]
    Unfit {
        /// The method.
        method: &'static str,
        /// What is missing or wrong.
        why: String,
    },
}

/// The measure of a scorer that these arrays hold; `None` is the model's own score.
///
/// # Errors
/// [`ScorerError`].
pub fn from_arrays(
    name: &str,
    _arrays: &[Array],
    _dimension: usize,
) -> Result<Option<Arc<dyn Measure>>, ScorerError> {
    match name {
        "score" => Ok(None),
        other => Err(ScorerError::Unknown(other.to_owned())),
    }
}
