//! From facts to a verdict: the threshold, and what becomes of pairs that cannot be judged.

use serde::{Deserialize, Serialize};

use crate::decision::{Class, Decision, Facts, Reason, Verdict};

/// What becomes of a pair that could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It is left out and counted as failed.
    #[default]
    Drop,
    /// It is stored with the kept ones, under its reason. A pair whose score is not a number is
    /// left out all the same.
    Keep,
}

/// Turns what was found of a pair into its decision.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Policy {
    /// Lowest score that passes; `None` where every score passes (scoring only).
    pub threshold: Option<f32>,
    /// What becomes of pairs that could not be judged.
    pub on_error: OnError,
}

impl Policy {
    /// Decides on a pair. `found` is what rules and decoding said ([`Reason::Passed`] where they
    /// said nothing); `facts.score` is there if the network was asked.
    pub fn decide(&self, found: Reason, facts: Facts) -> Decision {
        let reason = if found == Reason::Passed { self.judge_score(facts.score) } else { found };
        Decision { verdict: self.verdict(reason), reason, facts }
    }

    /// Decides on a pair from what was recorded of it, under whatever threshold that was.
    pub fn decide_again(&self, recorded: Reason, facts: Facts) -> Decision {
        let open = matches!(recorded, Reason::Passed | Reason::LowSimilarity);
        self.decide(if open { Reason::Passed } else { recorded }, facts)
    }

    fn judge_score(&self, score: Option<f32>) -> Reason {
        match score {
            Some(score) if !score.is_finite() => Reason::ScoreNotFinite,
            Some(score) if self.threshold.is_some_and(|threshold| score < threshold) => {
                Reason::LowSimilarity
            }
            Some(_) => Reason::Passed,
            None => Reason::NotJudged,
        }
    }

    fn verdict(&self, reason: Reason) -> Verdict {
        match (reason.class(), self.on_error) {
            (Class::Good, _) => Verdict::Kept,
            (Class::Poor, _) => Verdict::Rejected,
            (Class::Faulty, OnError::Keep) if reason != Reason::ScoreNotFinite => Verdict::Kept,
            (Class::Faulty, _) => Verdict::Failed,
        }
    }
}

/// How a threshold follows the scores of an input that is read once: all that it depends on beside
/// the scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackerRule {
    /// Share of the scored pairs to keep, above 0, at most 1.
    pub keep: f64,
    /// Scored pairs that the first threshold decides on.
    pub warm_up: u64,
    /// Scored pairs, the last ones, that a threshold is taken from.
    pub window: u64,
    /// Scored pairs from one threshold to the next; not 0.
    pub every: u64,
}

/// The score that a share of the pool is taken by: that of a pair which neither rule nor fault kept
/// from the model.
pub fn pooled_score(reason: Reason, facts: &Facts) -> Option<f32> {
    let pooled =
        matches!(reason, Reason::Passed | Reason::LowSimilarity) || reason.is_of_selection();
    facts.score.filter(|score| pooled && score.is_finite())
}

/// The threshold that keeps a fraction of the pool, by DataComp's rule
/// (`baselines/apply_filter.py`): with N scores in descending order it is the one at index
/// `int(N * fraction)`, counted from 0; scores at or above it pass, so that at least one more than
/// that are kept, and all ties. Where the index is past the end (a fraction of 1) it is the lowest
/// score. `None` without scores.
///
/// `scores` must be finite; their order is changed.
pub fn fraction_threshold(scores: &mut [f32], fraction: f64) -> Option<f32> {
    let last = scores.len().checked_sub(1)?;
    let index = fraction_index(scores.len(), fraction).min(last);
    let (_, threshold, _) = scores.select_nth_unstable_by(index, |a, b| b.total_cmp(a));
    Some(*threshold)
}

/// The place of DataComp's threshold among `count` scores in descending order, counted from 0:
/// `int(count * fraction)`. With a fraction of 1 it is past the end.
pub fn fraction_index(count: usize, fraction: f64) -> usize {
    (count as f64 * fraction) as usize
}

/// Reads a fraction of the pool: `15%` or `0.15`; above 0, at most 1.
pub fn parse_fraction(text: &str) -> Option<f64> {
    let text = text.trim();
    let fraction = match text.strip_suffix('%') {
        // Moving the decimal point in the text gives the double nearest to the number meant;
        // dividing would round twice.
        Some(percent) => shift_two_decimals(percent.trim())?,
        None => text.parse::<f64>().ok()?,
    };
    (fraction > 0.0 && fraction <= 1.0).then_some(fraction)
}

fn shift_two_decimals(percent: &str) -> Option<f64> {
    let mut text = heapless::String::<64>::new();
    let plain = percent.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.push_str(percent).ok()?;
    text.push_str("e-2").ok()?;
    text.parse().ok().filter(|_| plain)
}
