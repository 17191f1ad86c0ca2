//! Pairs measured together, on all threads.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use pairgate_kernels::Team;

use super::passes::visit;
use super::walk::Walk;
use super::{SelectError, Told, Work, captionless};
use crate::score::{Measure, measured};
use crate::select::pool::{Pool, PoolPair};
use crate::select::scorers;
use crate::select::state::State;

/// Pairs whose values are computed together.
const BATCH: usize = 512;
/// Pairs that a thread takes at a time.
const GRAIN: usize = 8;

/// Takes a pair of a pool with what workers would give of it.
pub type Measured<'a> = dyn FnMut(&PoolPair, Vec<f32>) -> Result<(), SelectError> + 'a;

/// What `measures` give of each pair, in the pairs' order.
fn measured_all(measures: &[Arc<dyn Measure>], pairs: &[PoolPair], team: &Team) -> Vec<Vec<f32>> {
    let parts = Mutex::new(Vec::new());
    team.split(pairs.len(), GRAIN, |range| {
        let start = range.start;
        let of = |pair: &PoolPair| {
            let caption = pair.caption.as_deref().unwrap_or_default();
            measured(measures, pair.score, &pair.embeddings, caption, &pair.tokens)
        };
        let values: Vec<_> = pairs[range].iter().map(of).collect();
        parts.lock().unwrap_or_else(PoisonError::into_inner).push((start, values));
    });
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_unstable_by_key(|(start, _)| *start);
    parts.into_iter().flat_map(|(_, values)| values).collect()
}

/// Hands every pair of a pool, in its order, to `each`, with what workers would give of it by `state`.
///
/// # Errors
/// [`SelectError`], and the error of `each`.
pub fn measure_pool(
    pool: &mut dyn Pool,
    state: &State,
    work: Work<'_>,
    each: &mut Measured<'_>,
) -> Result<(), SelectError> {
    let Work { team, stop, tell } = work;
    let measures = state.measures();
    let needs_caption =
        state.slots().iter().map(|slot| slot.name()).find(|method| scorers::needs_caption(method));
    let mut batch: Vec<PoolPair> = Vec::with_capacity(BATCH);
    let mut read = 0;
    let mut hand_on = |batch: &mut Vec<PoolPair>| {
        let values = measured_all(&measures, batch, team);
        batch.drain(..).zip(values).try_for_each(|(pair, values)| each(&pair, values))
    };
    pool.read(&mut |pair| {
        if stop.load(Ordering::SeqCst) {
            return Err(SelectError::Stopped);
        }
        if let Some(method) = needs_caption.filter(|_| pair.caption.is_none()) {
            return Err(captionless(method));
        }
        batch.push(pair);
        read += 1;
        if batch.len() == BATCH {
            hand_on(&mut batch)?;
            tell(Told::Read(read));
        }
        Ok(())
    })?;
    hand_on(&mut batch)
}

impl Walk<'_, '_> {
    /// The values of a measure, those of each pair of `came` one after the other.
    pub(super) fn values(
        &mut self,
        method: &'static str,
        measure: Arc<dyn Measure>,
        came: &[u32],
    ) -> Result<Vec<f32>, SelectError> {
        let needs_caption = scorers::needs_caption(method);
        let mut values = Vec::with_capacity(came.len() * measure.width());
        let measures = [measure];
        let mut batch: Vec<PoolPair> = Vec::with_capacity(BATCH);
        let (mut read, team) = (0, self.work.team);
        let tell = &mut *self.work.tell;
        visit(self.pool, came, self.work.stop, &mut |_, pair| {
            if needs_caption && pair.caption.is_none() {
                return Err(captionless(method));
            }
            batch.push(pair);
            read += 1;
            if batch.len() == BATCH {
                values.extend(measured_all(&measures, &batch, team).into_iter().flatten());
                batch.clear();
                tell(Told::Read(read));
            }
            Ok(())
        })?;
        values.extend(measured_all(&measures, &batch, team).into_iter().flatten());
        Ok(values)
    }
}
