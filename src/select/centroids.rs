//! The centroid that an embedding is nearest to, by exact integer products.

use std::fmt;
use std::ops::Range;

use pairgate_kernels::product::Sums;
use pairgate_kernels::{Isa, PackedWeights, Team};

use crate::score::{Row, Rows};

/// Rows that are multiplied together: their products stay in a core's cache.
const BLOCK: usize = 128;
/// Values that are compared side by side.
const SIDE: usize = 16;

/// Centroids of unit length in int8, and the same in the order in which products read them.
pub struct Centroids {
    rows: Rows,
    packed: PackedWeights,
}

/// Where an embedding lies among centroids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// The nearest centroid's place; of equal ones the first.
    pub place: u32,
    /// The cosine to it, about.
    pub similarity: f32,
}

impl Nearest {
    /// 1 - cosine, at least 0.
    pub fn distance(self) -> f32 {
        distance(self.similarity)
    }
}

/// 1 - cosine, at least 0: what rounding makes less than that is 0.
pub fn distance(similarity: f32) -> f32 {
    (1.0 - similarity).max(0.0)
}

impl fmt::Debug for Centroids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Centroids").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl Clone for Centroids {
    fn clone(&self) -> Self {
        Self::new(self.rows.clone())
    }
}

impl PartialEq for Centroids {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Centroids {
    /// Centroids of these rows, at least one.
    pub fn new(rows: Rows) -> Self {
        let (dimension, codes) = (rows.dimension(), rows.codes());
        let code = |value: usize, row: usize| codes[row * dimension + value];
        let scales = rows.scales().to_vec();
        let packed = PackedWeights::pack(Isa::chosen().unit(), 1, dimension, scales, code);
        Self { rows, packed }
    }

    /// The rows that they were made of.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes that they take.
    pub fn memory(&self) -> u64 {
        (self.rows.codes().len() + 4 * self.rows.len() + self.packed.bytes()) as u64
    }

    /// The nearest centroid of each row, in their order; the same for any team.
    pub fn nearest(&self, rows: &Rows, team: &Team) -> Vec<Nearest> {
        let all = std::sync::Mutex::new(Vec::new());
        team.split(rows.len(), BLOCK, |range| {
            let part = self.nearest_of(rows, range.clone());
            let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            all.push((range.start, part));
        });
        let mut parts = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        parts.sort_by_key(|(start, _)| *start);
        parts.into_iter().flat_map(|(_, part)| part).collect()
    }

    fn nearest_of(&self, rows: &Rows, range: Range<usize>) -> Vec<Nearest> {
        let dimension = rows.dimension();
        let mut nearest = Vec::with_capacity(range.len());
        let mut codes = Vec::new();
        for start in range.clone().step_by(BLOCK) {
            let count = BLOCK.min(range.end - start);
            let sums = self.products(&rows.codes()[start * dimension..], count, &mut codes);
            for (sums, scale) in sums.chunks_exact(self.len()).zip(&rows.scales()[start..]) {
                let (place, value) = self.greatest(sums);
                nearest.push(Nearest { place: place as u32, similarity: value * scale });
            }
        }
        nearest
    }

    /// The nearest of one row, and the second nearest, which is the same where there is one alone.
    pub fn two_nearest(&self, row: &Row) -> [Nearest; 2] {
        let sums = self.products(row.codes(), 1, &mut Vec::new());
        let (first, value) = self.greatest(&sums);
        let mut second = (first, f32::NEG_INFINITY);
        for (place, value) in self.values(&sums).enumerate() {
            if place != first && value > second.1 {
                second = (place, value);
            }
        }
        let of = |(place, value): (usize, f32)| Nearest {
            place: place as u32,
            similarity: value * row.scale(),
        };
        match self.len() {
            1 => [of((first, value)); 2],
            _ => [of((first, value)), of(second)],
        }
    }

    /// The nearest of one row.
    pub fn nearest_to(&self, row: &Row) -> Nearest {
        let sums = self.products(row.codes(), 1, &mut Vec::new());
        let (place, value) = self.greatest(&sums);
        Nearest { place: place as u32, similarity: value * row.scale() }
    }

    /// The products of `count` rows of codes with every centroid, `[count, len]`, each plus 128 times the
    /// centroid's sum: the kernel takes codes of 0 to 255.
    fn products(&self, codes: &[i8], count: usize, unsigned: &mut Vec<u8>) -> Vec<i32> {
        let dimension = self.rows.dimension();
        // Rows are filled up to whole units, where the centroids have zeros.
        let depth = dimension.next_multiple_of(self.packed.unit());
        unsigned.clear();
        unsigned.resize(count * depth, 0);
        let rows = codes.chunks_exact(dimension).zip(unsigned.chunks_exact_mut(depth));
        for (row, unsigned) in rows.take(count) {
            for (code, unsigned) in row.iter().zip(unsigned) {
                *unsigned = (*code as u8) ^ 0x80;
            }
        }
        Isa::chosen().run(Sums { codes: unsigned, rows: count, weights: &self.packed })
    }

    /// The values that are compared: products times the centroid's scale.
    fn values<'a>(&'a self, sums: &'a [i32]) -> impl Iterator<Item = f32> + 'a {
        let columns = self.packed.column_sums().iter().zip(self.rows.scales());
        sums.iter().zip(columns).map(|(sum, (column, scale))| value(*sum, *column, *scale))
    }

    /// The place of the greatest value, of equal ones the first, and the value.
    fn greatest(&self, sums: &[i32]) -> (usize, f32) {
        let (columns, scales) = (self.packed.column_sums(), self.rows.scales());
        let count = sums.len();
        // Side by side, which compilers turn into vectors; then the place of what was found.
        let mut lanes = [f32::NEG_INFINITY; SIDE];
        let blocks = count / SIDE * SIDE;
        for start in (0..blocks).step_by(SIDE) {
            let (sums, columns) = (&sums[start..][..SIDE], &columns[start..][..SIDE]);
            let scales = &scales[start..][..SIDE];
            for lane in 0..SIDE {
                let value = value(sums[lane], columns[lane], scales[lane]);
                lanes[lane] = if value > lanes[lane] { value } else { lanes[lane] };
            }
        }
        let mut greatest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
        for place in blocks..count {
            greatest = greatest.max(value(sums[place], columns[place], scales[place]));
        }
        let place = self.values(sums).position(|value| value >= greatest);
        (place.unwrap_or(0), greatest)
    }
}

fn value(sum: i32, column_sum: i32, scale: f32) -> f32 {
    (sum - 128 * column_sum) as f32 * scale
}
