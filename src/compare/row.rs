//! A pair as a run left it.

use pairgate_core::decision::{Class, Facts, Reason, Verdict};
use pairgate_core::pair::Uid;
use pairgate_core::policy::{self, OnError, Policy};

use crate::recorded::RecordedRow;

/// A pair as a run left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The sample's identity.
    pub uid: Uid,
    /// Its key in its source.
    pub key: String,
    /// The shard, folder or manifest that it came from.
    pub shard: String,
    /// What became of it; where no threshold decided, what would with none.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What was measured.
    pub facts: Facts,
}

impl Row {
    /// The score that a share of the pool is taken by.
    pub fn pooled_score(&self) -> Option<f32> {
        policy::pooled_score(self.reason, &self.facts)
    }

    /// The same pair, decided by `threshold`.
    pub(super) fn decided_by(mut self, threshold: f32) -> Self {
        let kept_fault = self.verdict == Verdict::Kept && self.reason.class() == Class::Faulty;
        let on_error = if kept_fault { OnError::Keep } else { OnError::Drop };
        let policy = Policy { threshold: Some(threshold), on_error };
        let decision = policy.decide_again(self.reason, self.facts);
        (self.verdict, self.reason) = (decision.verdict, decision.reason);
        self
    }
}

impl From<RecordedRow> for Row {
    fn from(row: RecordedRow) -> Self {
        let (mut reason, facts) = (row.found(), row.facts());
        let decided = Policy::default().decide(reason, facts);
        if row.verdict.is_none() {
            reason = decided.reason;
        }
        let verdict = row.verdict.unwrap_or(decided.verdict);
        Self { uid: row.uid, key: row.key, shard: row.shard, verdict, reason, facts }
    }
}
