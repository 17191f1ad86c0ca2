//! How far scores are from those that the model was calibrated with.

use serde::{Deserialize, Serialize};

use crate::decide::sketch::ScoreSketch;

/// Bins of the population stability index: tenths of the calibration.
const BINS: usize = 10;
/// What an empty bin counts as: the index has no value for none.
const LEAST_SHARE: f64 = 1e-4;
/// An alarm is over when the index is below this part of what raised it.
const RECOVERED: f64 = 0.5;

/// The distance between two distributions of scores.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Distance {
    /// Population stability index over tenths of the calibration: below 0.1 is taken for none, above
    /// 0.2 for a shift that matters.
    pub psi: f64,
    /// Kolmogorov and Smirnov's: the largest difference of the two shares below a score.
    pub ks: f64,
}

/// What a look at the scores led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Raised,
    Over,
}

/// What a watch has seen.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct DriftState {
    last: Option<Distance>,
    raised: bool,
    alarms: u64,
}

/// Watches for drift.
#[derive(Debug)]
pub struct Drift {
    quantiles: Vec<f32>,
    /// Scores between bins, ascending, and the calibration's share below each.
    edges: Vec<(f32, f64)>,
    alarm: f64,
    last: Option<Distance>,
    raised: bool,
    alarms: u64,
}

impl Drift {
    /// A watch against a calibration's `quantiles`, evenly spaced from 0 % to 100 %, which raises an
    /// alarm where the index is above `alarm`; `None` where there are less than two.
    pub fn new(quantiles: &[f32], alarm: f64) -> Option<Self> {
        let edges = edges(quantiles)?;
        let quantiles = quantiles.to_vec();
        Some(Self { quantiles, edges, alarm, last: None, raised: false, alarms: 0 })
    }

    /// What it has seen so far.
    pub(super) fn state(&self) -> DriftState {
        DriftState { last: self.last, raised: self.raised, alarms: self.alarms }
    }

    /// Goes on from what an earlier part of the run has seen.
    pub(super) fn restore(&mut self, state: DriftState) {
        (self.last, self.raised, self.alarms) = (state.last, state.raised, state.alarms);
    }

    /// The distance found last.
    pub fn last(&self) -> Option<Distance> {
        self.last
    }

    /// Whether the alarm stands.
    pub fn is_raised(&self) -> bool {
        self.raised
    }

    /// How often the alarm was raised.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// Looks at the scores of a window.
    pub(super) fn look(&mut self, scores: &mut ScoreSketch) -> Change {
        let Some(distance) = self.distance(scores) else { return Change::None };
        self.last = Some(distance);
        match self.raised {
            false if distance.psi > self.alarm => {
                self.raised = true;
                self.alarms += 1;
                Change::Raised
            }
            true if distance.psi < self.alarm * RECOVERED => {
                self.raised = false;
                Change::Over
            }
            _ => Change::None,
        }
    }

    /// How far the scores are from the calibration; `None` without scores.
    pub fn distance(&self, scores: &mut ScoreSketch) -> Option<Distance> {
        let below = |score, scores: &mut ScoreSketch| Some(1.0 - scores.share_kept(score)?);
        let mut found = Vec::with_capacity(self.edges.len());
        for (edge, _) in &self.edges {
            // Just above it: of scores that are the edge, a sketch takes half for below.
            found.push(below(edge.next_up(), scores)?);
        }
        let wanted: Vec<f64> = self.edges.iter().map(|(_, share)| *share).collect();
        let psi = stability_index(&shares(&wanted), &shares(&found));
        let mut ks = 0.0_f64;
        let steps = (self.quantiles.len() - 1) as f64;
        for tied in self.quantiles.chunk_by(|a, b| a == b) {
            // Of equal quantiles the calibration's share below is anything from the first to the last.
            let first = self.quantiles.partition_point(|q| *q < tied[0]);
            let (low, high) = (first as f64 / steps, (first + tied.len() - 1) as f64 / steps);
            let share = below(tied[0], scores)?;
            ks = ks.max(low - share).max(share - high);
        }
        Some(Distance { psi, ks })
    }
}

/// Where tenths of the calibration end, without the last; equal ones once, with the larger share.
fn edges(quantiles: &[f32]) -> Option<Vec<(f32, f64)>> {
    let last = quantiles.len().checked_sub(1).filter(|last| *last > 0)?;
    let quantile = |share: f64| {
        let place = share * last as f64;
        let (low, high) = (quantiles[place.floor() as usize], quantiles[place.ceil() as usize]);
        low + (high - low) * place.fract() as f32
    };
    let mut edges: Vec<(f32, f64)> = Vec::new();
    for bin in 1..BINS {
        let share = bin as f64 / BINS as f64;
        let score = quantile(share);
        edges.pop_if(|(before, _)| *before >= score);
        edges.push((score, share));
    }
    Some(edges)
}

/// From the shares below some scores to those between them, the first and the last open.
fn shares(below: &[f64]) -> Vec<f64> {
    let ends = below.iter().copied().chain([1.0]);
    let begins = [0.0].into_iter().chain(below.iter().copied());
    begins.zip(ends).map(|(begin, end)| end - begin).collect()
}

/// The population stability index of `found` against `wanted`, both shares of the same bins:
/// `sum (found - wanted) ln(found / wanted)`; a share below 0.0001 counts as that.
pub fn stability_index(wanted: &[f64], found: &[f64]) -> f64 {
    let terms = wanted.iter().zip(found).map(|(wanted, found)| {
        let (wanted, found) = (wanted.max(LEAST_SHARE), found.max(LEAST_SHARE));
        (found - wanted) * (found / wanted).ln()
    });
    terms.sum()
}
