//! A threshold that follows the scores, for a share of an input that is read once.
//!
//! The first `warm_up` scored pairs are decided by the threshold that the run starts with. From then
//! on, after every `every` scored pairs, the threshold is the one that keeps the share of the last
//! `window` of them, by a sketch. A pair's own score is part of it only after its decision.
//!
//! Pairs come in the source's order, so that the same input gives the same decisions, whatever the
//! number of workers. Pairs that rules or faults keep from the model move nothing.
//!
//! [`Drift`] tells how far the window is from the model's calibration.

mod drift;
mod window;

pub use drift::{Distance, Drift, stability_index};

use drift::Change;
use window::Window;

use crate::decision::Decision;
use crate::error::RunError;
use crate::policy::{FollowRule, Policy, pooled_score};
use crate::sink::journal::OwnedRecord;

/// Scores below which a window is not held against the calibration: so few differ by chance.
const ENOUGH: u64 = 1000;

/// Decides by a threshold that follows the scores.
#[derive(Debug)]
pub struct Follow {
    policy: Policy,
    rule: FollowRule,
    window: Window,
    /// Scored pairs so far.
    scored: u64,
    moves: u64,
    drift: Option<Drift>,
}

impl Follow {
    /// Starts with the threshold of `policy`.
    pub fn new(rule: FollowRule, policy: Policy, drift: Option<Drift>) -> Self {
        let window = Window::new(rule.window);
        Self { policy, rule, window, scored: 0, moves: 0, drift }
    }

    /// The threshold that the next pair is decided by.
    pub fn threshold(&self) -> Option<f32> {
        self.policy.threshold
    }

    /// How often another threshold was taken from the scores.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// The watch for drift, where there is one.
    pub fn drift(&self) -> Option<&Drift> {
        self.drift.as_ref()
    }

    /// Decides again on the next pair, whatever threshold it was decided by.
    pub fn decide(&mut self, decision: &Decision) -> Decision {
        let decided = self.policy.decide_again(decision.reason, decision.facts);
        if let Some(score) = pooled_score(decided.reason, &decided.facts)
            && self.take(score)
        {
            self.watch();
        }
        decided
    }

    /// Takes the scores of an earlier part of the same run, and goes on as if it had not ended.
    ///
    /// # Errors
    /// The records' own.
    pub fn catch_up(
        &mut self,
        records: impl IntoIterator<Item = Result<OwnedRecord, RunError>>,
    ) -> Result<(), RunError> {
        for record in records {
            let record = record?;
            if let Some(score) = pooled_score(record.reason, &record.facts) {
                self.take(score);
            }
        }
        Ok(())
    }

    /// Takes a score; gives whether the threshold was taken anew.
    fn take(&mut self, score: f32) -> bool {
        self.window.add(score);
        self.scored += 1;
        let since = self.scored.checked_sub(self.rule.warm_up);
        let due = since.is_some_and(|since| since.is_multiple_of(self.rule.every));
        let threshold = if due { self.window.sketch().threshold(self.rule.keep) } else { None };
        if let Some(threshold) = threshold {
            self.policy.threshold = Some(threshold);
            self.moves += 1;
        }
        threshold.is_some()
    }

    fn watch(&mut self) {
        let Some(drift) = &mut self.drift else { return };
        if self.scored < ENOUGH.min(self.rule.window) {
            return;
        }
        let mut scores = self.window.sketch();
        let change = drift.look(&mut scores);
        let Distance { psi, ks } = drift.last().unwrap_or_default();
        let (count, threshold) = (scores.count(), self.policy.threshold.unwrap_or_default());
        let figures = format!("PSI {psi:.3}, KS {ks:.3}, threshold {threshold:.4}");
        match change {
            Change::Raised => log::warn!(
                "drift: the last {count} scores are not as the model's calibration has them: {figures}"
            ),
            Change::Over => log::warn!(
                "drift: over, the last {count} scores are as the model's calibration has them: {figures}"
            ),
            Change::None => {}
        }
    }
}
