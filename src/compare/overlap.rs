//! Whether two runs are of the same pairs, without holding either.

use std::collections::BTreeSet;

use pairgate_core::pair::Uid;

use super::read::Run;
use crate::disk::IoError;

/// Uids that are compared: those with the least hashes, which are a fair sample of all, and the same
/// one in both runs.
const SAMPLE: usize = 2048;

/// The share of all pairs of two runs that is in both, 0 to 1: exact where they have few pairs, else to
/// within some percent. Each run is read once.
///
/// # Errors
/// [`IoError`] where a run cannot be read.
pub fn overlap(runs: [&Run; 2]) -> Result<f64, IoError> {
    let [old, new] = [least(runs[0])?, least(runs[1])?];
    let least: Vec<_> = old.union(&new).take(SAMPLE).collect();
    let both = least.iter().filter(|uid| old.contains(uid) && new.contains(uid)).count();
    Ok(both as f64 / least.len().max(1) as f64)
}

fn least(run: &Run) -> Result<BTreeSet<(u64, Uid)>, IoError> {
    let mut least = BTreeSet::new();
    for row in run.rows(None)? {
        let uid = row?.uid;
        let hashed = (mixed(&uid), uid);
        if least.len() < SAMPLE || least.last().is_some_and(|last| hashed < *last) {
            least.insert(hashed);
        }
        if least.len() > SAMPLE {
            least.pop_last();
        }
    }
    Ok(least)
}

/// A hash of a uid, which itself may be a number that counts.
pub(super) fn mixed(uid: &Uid) -> u64 {
    let halves = uid.0.as_chunks::<8>().0;
    halves.iter().fold(0, |hash, half| {
        // The finish of splitmix64.
        let mut z = (hash ^ u64::from_le_bytes(*half)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
