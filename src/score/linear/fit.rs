//! What a head is learnt from.

use super::super::Row;
use super::super::numeric::sqrt;
use super::newton::{Problem, solve};
use super::{Features, Linear};

/// Most feature values of all pairs together: half a gigabyte.
const MOST_VALUES: usize = 1 << 27;

/// How a head is learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearOptions {
    /// What the head looks at.
    pub features: Features,
    /// What half of the weights' squares is multiplied with beside the mean loss, above 0: without it, pairs
    /// that can be told apart have no best head.
    pub penalty: f64,
}

impl Default for LinearOptions {
    fn default() -> Self {
        Self { features: Features::default(), penalty: 0.01 }
    }
}

/// A pair whose label is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The picture's embedding.
    pub image: Row,
    /// The caption's.
    pub text: Row,
    /// Whether it is out: noise, or none of what is wanted.
    pub is_out: bool,
}

/// Why no head can be learnt.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinearError {
    /// Only one of two answers is among the labels.
    #[error("labels of both kinds are needed: {out} pairs are out, {within} are not")]
    OneKind {
        /// Pairs that are out.
        out: usize,
        /// Pairs that are not.
        within: usize,
    },
    /// The features do not fit in memory.
    #[error("{pairs} labelled pairs are too many, the most is {most}")]
    TooMany {
        /// Pairs.
        pairs: usize,
        /// The most.
        most: usize,
    },
    /// The penalty is none.
    #[error("the penalty is {0}, it must be above 0")]
    Penalty(f64),
}

/// Means and deviations of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Standard {
    /// Of each feature.
    pub mean: Vec<f64>,
    /// Of each feature, 1 where it does not vary.
    pub deviation: Vec<f64>,
}

impl Standard {
    /// Of rows of features; deviations are those of the rows themselves (divided by their number).
    fn of(rows: &[Vec<f64>]) -> Self {
        let (count, features) = (rows.len() as f64, rows.first().map_or(0, Vec::len));
        let mean_of = |value: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
            let mut sums = vec![0.0; features];
            for row in rows {
                for (place, (sum, x)) in sums.iter_mut().zip(row).enumerate() {
                    *sum += value(place, *x);
                }
            }
            sums.into_iter().map(|sum| sum / count).collect()
        };
        let mean = mean_of(&|_, x| x);
        let squares = mean_of(&|place, x| (x - mean[place]) * (x - mean[place]));
        let deviation = |square| if square > 0.0 { sqrt(square) } else { 1.0 };
        Self { deviation: squares.into_iter().map(deviation).collect(), mean }
    }

    /// Weights and bias of raw features that come to what these come to for standardised ones.
    pub(super) fn folded(&self, weights: &[f64], bias: f64) -> (Vec<f64>, f64) {
        let folded: Vec<f64> = weights.iter().zip(&self.deviation).map(|(w, d)| w / d).collect();
        let shift: f64 = folded.iter().zip(&self.mean).map(|(w, mean)| w * mean).sum();
        (folded, bias - shift)
    }
}

impl Linear {
    /// Learns a head: logistic regression with classes weighted `n / (2 n_c)` and an L2 penalty, by Newton's
    /// method in f64, in a fixed order. The same pairs in the same order give the same bits.
    ///
    /// # Errors
    /// [`LinearError`] if labels of one kind are missing, they are too many, or the penalty is none.
    pub fn fit(
        pairs: impl IntoIterator<Item = Labelled>,
        options: LinearOptions,
    ) -> Result<Self, LinearError> {
        let LinearOptions { features, penalty } = options;
        if !(penalty > 0.0 && penalty.is_finite()) {
            return Err(LinearError::Penalty(penalty));
        }
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for pair in pairs {
            let row = features.of(&pair.image, &pair.text);
            let most = MOST_VALUES / row.len().max(1) / 2;
            if rows.len() >= most {
                return Err(LinearError::TooMany { pairs: rows.len() + 1, most });
            }
            rows.push(row);
            labels.push(pair.is_out);
        }
        let out = labels.iter().filter(|is_out| **is_out).count();
        let within = labels.len() - out;
        if out == 0 || within == 0 {
            return Err(LinearError::OneKind { out, within });
        }
        let standard = Standard::of(&rows);
        for row in &mut rows {
            for ((x, mean), deviation) in
                row.iter_mut().zip(&standard.mean).zip(&standard.deviation)
            {
                *x = (*x - mean) / deviation;
            }
        }
        let (weights, bias) = solve(&Problem::new(rows, labels, penalty));
        Ok(Self::folded(features, &weights, bias, &standard))
    }
}
