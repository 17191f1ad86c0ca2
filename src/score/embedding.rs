//! Embeddings as they are recorded, in 16 bits, and as scorers take them, in int8 with a scale a row.

use half::f16;
use pairgate_kernels::Isa;
use pairgate_kernels::dots::dots;

/// Greatest code of a row, in magnitude.
const GREATEST: f32 = 127.0;

/// Both embeddings of a pair, as they are recorded: whoever uses them, offline or in a stream, uses these.
#[derive(Debug, Clone, PartialEq)]
pub struct PairEmbeddings {
    /// The picture's, `[embedding_size]`, of about unit length.
    pub image: Box<[f16]>,
    /// The caption's, `[embedding_size]`, of about unit length.
    pub text: Box<[f16]>,
}

impl PairEmbeddings {
    /// Rounds a model's embeddings, to the nearest, halves to even.
    pub fn of(image: &[f32], text: &[f32]) -> Self {
        Self { image: rounded(image), text: rounded(text) }
    }
}

fn rounded(values: &[f32]) -> Box<[f16]> {
    values.iter().map(|value| f16::from_f32(*value)).collect()
}

/// An embedding in int8: a value is its code times the scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    codes: Box<[i8]>,
    scale: f32,
}

impl Row {
    /// Quantizes recorded values: the scale is their greatest magnitude / 127, and 0 where all are 0 or one
    /// is no number; a code is the nearest to its value, halves to even.
    pub fn of(values: &[f16]) -> Self {
        Self::quantized(values.iter().map(|value| value.to_f32()))
    }

    /// The same of values that were computed, such as a centroid's.
    pub fn of_f32(values: &[f32]) -> Self {
        Self::quantized(values.iter().copied())
    }

    fn quantized(values: impl Iterator<Item = f32> + Clone) -> Self {
        let greatest = values.clone().map(f32::abs).fold(0.0, f32::max);
        let scale = greatest / GREATEST;
        let is_good = scale > 0.0 && scale.is_finite() && values.clone().all(f32::is_finite);
        let (scale, inverse) = if is_good { (scale, GREATEST / greatest) } else { (0.0, 0.0) };
        // A cast of what is no number is 0.
        let codes = values.map(|value| (value * inverse).round_ties_even() as i8).collect();
        Self { codes, scale }
    }

    /// A row of these codes, -127 to 127.
    pub fn from_parts(codes: Box<[i8]>, scale: f32) -> Self {
        Self { codes, scale }
    }

    /// The codes, -127 to 127.
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// What a code of 1 stands for.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The values that the codes stand for, exact in f64.
    pub fn values(&self) -> Vec<f64> {
        let scale = f64::from(self.scale);
        self.codes.iter().map(|code| f64::from(*code) * scale).collect()
    }

    /// The dot product with another row of the same length.
    pub fn dot(&self, other: &Self) -> f32 {
        product(&self.codes, &other.codes) as f32 * (self.scale * other.scale)
    }
}

/// Rows of one length, one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    dimension: usize,
    /// `[rows, dimension]`.
    codes: Vec<i8>,
    /// `[rows]`.
    scales: Vec<f32>,
}

impl Rows {
    /// No row yet, each of `dimension` values.
    pub fn new(dimension: usize) -> Self {
        Self { dimension, ..Self::default() }
    }

    /// Rows of `codes`, `[scales.len(), dimension]`; `None` where their numbers do not agree.
    pub fn from_parts(dimension: usize, codes: Vec<i8>, scales: Vec<f32>) -> Option<Self> {
        let agrees = scales.len().checked_mul(dimension) == Some(codes.len());
        agrees.then_some(Self { dimension, codes, scales })
    }

    /// Adds a row of this length.
    pub fn push(&mut self, row: &Row) {
        debug_assert_eq!(row.codes.len(), self.dimension);
        self.codes.extend_from_slice(&row.codes);
        self.scales.push(row.scale);
    }

    /// Puts `row` in the place of another.
    pub fn replace(&mut self, place: usize, row: &Row) {
        self.codes[place * self.dimension..][..self.dimension].copy_from_slice(&row.codes);
        self.scales[place] = row.scale;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Values a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// All codes, `[len, dimension]`.
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// All scales, `[len]`.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The codes of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn codes_of(&self, place: usize) -> &[i8] {
        &self.codes[place * self.dimension..][..self.dimension]
    }

    /// The row at a place.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, place: usize) -> Row {
        Row { codes: self.codes_of(place).into(), scale: self.scales[place] }
    }

    /// The dot products of `row` with each, in their order: exact sums of the codes' products, rounded to
    /// 32-bit floats and multiplied with the scales.
    pub fn dots<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = f32> + Clone + 'a {
        let mut sums = vec![0; self.len()];
        dots(Isa::chosen(), &row.codes, &self.codes, &mut sums);
        sums.into_iter().zip(&self.scales).map(move |(sum, scale)| sum as f32 * (row.scale * scale))
    }
}

/// The sum of products, exact: 2^31 / 127^2 is more values than any embedding has.
fn product(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}
