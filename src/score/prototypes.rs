//! Prototypes of classes: the nearest class mean, and means of few examples moved towards well-known ones as
//! in TEEN.

use std::collections::BTreeMap;

use super::array::{Array, Arrays, StateError, Values};
use super::numeric::{dot, exp, unit};
use super::{Measure, Row, Rows, Scored};

/// What TEEN's softmax multiplies cosines with.
pub const SHARPNESS: f64 = 16.0;
/// How far TEEN moves a prototype.
pub const SHARE: f64 = 0.5;

/// Which of a pair's embeddings is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Side {
    /// The picture's.
    #[default]
    Image,
    /// The caption's.
    Text,
}

/// The greatest cosine with a class's prototype.
#[derive(Debug, Clone, PartialEq)]
pub struct Prototypes {
    side: Side,
    names: Vec<String>,
    /// Of unit length, in the names' order.
    rows: Rows,
}

impl Prototypes {
    /// The mean of each class's examples, given as name and embedding; classes in the order of their names.
    /// `None` without examples.
    pub fn fit(examples: impl IntoIterator<Item = (String, Row)>, side: Side) -> Option<Self> {
        let mut sums = BTreeMap::<String, Vec<f64>>::new();
        for (name, example) in examples {
            let values = example.values();
            let sum = sums.entry(name).or_insert_with(|| vec![0.0; values.len()]);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        let means = sums.into_iter().map(|(name, sum)| (name, unit(&sum)));
        Self::of(means, side)
    }

    /// Of vectors of any length.
    fn of(classes: impl Iterator<Item = (String, Vec<f64>)>, side: Side) -> Option<Self> {
        let (names, means): (Vec<_>, Vec<_>) = classes.unzip();
        let mut rows = Rows::new(means.first()?.len());
        means.iter().for_each(|mean| rows.push(&row(mean)));
        Some(Self { side, names, rows })
    }

    /// These prototypes of few examples moved towards those of `base` that they are like, as TEEN does.
    #[must_use]
    pub fn calibrated(&self, base: &Self, sharpness: f64, share: f64) -> Self {
        let vectors = |of: &Self| -> Vec<Vec<f64>> {
            (0..of.rows.len()).map(|place| unit(&of.rows.row(place).values())).collect()
        };
        let base = vectors(base);
        let mut rows = Rows::new(self.rows.dimension());
        for own in vectors(self) {
            rows.push(&row(&unit(&calibrate(&own, &base, sharpness, share))));
        }
        Self { side: self.side, names: self.names.clone(), rows }
    }

    /// These and others', for the same side of a pair.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.names.extend(other.names.iter().cloned());
        (0..other.rows.len()).for_each(|place| self.rows.push(&other.rows.row(place)));
        self
    }

    /// The classes' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The class that an embedding is nearest to, and the cosine; of equal ones the first.
    pub fn nearest(&self, embedding: &Row) -> Option<(&str, f32)> {
        let cosines = self.names.iter().zip(self.rows.dots(embedding));
        let nearer = |best: (&'_ String, f32), next: (&'_ String, f32)| next.1 > best.1;
        let best = cosines.reduce(|best, next| if nearer(best, next) { next } else { best })?;
        Some((best.0, best.1))
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        let side = match self.side {
            Side::Image => "image",
            Side::Text => "text",
        };
        let mut arrays = vec![
            Array::list("side", Values::Text(vec![side.to_owned()])),
            Array::list("names", Values::Text(self.names.clone())),
        ];
        arrays.extend(Array::embeddings("prototypes", &self.rows));
        arrays
    }

    /// The state that arrays hold.
    ///
    /// # Errors
    /// [`StateError`] if they hold none for embeddings of `dimension` values.
    pub fn from_arrays(arrays: &[Array], dimension: usize) -> Result<Self, StateError> {
        let arrays = Arrays(arrays);
        let side = match arrays.texts("side", &[1])?[0].as_str() {
            "image" => Side::Image,
            "text" => Side::Text,
            other => {
                return Err(StateError::value("side", format!("{other:?} is no side of a pair")));
            }
        };
        let rows = arrays.rows("prototypes", dimension)?;
        let names = arrays.texts("names", &[rows.len()])?.to_vec();
        Ok(Self { side, names, rows })
    }
}

impl Measure for Prototypes {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        let embedding = match self.side {
            Side::Image => pair.image,
            Side::Text => pair.text,
        };
        self.nearest(embedding).map_or(f32::NAN, |(_, cosine)| cosine)
    }
}

/// TEEN's calibration of a unit vector by unit vectors of well-known classes: `(1 - share) * own + share * D`,
/// where `D` is the direction of the base vectors' mean, weighted by the softmax of their cosines times
/// `sharpness`. Not of unit length.
pub fn calibrate(own: &[f64], base: &[Vec<f64>], sharpness: f64, share: f64) -> Vec<f64> {
    let weights = softmax(base.iter().map(|base| sharpness * dot(own, base)));
    let mut mean = vec![0.0; own.len()];
    for (weight, base) in weights.iter().zip(base) {
        mean.iter_mut().zip(base).for_each(|(sum, value)| *sum += weight * value);
    }
    own.iter().zip(unit(&mean)).map(|(own, mean)| (1.0 - share) * own + share * mean).collect()
}

/// `exp(value)` as shares of their sum.
pub fn softmax(values: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let greatest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = values.map(|value| exp(value - greatest)).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn row(values: &[f64]) -> Row {
    Row::of_f32(&values.iter().map(|value| *value as f32).collect::<Vec<_>>())
}
