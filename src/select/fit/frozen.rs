//! The choice that a stream makes, over a pool.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pairgate_core::decision::Reason;
use pairgate_kernels::Team;

use super::batches::{BATCH, measured_all};
use super::{SelectError, Told, Work, captionless};
use crate::score::{Measure, Row};
use crate::select::chooser::{Chooser, Seen};
use crate::select::pool::{Pool, PoolPair};
use crate::select::scorers;
use crate::select::state::State;

/// The choice that a stream makes of each pair of a pool, in its order.
///
/// # Errors
/// [`SelectError`].
pub fn frozen(
    pool: &mut dyn Pool,
    state: &Arc<State>,
    work: Work<'_>,
) -> Result<Vec<Reason>, SelectError> {
    let Work { team, stop, tell } = work;
    let mut stream = Stream::new(state, team);
    let needs_caption =
        state.slots().iter().map(|slot| slot.name()).find(|method| scorers::needs_caption(method));
    pool.read(&mut |pair| {
        if stop.load(Ordering::SeqCst) {
            return Err(SelectError::Stopped);
        }
        if let Some(method) = needs_caption.filter(|_| pair.caption.is_none()) {
            return Err(captionless(method));
        }
        stream.batch.push(pair);
        if stream.batch.len() == BATCH {
            stream.choose();
            tell(Told::Read(stream.reasons.len() as u64));
        }
        Ok(())
    })?;
    stream.choose();
    Ok(stream.reasons)
}

/// Pairs that come one by one, measured together and chosen in their order.
struct Stream<'a> {
    measures: Vec<Arc<dyn Measure>>,
    chooser: Chooser,
    needs_embeddings: bool,
    team: &'a Team,
    batch: Vec<PoolPair>,
    reasons: Vec<Reason>,
}

impl<'a> Stream<'a> {
    fn new(state: &Arc<State>, team: &'a Team) -> Self {
        Self {
            measures: state.measures(),
            chooser: Chooser::new(state.clone()),
            needs_embeddings: state.needs_embeddings(),
            team,
            batch: Vec::with_capacity(BATCH),
            reasons: Vec::new(),
        }
    }

    fn choose(&mut self) {
        let mut values = measured_all(&self.measures, &self.batch, self.team);
        for (pair, values) in self.batch.drain(..).zip(&mut values) {
            let row = self.needs_embeddings.then(|| Row::of(&pair.embeddings.image));
            let seen = Seen {
                ticket: self.reasons.len() as u64,
                uid: pair.uid,
                score: pair.score,
                measures: values,
                image: row.as_ref(),
                shard: &pair.shard,
                metadata: pair.metadata.as_ref(),
            };
            let chosen = self.chooser.choose(&seen).map_or(Reason::NotJudged, |(reason, _)| reason);
            self.reasons.push(chosen);
        }
    }
}
