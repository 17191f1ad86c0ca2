//! The last scores: their distribution, and how far it is from the model's calibration.

use crate::decide::sketch::ScoreSketch;
use crate::decide::{Distance, Drift};

/// Scores of a part; the last one or two parts are looked at.
const PART: u64 = 10_000;
/// Scores below which nothing is said of drift: so few differ by chance.
const ENOUGH: u64 = 1000;
/// Bins of the histogram, from -1 to 1.
pub const BINS: usize = 400;
/// Bytes that the scores take, about: two sketches, and one that is merged of them.
pub const MEMORY: u64 = 512 << 10;
/// Ranks that are told, 0 to 1.
pub const RANKS: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// The scores of the last pairs, at least 10,000 once there were so many, and less than twice that.
#[derive(Debug)]
pub(super) struct Scores {
    current: Part,
    before: Option<Part>,
    threshold: Option<f32>,
}

#[derive(Debug)]
struct Part {
    sketch: ScoreSketch,
    bins: Box<[u32; BINS]>,
}

impl Part {
    fn new() -> Self {
        Self { sketch: ScoreSketch::new(), bins: Box::new([0; BINS]) }
    }
}

impl Scores {
    pub(super) fn new(threshold: Option<f32>) -> Self {
        Self { current: Part::new(), before: None, threshold }
    }

    /// Takes the next pair's score, where it has one, and the threshold that it was held against,
    /// where that moves.
    pub(super) fn add(&mut self, score: Option<f32>, threshold: Option<f32>) {
        self.threshold = threshold.or(self.threshold);
        let Some(score) = score else { return };
        if self.current.sketch.count() >= PART {
            self.before = Some(std::mem::replace(&mut self.current, Part::new()));
        }
        self.current.sketch.add(score);
        self.current.bins[bin(score)] += 1;
    }

    /// Another threshold decides from here on.
    pub(super) fn set_threshold(&mut self, threshold: Option<f32>) {
        self.threshold = threshold;
    }

    /// The threshold now.
    pub(super) fn threshold(&self) -> Option<f32> {
        self.threshold
    }

    /// All scores that are looked at.
    pub(super) fn sketch(&self) -> ScoreSketch {
        let mut all = self.current.sketch.clone();
        if let Some(before) = &self.before {
            all.merge(&before.sketch);
        }
        all
    }

    /// How many of them are in each of [`BINS`] equal parts from -1 to 1.
    pub(super) fn bins(&self) -> Vec<u32> {
        let before = |bin: usize| self.before.as_ref().map_or(0, |part| part.bins[bin]);
        self.current.bins.iter().enumerate().map(|(bin, now)| now + before(bin)).collect()
    }
}

/// How far `scores` are from `calibration`; `None` where there is none, or too few scores.
pub(super) fn distance(scores: &mut ScoreSketch, calibration: &[f32]) -> Option<Distance> {
    let drift = (scores.count() >= ENOUGH).then(|| Drift::new(calibration, f64::MAX)).flatten()?;
    drift.distance(scores)
}

/// The bin that a score is in; a cosine may be beyond 1 by rounding.
fn bin(score: f32) -> usize {
    let place = (f64::from(score) + 1.0) / 2.0 * BINS as f64;
    (place.max(0.0) as usize).min(BINS - 1)
}
