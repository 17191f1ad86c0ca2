//! The choice that a stream makes, over a pool.

use std::sync::Arc;

use pairgate_core::decision::Reason;

use super::batches::measure_pool;
use super::{SelectError, Work};
use crate::journal::Choice;
use crate::score::Row;
use crate::select::chooser::{Chooser, Seen};
use crate::select::pool::{Pool, PoolPair};
use crate::select::state::State;

/// Takes a pair of a pool with the choice that a stream makes of it, and what that rests on.
pub type Chosen<'a> = dyn FnMut(&PoolPair, Reason, &Choice) -> Result<(), SelectError> + 'a;

/// The choice that a stream makes of each pair of a pool, in its order.
///
/// # Errors
/// [`SelectError`].
pub fn frozen(
    pool: &mut dyn Pool,
    state: &Arc<State>,
    work: Work<'_>,
) -> Result<Vec<Reason>, SelectError> {
    let mut reasons = Vec::new();
    frozen_choices(pool, state, work, &mut |_, reason, _| {
        reasons.push(reason);
        Ok(())
    })?;
    Ok(reasons)
}

/// Hands every pair, in the pool's order, to `each` with the choice that a stream makes of it, and what that
/// rests on. Tickets are places in the pool, from 0.
///
/// # Errors
/// [`SelectError`], and the error of `each`.
pub fn frozen_choices(
    pool: &mut dyn Pool,
    state: &Arc<State>,
    work: Work<'_>,
    each: &mut Chosen<'_>,
) -> Result<(), SelectError> {
    let mut chooser = Chooser::new(state.clone());
    let needs_embeddings = state.needs_embeddings();
    let mut ticket = 0;
    measure_pool(pool, state, work, &mut |pair, measures| {
        let row = needs_embeddings.then(|| Row::of(&pair.embeddings.image));
        let seen = Seen {
            ticket,
            uid: pair.uid,
            score: pair.score,
            measures: &measures,
            image: row.as_ref(),
            shard: &pair.shard,
            metadata: pair.metadata.as_ref(),
        };
        ticket += 1;
        let (reason, choice) =
            chooser.choose(&seen).unwrap_or((Reason::NotJudged, Choice::default()));
        each(pair, reason, &choice)
    })
}
