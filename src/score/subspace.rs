//! Unsafe concepts as a subspace: how much of an embedding lies in the span of phrases' embeddings.

use super::array::{Array, Arrays, StateError, Values};
use super::numeric::{dot, norm, sqrt};
use super::{Measure, Row, Scored};

/// A phrase of which less than this share is new adds no direction.
const NEW: f64 = 1e-6;

/// The length of an embedding's part within the span, the greater one of picture and caption.
///
/// CLIP embeddings of one modality share a large mean, which lies in nearly any span. So each modality's mean
/// over a pool is subtracted first, from the phrases that of captions.
#[derive(Debug, Clone, PartialEq)]
pub struct Subspace {
    image_mean: Vec<f32>,
    text_mean: Vec<f32>,
    /// Orthonormal, `[rank, dimension]`.
    basis: Vec<f32>,
}

impl Subspace {
    /// From the phrases' embeddings and the means of a pool's pictures and captions; `None` where the
    /// phrases leave no direction.
    pub fn fit(
        phrases: impl IntoIterator<Item = Row>,
        image_mean: &[f32],
        text_mean: &[f32],
    ) -> Option<Self> {
        let phrases = phrases.into_iter().map(|phrase| less(&phrase.values(), text_mean));
        let basis = orthonormal(phrases.collect());
        let basis: Vec<f32> = basis.iter().flatten().map(|value| *value as f32).collect();
        let (image_mean, text_mean) = (image_mean.to_vec(), text_mean.to_vec());
        (!basis.is_empty()).then_some(Self { image_mean, text_mean, basis })
    }

    /// Directions of the span.
    pub fn rank(&self) -> usize {
        self.basis.len() / self.image_mean.len().max(1)
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        vec![
            Array::list("image_mean", Values::F32(self.image_mean.clone())),
            Array::list("text_mean", Values::F32(self.text_mean.clone())),
            Array::rows("basis", self.image_mean.len(), Values::F32(self.basis.clone())),
        ]
    }

    /// The state that arrays hold.
    ///
    /// # Errors
    /// [`StateError`] if they hold none for embeddings of `dimension` values.
    pub fn from_arrays(arrays: &[Array], dimension: usize) -> Result<Self, StateError> {
        let arrays = Arrays(arrays);
        let image_mean = arrays.finite("image_mean", &[dimension])?.to_vec();
        let text_mean = arrays.finite("text_mean", &[dimension])?.to_vec();
        let basis = arrays.finite("basis", &[0, dimension])?.to_vec();
        let rank = basis.len() / dimension.max(1);
        if rank == 0 || rank > dimension {
            return Err(StateError::value("basis", format!("{rank} directions of {dimension}")));
        }
        Ok(Self { image_mean, text_mean, basis })
    }

    fn part(&self, embedding: &Row, mean: &[f32]) -> f64 {
        let rest = less(&embedding.values(), mean);
        length_within(&rest, self.basis.chunks_exact(mean.len().max(1)))
    }
}

impl Measure for Subspace {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        let image = self.part(pair.image, &self.image_mean);
        image.max(self.part(pair.text, &self.text_mean)) as f32
    }
}

/// The mean of embeddings, added in their order in f64; `None` where there is none.
pub fn mean(embeddings: impl IntoIterator<Item = Row>) -> Option<Vec<f32>> {
    let (mut sums, mut count) = (Vec::<f64>::new(), 0u64);
    for embedding in embeddings {
        let values = embedding.values();
        sums.resize(values.len(), 0.0);
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        count += 1;
    }
    (count > 0).then(|| sums.iter().map(|sum| (sum / count as f64) as f32).collect())
}

/// An orthonormal basis of what the vectors span: Gram-Schmidt, at each step the vector of which most is
/// left, and each made orthogonal twice, so that rounding leaves nothing.
pub fn orthonormal(mut vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let longest = vectors.iter().map(|vector| norm(vector)).fold(0.0, f64::max);
    let mut basis: Vec<Vec<f64>> = Vec::new();
    while let Some(at) = last_longest(&vectors) {
        let mut vector = vectors.swap_remove(at);
        for _ in 0..2 {
            basis.iter().for_each(|direction| remove(&mut vector, direction));
        }
        let length = norm(&vector);
        if length <= NEW * longest {
            break;
        }
        vector.iter_mut().for_each(|value| *value /= length);
        vectors.iter_mut().for_each(|other| remove(other, &vector));
        basis.push(vector);
    }
    basis
}

/// The length of a vector's projection on an orthonormal basis.
pub fn length_within<'a, T: Copy + Into<f64> + 'a>(
    vector: &[f64],
    basis: impl Iterator<Item = &'a [T]>,
) -> f64 {
    let squares = basis.map(|direction| dot(direction, vector)).map(|part| part * part);
    sqrt(squares.sum())
}

fn last_longest(vectors: &[Vec<f64>]) -> Option<usize> {
    let lengths = vectors.iter().map(|vector| norm(vector)).enumerate();
    lengths.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
}

fn remove(vector: &mut [f64], direction: &[f64]) {
    let part = dot(direction, vector);
    vector.iter_mut().zip(direction).for_each(|(value, along)| *value -= part * along);
}

fn less(values: &[f64], mean: &[f32]) -> Vec<f64> {
    values.iter().zip(mean).map(|(value, mean)| value - f64::from(*mean)).collect()
}
