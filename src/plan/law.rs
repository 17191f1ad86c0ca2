//! The law: after each pass over a bucket, what it still teaches is halved at its own pace.
//!
//! With `D` samples a bucket, a shared scale `a` and an error `d` that no training undercuts, the error
//! after `n` samples of one bucket is `(a min(n, D) / 1e5)^b` times `(n_(e+1) / n_e)^(b 2^(-e / tau))` for
//! each pass `e` from 1 on. The `k` best buckets together are one of `k D` samples whose half-lives are
//! `k tau`, and whose exponents are the mean of theirs. The floor `d` is added last, or before the passes
//! from the second on: the published code does the latter, the published formula the former.

use serde::{Deserialize, Serialize};

use super::PlanError;

/// Samples that `a` is for.
const UNIT: f64 = 1e5;
/// Most buckets.
pub const MAX_BUCKETS: usize = 100;
/// Most passes over a bucket that are computed: of more the law says nothing.
pub const MAX_PASSES: f64 = 1000.0;

/// When the floor is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Floor {
    /// Before the passes from the second on, which then shrink it too.
    Before,
    /// Last.
    Last,
}

impl Floor {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Last, Self::Before];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Last => "last",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Before => Self::Last,
            Self::Last => Self::Before,
        }
    }
}

/// A part of the pool, all buckets of one size; the best comes first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Exponent of its first pass, below 0: how much it teaches.
    pub b: f64,
    /// Passes after which it teaches half as much.
    pub tau: f64,
}

/// The constants.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    /// Scale of the samples, shared.
    pub a: f64,
    /// Error that no training undercuts, 0 to 1.
    pub d: f64,
    /// Samples in a bucket.
    pub bucket_samples: f64,
    /// From the best on.
    pub buckets: Vec<Bucket>,
    /// When the floor is added.
    pub floor: Floor,
}

impl Law {
    /// Checks that all constants are within their ranges.
    ///
    /// # Errors
    /// [`PlanError::OutOfRange`].
    pub fn check(&self) -> Result<(), PlanError> {
        within("bucket_samples", self.bucket_samples, 1.0, 1e15)?;
        within("buckets", self.buckets.len() as f64, 1.0, MAX_BUCKETS as f64)?;
        within("a", self.a, 1e-12, 1e12)?;
        within("d", self.d, 0.0, 1.0)?;
        for bucket in &self.buckets {
            within("b", bucket.b, -10.0, 0.0)?;
            within("tau", bucket.tau, 1e-3, 1e6)?;
        }
        Ok(())
    }

    /// The error after training on `samples` of the best `k` buckets, 1 to all; passes beyond
    /// [`MAX_PASSES`] change nothing.
    pub fn error(&self, k: usize, samples: f64) -> f64 {
        let best = &self.buckets[..k.clamp(1, self.buckets.len())];
        let k = best.len() as f64;
        let exponent = |pass: f64| {
            best.iter().map(|bucket| bucket.b * (-pass / (k * bucket.tau)).exp2()).sum::<f64>() / k
        };
        curve(self.a, self.d, self.floor, k * self.bucket_samples, exponent, &[samples])[0]
    }
}

/// Errors after each of `samples`, ascending, of one bucket of `size`, whose exponent in each pass is given.
pub(super) fn curve(
    a: f64,
    d: f64,
    floor: Floor,
    size: f64,
    exponent: impl Fn(f64) -> f64,
    samples: &[f64],
) -> Vec<f64> {
    let (early, late) = match floor {
        Floor::Before => (d, 0.0),
        Floor::Last => (0.0, d),
    };
    let first = exponent(0.0);
    let start = |samples: f64| (a * samples / UNIT).powf(first) + early;
    // The error at the end of the pass before `pass`, without what comes last.
    let (mut error, mut pass) = (start(size), 1.0);
    let mut errors = Vec::with_capacity(samples.len());
    for &n in samples {
        if n <= size {
            errors.push(start(n) + late);
            continue;
        }
        while pass + 1.0 <= n / size && pass < MAX_PASSES {
            error *= ((pass + 1.0) / pass).powf(exponent(pass));
            pass += 1.0;
        }
        let part = if pass < MAX_PASSES { (n / size / pass).powf(exponent(pass)) } else { 1.0 };
        errors.push(error * part + late);
    }
    errors
}

/// What a budget comes to at one share of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Choice {
    /// Buckets kept, from the best on.
    pub buckets: usize,
    /// Samples kept.
    pub kept_samples: f64,
    /// How often each of them is seen.
    pub repeats: f64,
    /// Predicted error.
    pub error: f64,
}

/// Each number of buckets for a budget of samples seen, with the place of the least error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Samples seen in training.
    pub samples: f64,
    /// When the floor is added.
    pub floor: Floor,
    /// For 1, 2, ... buckets.
    pub choices: Vec<Choice>,
    /// Place of the choice with the least error; of equals the one with fewer buckets.
    pub best: usize,
}

impl Plan {
    /// Asks the law.
    ///
    /// # Errors
    /// [`PlanError::OutOfRange`] for constants out of their ranges, or a budget of no sample or of more
    /// than [`MAX_PASSES`] passes over all buckets.
    pub fn of(law: &Law, samples: f64) -> Result<Self, PlanError> {
        law.check()?;
        let all = law.buckets.len() as f64 * law.bucket_samples;
        within("samples", samples, 1.0, MAX_PASSES * all)?;
        let choice = |buckets: usize| {
            let kept_samples = buckets as f64 * law.bucket_samples;
            let error = law.error(buckets, samples);
            Choice { buckets, kept_samples, repeats: samples / kept_samples, error }
        };
        let choices: Vec<Choice> = (1..=law.buckets.len()).map(choice).collect();
        let least = |best: usize, k: usize| {
            if choices[k].error < choices[best].error { k } else { best }
        };
        let best = (0..choices.len()).fold(0, least);
        Ok(Self { samples, floor: law.floor, choices, best })
    }

    /// The choice with the least error.
    pub fn chosen(&self) -> &Choice {
        &self.choices[self.best]
    }

    /// Numbers of buckets whose error is at most `slack` above the least: as good, as far as the law is
    /// known.
    pub fn as_good(&self, slack: f64) -> impl Iterator<Item = &Choice> {
        let most = self.chosen().error + slack.max(0.0);
        self.choices.iter().filter(move |choice| choice.error <= most)
    }
}

pub(super) fn within(key: &'static str, value: f64, min: f64, max: f64) -> Result<(), PlanError> {
    let fits = value >= min && value <= max;
    fits.then_some(()).ok_or(PlanError::OutOfRange { key, value, min, max })
}
