//! A language model of captions over the network's own tokens: perplexity within a band, and conditional loss
//! reduction of two models.
//!
//! Models are n-grams with back-off ([`NGrams`]), learnt here ([`Trainer`]) or read from ARPA files
//! ([`arpa`]).

pub mod arpa;
mod counts;
mod ngrams;
mod smoothing;
mod train;
mod words;

use super::array::{Array, Arrays, StateError, Values};
use super::{Measure, Scored};

pub use ngrams::{Likelihood, MAX_ORDER, NGrams};
pub use train::{TrainError, TrainOptions, Trainer};
pub use words::{Word, Words};

/// How surprising a caption is to a model of captions: 1 where it had to be so, large where it is unlike the
/// others. Both ends are odd in their own ways: stock phrases low, rare names and noise high.
#[derive(Debug, Clone, PartialEq)]
pub struct Perplexity {
    model: NGrams,
    band: Band,
}

/// Values that are neither low nor high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The least.
    pub low: f32,
    /// The greatest.
    pub high: f32,
}

impl Band {
    /// Every value.
    pub const ALL: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };

    /// From the share `low` to the share `high` of values, such as 0.1 and 0.9: both are values that are
    /// there, of which at least that share lies at or below. Values that are no number do not count; `None`
    /// where none is left.
    pub fn of(values: impl IntoIterator<Item = f32>, low: f64, high: f64) -> Option<Self> {
        let mut values: Vec<f32> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.clamp(1, values.len().max(1)) - 1).copied()
        };
        Some(Self { low: at(low)?, high: at(high)? })
    }

    /// Whether a value lies within; what is no number does not.
    pub fn contains(self, value: f32) -> bool {
        self.low <= value && value <= self.high
    }
}

impl Perplexity {
    /// Of a model and the band of its values that are wanted.
    pub fn new(model: NGrams, band: Band) -> Self {
        Self { model, band }
    }

    /// What is wanted of its values.
    pub fn band(&self) -> Band {
        self.band
    }

    /// The model.
    pub fn model(&self) -> &NGrams {
        &self.model
    }

    /// The perplexity of a caption's token ids.
    pub fn of(&self, tokens: &[i64]) -> f32 {
        self.model.likelihood(tokens).perplexity() as f32
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        let mut arrays = self.model.to_arrays("model");
        arrays.push(Array::list("band", Values::F32(vec![self.band.low, self.band.high])));
        arrays
    }

    /// The state that arrays hold; the embeddings' `dimension` does not matter.
    ///
    /// # Errors
    /// [`StateError`] if they hold none.
    pub fn from_arrays(arrays: &[Array], _dimension: usize) -> Result<Self, StateError> {
        let band = Arrays(arrays).f32s("band", &[2])?;
        let band = Band { low: band[0], high: band[1] };
        if band.low.is_nan() || band.high.is_nan() {
            return Err(StateError::value("band", "an end is no number"));
        }
        Ok(Self { model: NGrams::from_arrays(arrays, "model")?, band })
    }
}

impl Measure for Perplexity {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        self.of(pair.tokens)
    }
}

/// CoLoR: how much better a model of wanted captions foretells a caption than one of all captions; higher is
/// better.
#[derive(Debug, Clone, PartialEq)]
pub struct LossReduction {
    prior: NGrams,
    conditional: NGrams,
}

impl LossReduction {
    /// Of a model of all captions and one of wanted ones, over the same words.
    pub fn new(prior: NGrams, conditional: NGrams) -> Self {
        Self { prior, conditional }
    }

    /// The mean loss a token under the one, less that under the other.
    pub fn of(&self, tokens: &[i64]) -> f32 {
        let loss = |model: &NGrams| model.likelihood(tokens).loss();
        (loss(&self.prior) - loss(&self.conditional)) as f32
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        let mut arrays = self.prior.to_arrays("prior");
        arrays.extend(self.conditional.to_arrays("conditional"));
        arrays
    }

    /// The state that arrays hold; the embeddings' `dimension` does not matter.
    ///
    /// # Errors
    /// [`StateError`] if they hold none.
    pub fn from_arrays(arrays: &[Array], _dimension: usize) -> Result<Self, StateError> {
        let prior = NGrams::from_arrays(arrays, "prior")?;
        Ok(Self { prior, conditional: NGrams::from_arrays(arrays, "conditional")? })
    }
}

impl Measure for LossReduction {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        self.of(pair.tokens)
    }
}
