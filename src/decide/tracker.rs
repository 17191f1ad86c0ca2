//! A threshold that is tracked: it follows the scores, for a share of an input that is read once.
//!
//! The first `warm_up` scored pairs are decided by the threshold that the run starts with. From then
//! on, after every `every` scored pairs, the threshold is the one that keeps the share of the last
//! `window` of them, by a sketch. A pair's own score is part of it only after its decision.
//!
//! Pairs come in the source's order, so that the same input gives the same decisions, whatever the
//! number of workers. Pairs that rules or faults keep from the model move nothing.
//!
//! [`Drift`] tells how far the window is from the model's calibration.

use pairgate_core::decision::Decision;
use pairgate_core::policy::{Policy, TrackerRule, pooled_score};
use serde::{Deserialize, Serialize};

use super::drift::{Change, Distance, Drift, DriftState};
use super::window::Window;
use super::{Decider, Examined};
use crate::disk::IoError;
use crate::gate::Evidence;
use crate::store::Step;

/// Scores below which a window is not held against the calibration: so few differ by chance.
const ENOUGH: u64 = 1000;

/// Decides by a threshold that follows the scores.
#[derive(Debug)]
pub struct Tracker {
    policy: Policy,
    /// The policy's threshold at the start.
    first: Option<f32>,
    rule: TrackerRule,
    window: Window,
    /// Scored pairs so far.
    scored: u64,
    moves: u64,
    drift: Option<Drift>,
}

impl Tracker {
    /// Starts with the threshold of `policy`.
    pub fn new(rule: TrackerRule, policy: Policy, drift: Option<Drift>) -> Self {
        let window = Window::new(rule.window);
        Self { policy, first: policy.threshold, rule, window, scored: 0, moves: 0, drift }
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

    /// Decides on the next pair, and takes its score.
    pub fn decide_on(&mut self, evidence: &Evidence) -> Decision {
        let decided = self.policy.decide(evidence.found, evidence.facts);
        if let Some(score) = pooled_score(decided.reason, &decided.facts)
            && self.take(score)
        {
            self.watch();
        }
        decided
    }

    /// Takes what an earlier part of the same run decided, and goes on as if it had not ended.
    ///
    /// # Errors
    /// The steps' own.
    pub fn catch_up(
        &mut self,
        past: impl IntoIterator<Item = Result<Step, IoError>>,
    ) -> Result<(), IoError> {
        for step in past {
            match step? {
                Step::Decision(record) => {
                    if let Some(score) = pooled_score(record.reason, &record.facts) {
                        self.take(score);
                    }
                }
                // What was handed over then had been saved.
                Step::Epoch { learns_on: true } => drop(self.state()),
                Step::Epoch { learns_on: false } => self.forget(),
            }
        }
        Ok(())
    }

    /// Starts anew from the first threshold.
    fn forget(&mut self) {
        self.policy.threshold = self.first;
        self.window = Window::new(self.rule.window);
        (self.scored, self.moves) = (0, 0);
        if let Some(drift) = &mut self.drift {
            drift.restore(DriftState::default());
        }
    }

    /// Goes on from a state that [`Decider::state`] gave; `false`, and nothing is changed, where the
    /// bytes are none.
    pub fn restore(&mut self, state: &[u8]) -> bool {
        let restored = || -> Option<(State<'_>, Window)> {
            let state: State<'_> = postcard::from_bytes(state).ok()?;
            let window = Window::restored(self.rule.window, &state.window)?;
            Some((state, window))
        };
        let Some((state, window)) = restored() else { return false };
        (self.window, self.policy.threshold) = (window, state.threshold);
        (self.scored, self.moves) = (state.scored, state.moves);
        if let (Some(drift), Some(state)) = (&mut self.drift, state.drift) {
            drift.restore(state);
        }
        true
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

impl Decider for Tracker {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        Ok(self.decide_on(&pair.evidence))
    }

    fn moving_threshold(&self) -> Option<f32> {
        self.threshold()
    }

    fn learn(&mut self, state: &[u8]) {
        self.restore(state);
    }

    fn tracker(&self) -> Option<&Tracker> {
        Some(self)
    }

    fn state(&mut self) -> Vec<u8> {
        let window = self.window.saved();
        let parts = window.iter().map(Vec::as_slice).collect();
        let state = State {
            threshold: self.policy.threshold,
            scored: self.scored,
            moves: self.moves,
            window: parts,
            drift: self.drift.as_ref().map(Drift::state),
        };
        // Numbers and bytes always have an encoding.
        let bytes = postcard::to_stdvec(&state).unwrap_or_default();
        // Saving a sketch sorts it: this run goes on as one that is restored will.
        self.restore(&bytes);
        bytes
    }
}

/// All that a tracker has learnt.
#[derive(Serialize, Deserialize)]
struct State<'a> {
    threshold: Option<f32>,
    scored: u64,
    moves: u64,
    #[serde(borrow)]
    window: Vec<&'a [u8]>,
    drift: Option<DriftState>,
}
