//! A state's rules for pools, applied to one.

use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;

use super::passes::Index;
use super::walk::Walk;
use super::{SelectError, Step, Work};
use crate::select::pool::Pool;
use crate::select::state::State;

/// What a state, applied to a pool, gives.
#[derive(Debug)]
pub struct Applied {
    /// Uids of all pairs of the pool, in its order.
    pub uids: Vec<Uid>,
    /// Places of those that are kept, rising.
    pub kept: Vec<u32>,
    /// What speaks against each pair, the first method that left it out; [`Reason::Passed`] of kept ones.
    pub reasons: Vec<Reason>,
    /// The methods, in the order of evaluation.
    pub steps: Vec<Step>,
}

/// Applies the rules for pools of a state to `pool`: shares are shares of it, with what is frozen of the
/// methods.
///
/// # Errors
/// [`SelectError`].
pub fn apply(pool: &mut dyn Pool, state: &State, work: Work<'_>) -> Result<Applied, SelectError> {
    let index = Index::of(pool)?;
    let parts = state.parts().iter().cloned().map(Some).collect();
    let (all, reasons) = (index.all(), index.no_reasons());
    let mut walk = Walk {
        pool,
        slots: state.slots(),
        parts,
        index,
        reasons,
        resources: None,
        seed: state.about().seed,
        dimension: state.about().dimension as usize,
        work,
        steps: Vec::new(),
    };
    let kept = walk.node(state.root(), all)?;
    Ok(Applied { uids: walk.index.uids, kept, reasons: walk.reasons, steps: walk.steps })
}
