//! Another model's threshold: the one that keeps as many pairs as the old model's threshold kept.
//!
//! Scores of two networks are on scales of their own, and only pairs that both have scored tell one from the
//! other: `new = Q_new(F_old(old))`, with the distribution of the old scores and the quantiles of the new
//! ones.

/// Pairs decided otherwise from which on the normal distribution stands for the binomial one.
const MANY: usize = 4096;

/// What a threshold becomes under another model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Swap {
    /// Pairs that both models scored.
    pub pairs: usize,
    /// Pairs that the old threshold keeps.
    pub kept_before: usize,
    /// Pairs that the new one keeps; more than before where new scores are equal.
    pub kept: usize,
    /// Lowest new score that passes.
    pub threshold: f32,
    /// Where the threshold that keeps the same share of all pairs lies, if these are a random sample.
    pub interval: (f32, f32),
    /// Pairs that the old model keeps and the new one does not.
    pub lost: usize,
    /// Pairs that the new model keeps and the old one does not.
    pub gained: usize,
}

impl Swap {
    /// Finds the threshold. `scores` are old and new of each pair, all finite; they are sorted by the new
    /// ones. `None` where the old threshold keeps none or all of the pairs: they then say nothing of it.
    ///
    /// The interval is that of a sign test: by any threshold that it holds, the pairs that only one of the
    /// models keeps may be heads and tails of a fair coin, with the probability `confidence`. It asks nothing
    /// of how the scores are distributed, takes account of how alike the models are, and draws nothing.
    pub fn find(scores: &mut [(f32, f32)], old_threshold: f32, confidence: f64) -> Option<Self> {
        let pairs = scores.len();
        let kept_before = scores.iter().filter(|(old, _)| *old >= old_threshold).count();
        if kept_before == 0 || kept_before == pairs {
            return None;
        }
        scores.sort_by(|a, b| a.1.total_cmp(&b.1));
        let threshold = scores[pairs - kept_before].1;
        let steps = Steps::of(scores, old_threshold);
        let at = steps.place(threshold);
        Some(Self {
            pairs,
            kept_before,
            kept: steps.kept[at],
            threshold,
            interval: steps.interval(at, confidence),
            lost: steps.lost[at],
            gained: steps.gained(at, kept_before),
        })
    }

    /// The share of pairs that the old threshold keeps.
    pub fn share(&self) -> f64 {
        self.kept_before as f64 / self.pairs as f64
    }

    /// The share of pairs that both models decide alike.
    pub fn agreement(&self) -> f64 {
        1.0 - (self.lost + self.gained) as f64 / self.pairs as f64
    }

    /// The agreement of two deciders that keep these shares and know nothing of each other.
    pub fn agreement_by_chance(&self) -> f64 {
        let (old, new) = (self.share(), self.kept as f64 / self.pairs as f64);
        old * new + (1.0 - old) * (1.0 - new)
    }
}

/// Each score that may be the new threshold, ascending, with what it does to the pairs.
struct Steps {
    scores: Vec<f32>,
    /// Pairs that it keeps.
    kept: Vec<usize>,
    /// Pairs that the old threshold keeps and it does not.
    lost: Vec<usize>,
    kept_before: usize,
}

impl Steps {
    /// `scores` in the order of the new ones.
    fn of(scores: &[(f32, f32)], old_threshold: f32) -> Self {
        let kept_before = scores.iter().filter(|(old, _)| *old >= old_threshold).count();
        let mut steps =
            Self { scores: Vec::new(), kept: Vec::new(), lost: Vec::new(), kept_before };
        let mut lost = 0;
        for (place, (old, new)) in scores.iter().enumerate() {
            if steps.scores.last() != Some(new) {
                steps.scores.push(*new);
                steps.kept.push(scores.len() - place);
                steps.lost.push(lost);
            }
            lost += usize::from(*old >= old_threshold);
        }
        steps
    }

    fn place(&self, score: f32) -> usize {
        self.scores.partition_point(|step| *step < score).min(self.scores.len() - 1)
    }

    fn gained(&self, at: usize, kept_before: usize) -> usize {
        // Those kept by both are what is left of the old ones.
        self.kept[at] - (kept_before - self.lost[at])
    }

    /// From the score below the first step that the test allows to the last such step: between two scores
    /// every threshold keeps the same pairs.
    fn interval(&self, at: usize, confidence: f64) -> (f32, f32) {
        let risk = (1.0 - confidence) / 2.0;
        let few = |at: usize, less: bool| {
            let (lost, gained) = (self.lost[at], self.gained(at, self.kept_before));
            let (heads, tosses) = (if less { lost } else { gained }, lost + gained);
            at_most(heads, tosses) > risk
        };
        let all: Vec<usize> = (0..self.scores.len()).collect();
        // The higher the threshold, the more are lost and the fewer gained.
        let first = all.partition_point(|step| !few(*step, true)).min(at);
        let last = all.partition_point(|step| few(*step, false)).saturating_sub(1).max(at);
        (self.scores[first.saturating_sub(1)], self.scores[last])
    }
}

/// How probable it is that of `tosses` of a fair coin `heads` or fewer are heads.
fn at_most(heads: usize, tosses: usize) -> f64 {
    if 2 * heads >= tosses {
        // What is said of the rarer side is all that is asked.
        return 1.0;
    }
    if tosses > MANY {
        let (mean, deviation) = (tosses as f64 / 2.0, (tosses as f64).sqrt() / 2.0);
        return below((heads as f64 + 0.5 - mean) / deviation);
    }
    let mut term = -(tosses as f64) * std::f64::consts::LN_2;
    let mut sum = term.exp();
    for head in 1..=heads {
        term += ((tosses - head + 1) as f64 / head as f64).ln();
        sum += term.exp();
    }
    sum
}

/// The standard normal distribution below `z`, for z up to 0: Abramowitz and Stegun 26.2.17, to within 1e-7.
fn below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * -z);
    let series = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = series.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}
