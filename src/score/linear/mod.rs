//! A linear head: the probability that a pair is out of what is wanted, learnt from labelled pairs.

mod fit;
mod newton;

use super::array::{Array, Arrays, StateError, Values};
use super::numeric::{dot, exp};
use super::{Measure, Row, Scored};

pub use fit::{Labelled, LinearError, LinearOptions, Standard};

/// What the head looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Features {
    /// The picture's embedding.
    Image,
    /// Picture, caption, and their products value by value: `[x, t, x * t]`.
    #[default]
    Joint,
}

impl Features {
    /// Its name in a state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Joint => "joint",
        }
    }

    /// How many there are of embeddings of `dimension` values.
    pub fn count(self, dimension: usize) -> usize {
        match self {
            Self::Image => dimension,
            Self::Joint => 3 * dimension,
        }
    }

    /// A pair's features.
    pub fn of(self, image: &Row, text: &Row) -> Vec<f64> {
        let mut values = image.values();
        if self == Self::Joint {
            let text = text.values();
            let products: Vec<f64> = values.iter().zip(&text).map(|(x, t)| x * t).collect();
            values.extend(text);
            values.extend(products);
        }
        values
    }
}

/// Logistic regression on a pair's embeddings, standardisation folded in.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    features: Features,
    weights: Vec<f64>,
    bias: f64,
}

impl Linear {
    /// Of weights and a bias that stand for standardised features.
    pub fn folded(features: Features, weights: &[f64], bias: f64, standard: &Standard) -> Self {
        let (weights, bias) = standard.folded(weights, bias);
        Self { features, weights, bias }
    }

    /// Weights of the raw features.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// What is added to their sum.
    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// The logarithm of the odds that features are those of a pair that is out.
    pub fn logit(&self, features: &[f64]) -> f64 {
        dot(&self.weights, features) + self.bias
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        vec![
            Array::list("features", Values::Text(vec![self.features.name().to_owned()])),
            Array::list("weights", Values::F64(self.weights.clone())),
            Array::number("bias", self.bias),
        ]
    }

    /// The state that arrays hold.
    ///
    /// # Errors
    /// [`StateError`] if they hold none for embeddings of `dimension` values.
    pub fn from_arrays(arrays: &[Array], dimension: usize) -> Result<Self, StateError> {
        let arrays = Arrays(arrays);
        let features = match arrays.texts("features", &[1])?[0].as_str() {
            "image" => Features::Image,
            "joint" => Features::Joint,
            other => {
                return Err(StateError::value("features", format!("{other:?} are no features")));
            }
        };
        let weights = arrays.f64s("weights", &[features.count(dimension)])?.to_vec();
        let is_one = |weight: &f64| weight.abs() <= f64::MAX / 1e9;
        if let Some(at) = weights.iter().position(|weight| !is_one(weight)) {
            return Err(StateError::value("weights", format!("value {at} is {}", weights[at])));
        }
        let bias = arrays.number("bias", -1e300..=1e300)?;
        Ok(Self { features, weights, bias })
    }
}

impl Measure for Linear {
    /// The probability that the pair is out, 0 to 1.
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        sigmoid(self.logit(&self.features.of(pair.image, pair.text))) as f32
    }
}

/// The probability of a logarithm of odds.
pub fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + exp(-logit))
}
