//! Methods fitted on a pool, and applied to one.
//!
//! Both go through the expression in the same way. A part is fitted on the pairs that come to it, its values
//! of each are computed in one pass over the pool, and its rule for pools says which are kept. What is held
//! are 25 bytes a pair, the values of one part, and at most as many embeddings as a part's `points` say; so
//! a pool of any size is gone through in bounded memory, in a few passes a part.
//!
//! | file | idea |
//! |---|---|
//! | `passes` | what is held of every pair of a pool; visits to some of them |
//! | `batches` | pairs measured together, on all threads |
//! | `cut` | a cut of values |
//! | `walk` | the walk through an expression |
//! | `scorer`, `clusters`, `duplicates`, `sources`, `entries` | each kind of part in its turn |
//! | `apply`, `frozen` | a state over a pool: by its rules for pools, and as a stream decides |
//! | `error` | why nothing is fitted or applied |

mod apply;
mod batches;
mod clusters;
mod cut;
mod duplicates;
mod entries;
mod error;
mod frozen;
mod passes;
mod scorer;
mod sources;
mod walk;

use std::sync::atomic::AtomicBool;

use pairgate_core::pair::{Digest, Uid};
use pairgate_kernels::Team;

use super::expression::{Expression, MethodKind, spec_of};
use super::parts::lay_out;
use super::pool::Pool;
use super::scorers::Resources;
use super::state::{About, State, StateError};
use passes::Index;
use walk::Walk;

pub use apply::{Applied, apply};
pub use batches::{Measured, measure_pool};
pub use error::SelectError;
pub(super) use error::captionless;
pub use frozen::{Chosen, frozen, frozen_choices};

/// What is being done, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// A method begins.
    Method(&'static str),
    /// A round of k-means, from 1, of at most so many.
    Round(usize, usize),
    /// Pairs that were read in this pass.
    Read(u64),
}

/// How methods are fitted and applied. None of it changes the outcome.
pub struct Work<'a> {
    /// Threads.
    pub team: &'a Team,
    /// Set: it ends with [`SelectError::Stopped`].
    pub stop: &'a AtomicBool,
    /// Hears what is being done.
    pub tell: &'a mut dyn FnMut(Told),
}

/// How many pairs came to a method, and how many it kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The method, or [`RANKS`](super::parts::RANKS).
    pub method: &'static str,
    /// Pairs that came to it.
    pub came: u64,
    /// Pairs that it kept, or did not flag.
    pub kept: u64,
    /// Whether it only flags.
    pub flags: bool,
}

/// What a fit gives.
#[derive(Debug)]
pub struct Fit {
    /// The state.
    pub state: State,
    /// The methods, in the order of evaluation.
    pub steps: Vec<Step>,
    /// Pairs that are kept of the pool.
    pub kept: u64,
}

/// Whether high values of a scorer are good.
pub fn is_high_good(method: &str) -> bool {
    !matches!(
        spec_of(method).map(|spec| spec.kind),
        Some(MethodKind::Scorer { high_is_good: false })
    )
}

/// The uids of a pool's pairs, and the digest over uids and scores that a state fitted on it has as
/// [`About::calibration`].
///
/// # Errors
/// [`SelectError`].
pub fn calibration_of(pool: &mut dyn Pool) -> Result<(Vec<Uid>, Digest), SelectError> {
    let Index { uids, digest, .. } = Index::of(pool)?;
    Ok((uids, digest))
}

/// Fits the expression of `about` on `pool`; the pool's digest and size are put into it.
///
/// # Errors
/// [`SelectError`].
pub fn fit(
    pool: &mut dyn Pool,
    about: About,
    resources: &Resources,
    work: Work<'_>,
) -> Result<Fit, SelectError> {
    let expression = Expression::parse(&about.expression)
        .map_err(|why| StateError::Expression(why.to_string()))?;
    let (root, slots) = lay_out(&expression);
    let index = Index::of(pool)?;
    if index.uids.is_empty() {
        return Err(SelectError::Empty);
    }
    let about = About { calibration: index.digest, pairs: index.uids.len() as u64, ..about };
    let (seed, dimension) = (about.seed, about.dimension as usize);
    let parts = slots.iter().map(|_| None).collect();
    let (all, reasons) = (index.all(), index.no_reasons());
    let slots = &slots[..];
    let resources = Some(resources);
    let steps = Vec::new();
    let mut walk =
        Walk { pool, slots, parts, index, reasons, resources, seed, dimension, work, steps };
    let kept = walk.node(&root, all)?.len() as u64;
    let (parts, steps) = (walk.parts.into_iter().flatten().collect(), walk.steps);
    Ok(Fit { state: State::new(about, parts)?, steps, kept })
}
