//! The centroid nearest to an embedding, by the largest dot product.

use pairgate_kernels::matmul::{Sizes, View, matmul};
use pairgate_kernels::{Isa, Team};

/// Centroids that are multiplied together, so that their products fit a core's cache.
const BLOCK: usize = 512;

/// Centroids, and which of them are targets.
#[derive(Debug, Clone)]
pub struct Centroids {
    size: usize,
    values: Vec<f32>,
    is_target: Vec<bool>,
}

impl Centroids {
    /// Centroids of `size` values each, one after the other; `targets` are places among them.
    ///
    /// # Errors
    /// What is wrong: no centroid, or a target that is none.
    pub fn new(size: usize, values: Vec<f32>, targets: &[i64]) -> Result<Self, String> {
        if size == 0 || values.is_empty() || !values.len().is_multiple_of(size) {
            return Err("there is no centroid".into());
        }
        let count = values.len() / size;
        let mut is_target = vec![false; count];
        for &target in targets {
            let place = usize::try_from(target).ok().filter(|&place| place < count);
            let place = place.ok_or_else(|| {
                format!("target {target} is none of the {count} centroids, 0 to {}", count - 1)
            })?;
            is_target[place] = true;
        }
        Ok(Self { size, values, is_target })
    }

    /// Values of each.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether the nearest centroid of each embedding is a target. `embeddings` are `[N, size]`.
    pub fn near_target(&self, embeddings: &[f32]) -> Vec<bool> {
        self.nearest(embeddings).into_iter().map(|place| self.is_target[place]).collect()
    }

    /// The place of the largest product with each embedding: of equal ones the first, and a NaN is
    /// larger than all, as for `torch.argmax`.
    pub fn nearest(&self, embeddings: &[f32]) -> Vec<usize> {
        let rows = embeddings.len() / self.size;
        let mut best = vec![(f32::NEG_INFINITY, 0); rows];
        let mut products = vec![0.0; rows * BLOCK];
        for (block, centroids) in self.values.chunks(BLOCK * self.size).enumerate() {
            let columns = centroids.len() / self.size;
            let products = &mut products[..rows * columns];
            self.multiply(embeddings, centroids, Sizes { rows, columns, ..self.sizes() }, products);
            for (best, products) in best.iter_mut().zip(products.chunks_exact(columns)) {
                for (place, &product) in products.iter().enumerate() {
                    if !best.0.is_nan() && (product > best.0 || product.is_nan()) {
                        *best = (product, block * BLOCK + place);
                    }
                }
            }
        }
        best.into_iter().map(|(_, place)| place).collect()
    }

    fn sizes(&self) -> Sizes {
        Sizes { batches: 1, heads: 1, rows: 0, inner: self.size, columns: 0 }
    }

    fn multiply(&self, embeddings: &[f32], centroids: &[f32], sizes: Sizes, out: &mut [f32]) {
        let view = |data, row, column| View { data, offset: 0, batch: 0, head: 0, row, column };
        let (left, right) = (view(embeddings, self.size, 1), view(centroids, 1, self.size));
        matmul(Isa::chosen(), &Team::ALONE, left, right, sizes, out);
    }
}
