//! Pairs that are examined beside a run's own.

use pairgate_core::pair::Uid;

use crate::gate::Evidence;
use crate::source::Sample;

/// A pair that a run's workers examine and that is no part of the run: it has no ticket, no sink sees
/// it, it is not counted, and it moves no decider.
pub struct Aside {
    pub(super) sample: Sample,
    answer: Box<dyn FnOnce(Uid, Evidence) + Send>,
}

impl Aside {
    /// A pair, and who is told what was found of it, on the worker's thread, which must not be kept
    /// waiting. Dropped without a call where the run ends before that.
    pub fn new(sample: Sample, answer: impl FnOnce(Uid, Evidence) + Send + 'static) -> Self {
        Self { sample, answer: Box::new(answer) }
    }

    pub(super) fn answer(self, uid: Uid, evidence: Evidence) {
        (self.answer)(uid, evidence);
    }
}

impl std::fmt::Debug for Aside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aside").field("key", &self.sample.key).finish_non_exhaustive()
    }
}
