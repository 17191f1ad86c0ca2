//! Counts of a run: what went in, and how each pair ended.

use crate::decision::{Decision, Reason, Verdict};

const REASONS: usize = Reason::ALL.len();

/// How many pairs ended with each verdict and reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    kept: [u64; REASONS],
    rejected: [u64; REASONS],
    failed: [u64; REASONS],
}

impl Default for Counts {
    /// Of no pair.
    fn default() -> Self {
        Self { kept: [0; REASONS], rejected: [0; REASONS], failed: [0; REASONS] }
    }
}

impl Counts {
    /// Counts one decision.
    pub fn add(&mut self, decision: &Decision) {
        self.row_mut(decision.verdict)[decision.reason as usize] += 1;
    }

    /// Counts `count` pairs that ended alike.
    pub fn add_many(&mut self, verdict: Verdict, reason: Reason, count: u64) {
        self.row_mut(verdict)[reason as usize] += count;
    }

    /// Pairs that ended with `verdict`.
    pub fn total(&self, verdict: Verdict) -> u64 {
        self.row(verdict).iter().sum()
    }

    /// Pairs decided in all.
    pub fn decided(&self) -> u64 {
        Verdict::ALL.map(|v| self.total(v)).iter().sum()
    }

    /// Reasons that occurred with `verdict`, and how often, in the order of the codes.
    pub fn reasons(&self, verdict: Verdict) -> impl Iterator<Item = (Reason, u64)> + '_ {
        let counted = Reason::ALL.iter().copied().zip(self.row(verdict).iter().copied());
        counted.filter(|(_, count)| *count > 0)
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Counts) {
        self.combine(other, u64::saturating_add);
    }

    /// Takes away what `other` has counted, down to zero.
    pub fn subtract(&mut self, other: &Counts) {
        self.combine(other, u64::saturating_sub);
    }

    fn combine(&mut self, other: &Counts, with: impl Fn(u64, u64) -> u64) {
        for verdict in Verdict::ALL {
            for (count, other) in self.row_mut(verdict).iter_mut().zip(other.row(verdict)) {
                *count = with(*count, *other);
            }
        }
    }

    /// Forgets the pairs counted with `verdict` and gives how many they were.
    pub fn remove(&mut self, verdict: Verdict) -> u64 {
        core::mem::replace(self.row_mut(verdict), [0; REASONS]).iter().sum()
    }

    fn row(&self, verdict: Verdict) -> &[u64; REASONS] {
        match verdict {
            Verdict::Kept => &self.kept,
            Verdict::Rejected => &self.rejected,
            Verdict::Failed => &self.failed,
        }
    }

    fn row_mut(&mut self, verdict: Verdict) -> &mut [u64; REASONS] {
        match verdict {
            Verdict::Kept => &mut self.kept,
            Verdict::Rejected => &mut self.rejected,
            Verdict::Failed => &mut self.failed,
        }
    }
}
