//! NormSim and VAS: how much a picture is like the pictures of a target.

use super::array::{Array, Arrays, StateError, Values};
use super::numeric::{dot, sqrt};
use super::{Measure, Row, Rows, Scored};

/// How the cosines with the targets are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetNorm {
    /// NormSim-2: the root of the sum of their squares.
    Two,
    /// VAS: the sum of their squares.
    Squares,
    /// NormSim-infinity: the greatest magnitude.
    Infinity,
}

impl TargetNorm {
    const ALL: [(&str, Self); 3] =
        [("two", Self::Two), ("squares", Self::Squares), ("infinity", Self::Infinity)];

    /// Its name in a state.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, norm)| *norm == self).map_or("", |(name, _)| name)
    }

    /// The norm of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, norm)| norm)
    }
}

/// What of the targets is kept.
#[derive(Debug, Clone, PartialEq)]
enum Kept {
    /// The sum over targets of `g g'`, `[dimension, dimension]`: squares do not need more.
    Moments { dimension: usize, moments: Vec<f32> },
    /// Each target, or the centres of clusters of them.
    Each(Rows),
}

/// The norm of a picture's cosines with targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    norm: TargetNorm,
    kept: Kept,
}

impl Targets {
    /// From the pictures' embeddings of the targets; `None` where there is none.
    pub fn fit(targets: impl IntoIterator<Item = Row>, norm: TargetNorm) -> Option<Self> {
        let mut targets = targets.into_iter().peekable();
        let dimension = targets.peek()?.codes().len();
        let kept = match norm {
            TargetNorm::Infinity => {
                let mut rows = Rows::new(dimension);
                targets.for_each(|target| rows.push(&target));
                Kept::Each(rows)
            }
            TargetNorm::Two | TargetNorm::Squares => {
                Kept::Moments { dimension, moments: moments(dimension, targets) }
            }
        };
        Some(Self { norm, kept })
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        let norm = Array::list("norm", Values::Text(vec![self.norm.name().to_owned()]));
        let mut arrays = vec![norm];
        match &self.kept {
            Kept::Moments { dimension, moments } => {
                arrays.push(Array::rows("moments", *dimension, Values::F32(moments.clone())));
            }
            Kept::Each(rows) => arrays.extend(Array::embeddings("targets", rows)),
        }
        arrays
    }

    /// The state that arrays hold.
    ///
    /// # Errors
    /// [`StateError`] if they hold none for embeddings of `dimension` values.
    pub fn from_arrays(arrays: &[Array], dimension: usize) -> Result<Self, StateError> {
        let arrays = Arrays(arrays);
        let name = &arrays.texts("norm", &[1])?[0];
        let unknown = || StateError::value("norm", format!("{name:?} is no norm"));
        let norm = TargetNorm::by_name(name).ok_or_else(unknown)?;
        let kept = match norm {
            TargetNorm::Infinity => Kept::Each(arrays.rows("targets", dimension)?),
            TargetNorm::Two | TargetNorm::Squares => {
                let moments = arrays.finite("moments", &[dimension, dimension])?.to_vec();
                Kept::Moments { dimension, moments }
            }
        };
        Ok(Self { norm, kept })
    }

    /// The norm for a picture's embedding.
    pub fn of(&self, image: &Row) -> f32 {
        match &self.kept {
            Kept::Each(rows) => rows.dots(image).map(f32::abs).fold(0.0, f32::max),
            Kept::Moments { dimension, moments } => {
                let image = image.values();
                let rows = moments.chunks_exact((*dimension).max(1));
                let products: Vec<f64> = rows.map(|row| dot(row, &image)).collect();
                // Rounding may make a sum of squares a little less than 0.
                let squares = dot(&products, &image).max(0.0);
                let is_root = self.norm == TargetNorm::Two;
                (if is_root { sqrt(squares) } else { squares }) as f32
            }
        }
    }
}

impl Measure for Targets {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        self.of(pair.image)
    }
}

/// The sum of `g g'`, added in the targets' order in f64: products of codes are exact.
fn moments(dimension: usize, targets: impl Iterator<Item = Row>) -> Vec<f32> {
    let mut sums = vec![0.0; dimension * dimension];
    for target in targets {
        let square = f64::from(target.scale()) * f64::from(target.scale());
        let codes = target.codes();
        for (a, row) in codes.iter().zip(sums.chunks_exact_mut(dimension.max(1))) {
            let a = f64::from(*a) * square;
            for (sum, b) in row.iter_mut().zip(codes) {
                *sum += a * f64::from(*b);
            }
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}
