//! Decisions by verdict and reason, counted without a lock, and what never came to a decision.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pairgate_core::decision::{Decision, Reason, Verdict};
use pairgate_core::stats::Counts;

/// Refusals that ask to come again: they are there from the start, so that a rate has a beginning.
const COME_AGAIN: [u16; 2] = [429, 503];
const REASONS: usize = Reason::ALL.len();

/// What has become of pairs so far.
#[derive(Debug)]
pub(super) struct Counters {
    /// Samples that the source gave.
    pub arrived: AtomicU64,
    /// Pairs that came and found no place.
    pub dropped: AtomicU64,
    /// Decided pairs that should be stored and are not.
    pub unstored: AtomicU64,
    /// Requests that were refused, by HTTP status.
    pub refused: Mutex<BTreeMap<u16, u64>>,
    /// By verdict, then by reason.
    decided: [[AtomicU64; REASONS]; Verdict::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            arrived: AtomicU64::default(),
            dropped: AtomicU64::default(),
            unstored: AtomicU64::default(),
            refused: Mutex::new(COME_AGAIN.map(|status| (status, 0)).into()),
            decided: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::default())),
        }
    }
}

impl Counters {
    pub(super) fn add(&self, decision: &Decision) {
        let row = &self.decided[row(decision.verdict)];
        row[decision.reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they are now; a pair that is decided meanwhile is in them or not.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdict in Verdict::ALL {
            let row = self.decided[row(verdict)].iter();
            for (reason, count) in Reason::ALL.iter().zip(row) {
                counts.add_many(verdict, *reason, count.load(Ordering::Relaxed));
            }
        }
        counts
    }

    pub(super) fn decided_and_kept(&self) -> (u64, u64) {
        let counts = self.counts();
        (counts.decided(), counts.total(Verdict::Kept))
    }
}

fn row(verdict: Verdict) -> usize {
    Verdict::ALL.iter().position(|other| *other == verdict).unwrap_or_default()
}
