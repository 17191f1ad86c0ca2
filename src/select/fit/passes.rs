//! A pool, passed over as often as methods ask: what is held of every pair, and visits to some of them.

use std::sync::atomic::{AtomicBool, Ordering};

use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, Uid};
use sha2::{Digest as _, Sha256};

use super::SelectError;
use crate::select::pool::{Pool, PoolPair};
use crate::select::random::draw;

/// What is held of every pair of a pool.
pub(super) struct Index {
    pub uids: Vec<Uid>,
    pub scores: Vec<f32>,
    pub digest: Digest,
}

impl Index {
    pub fn of(pool: &mut dyn Pool) -> Result<Self, SelectError> {
        let (mut uids, mut scores, mut hash) = (Vec::new(), Vec::new(), Sha256::new());
        pool.read(&mut |pair| {
            hash.update(pair.uid.0);
            hash.update(pair.score.to_le_bytes());
            uids.push(pair.uid);
            scores.push(pair.score);
            // Places are 32 bits.
            match u32::try_from(uids.len()) {
                Ok(_) => Ok(()),
                Err(_) => Err(SelectError::Pool {
                    method: "select",
                    why: "the pool has more than 2^32 - 1 pairs: take a part of it".into(),
                }),
            }
        })?;
        Ok(Self { uids, scores, digest: Digest(hash.finalize().into()) })
    }

    /// Nothing speaks against any pair yet.
    pub fn no_reasons(&self) -> Vec<Reason> {
        vec![Reason::Passed; self.uids.len()]
    }

    /// The places of all pairs.
    pub fn all(&self) -> Vec<u32> {
        (0..self.uids.len() as u32).collect()
    }
}

/// Hands the pairs at `places`, which rise, to `each`.
pub(super) fn visit(
    pool: &mut dyn Pool,
    places: &[u32],
    stop: &AtomicBool,
    each: &mut dyn FnMut(u32, PoolPair) -> Result<(), SelectError>,
) -> Result<(), SelectError> {
    let mut places = places.iter().copied().peekable();
    let mut row = 0;
    pool.read(&mut |pair| {
        if stop.load(Ordering::SeqCst) {
            return Err(SelectError::Stopped);
        }
        let place = row;
        row += 1;
        match places.next_if_eq(&place) {
            Some(place) => each(place, pair),
            None => Ok(()),
        }
    })
}

/// At most `most` of the pairs at `places`: those whose uids draw the least numbers, in the pool's order.
pub(super) fn sample(uids: &[Uid], places: &[u32], most: usize, seed: u64) -> Vec<u32> {
    if places.len() <= most {
        return places.to_vec();
    }
    let mut drawn: Vec<(u64, u32)> =
        places.iter().map(|place| (draw(seed, &uids[*place as usize]), *place)).collect();
    drawn.select_nth_unstable(most);
    let mut chosen: Vec<u32> = drawn[..most].iter().map(|(_, place)| *place).collect();
    chosen.sort_unstable();
    chosen
}
