//! Weights as int8 codes, in the order in which tiles read them.
//!
//! A matrix of K rows and N columns, whose rows come in segments of one length, is cut in panels of
//! 64 columns. A panel holds, in this order,
//!
//! ```text
//! [segment][unit][block of 16 columns][column 0..16][UNIT codes]
//! ```
//!
//! where a unit is `UNIT` rows ([`Arch::UNIT`](super::arch::Arch::UNIT)) of one segment. Segments
//! are filled up to whole units with zeros. The last panel has as many blocks as its columns need,
//! and its last block is filled up with zeros too.

use super::arch::{LANES, TILE_COLUMNS};

/// Codes that lie on one cache line.
const LINE: usize = 64;

/// One cache line of codes.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([i8; LINE]);

/// Weights of a product or a convolution: code times the scale of its column.
#[derive(Clone)]
pub struct PackedWeights {
    unit: usize,
    segments: usize,
    segment_length: usize,
    columns: usize,
    lines: Vec<Line>,
    /// Of each column, zeros up to a whole block.
    scales: Vec<f32>,
    /// Of each column, zeros up to a whole block.
    sums: Vec<i32>,
}

/// A panel of weights: up to 64 columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel<'a> {
    /// Its first column.
    pub first: usize,
    /// Blocks of 16 columns, 1 to 4.
    pub blocks: usize,
    /// Its codes, on a 64-byte boundary.
    pub weights: *const i8,
    /// Scales of its columns, 16 to a block.
    pub scales: &'a [[f32; LANES]],
    /// Sums of its columns' codes, 16 to a block.
    pub sums: &'a [[i32; LANES]],
}

impl PackedWeights {
    /// Packs codes for sets whose [`Arch::UNIT`](super::arch::Arch::UNIT) is `unit`, 4 or 8.
    ///
    /// There are `segments * segment_length` rows, and a column for each of `scales`. The weight
    /// of row `k = segment * segment_length + i` and column `n` is `code(k, n) * scales[n]`.
    ///
    /// # Panics
    /// If `unit` is neither 4 nor 8.
    pub fn pack(
        unit: usize,
        segments: usize,
        segment_length: usize,
        mut scales: Vec<f32>,
        code: impl Fn(usize, usize) -> i8,
    ) -> Self {
        let columns = scales.len();
        scales.resize(columns.next_multiple_of(LANES), 0.0);
        let sums = vec![0; scales.len()];
        let lines = Vec::new();
        let mut packed = Self { unit, segments, segment_length, columns, lines, scales, sums };
        match unit {
            4 => packed.fill::<4>(code),
            8 => packed.fill::<8>(code),
            _ => panic!("units have 4 or 8 codes, not {unit}"),
        }
        packed
    }

    /// Quantizes weights and packs them. The scale of a column is its greatest magnitude divided by
    /// 127 (1 where all are zero), its codes are -127 to 127, rounded to nearest even.
    ///
    /// # Panics
    /// If `unit` is neither 4 nor 8.
    pub fn quantized(
        unit: usize,
        segments: usize,
        segment_length: usize,
        columns: usize,
        weight: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let mut scales = vec![0f32; columns];
        for k in 0..segments * segment_length {
            for (n, scale) in scales.iter_mut().enumerate() {
                *scale = scale.max(weight(k, n).abs());
            }
        }
        for scale in &mut scales {
            *scale = if *scale > 0.0 { *scale / 127.0 } else { 1.0 };
        }
        let steps = scales.clone();
        Self::pack(unit, segments, segment_length, scales, |k, n| {
            (weight(k, n) / steps[n]).round_ties_even() as i8
        })
    }

    /// Writes all codes and their sums.
    fn fill<const UNIT: usize>(&mut self, code: impl Fn(usize, usize) -> i8) {
        self.lines.reserve_exact(self.depth() * self.scales.len() / LINE);
        let per_line = LINE / UNIT;
        for first in (0..self.columns).step_by(TILE_COLUMNS) {
            let end = (first + TILE_COLUMNS).min(self.scales.len());
            for start in (0..self.rows()).step_by(self.segment_length.max(1)) {
                let stop = start + self.segment_length;
                for k in (start..stop).step_by(UNIT) {
                    for n in (first..end).step_by(per_line) {
                        let line = if k + UNIT <= stop && n + per_line <= self.columns {
                            line::<UNIT>(k, n, &code)
                        } else {
                            let here = |k, n| k < stop && n < self.columns;
                            line::<UNIT>(k, n, |k, n| if here(k, n) { code(k, n) } else { 0 })
                        };
                        self.push::<UNIT>(n, line);
                    }
                }
            }
        }
    }

    /// Adds a line of columns from `n` on.
    #[inline(always)]
    fn push<const UNIT: usize>(&mut self, n: usize, line: Line) {
        let columns = line.0.as_chunks::<UNIT>().0;
        for (sum, column) in self.sums[n..].iter_mut().zip(columns) {
            *sum += column.iter().map(|code| i32::from(*code)).sum::<i32>();
        }
        self.lines.push(line);
    }

    /// K: rows of the matrix.
    pub fn rows(&self) -> usize {
        self.segments * self.segment_length
    }

    /// N: columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Segments that the rows come in.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Rows of each segment.
    pub fn segment_length(&self) -> usize {
        self.segment_length
    }

    /// The unit that they are packed for.
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// The scale of each column.
    pub fn scales(&self) -> &[f32] {
        &self.scales[..self.columns]
    }

    /// The sum of each column's codes.
    pub fn column_sums(&self) -> &[i32] {
        &self.sums[..self.columns]
    }

    /// Bytes that all of it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice()) + 8 * self.scales.len() + size_of::<Self>()
    }

    /// The code of row `k` and column `n`.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn code(&self, k: usize, n: usize) -> i8 {
        assert!(k < self.rows() && n < self.columns, "no row {k} or no column {n}");
        let (segment, i) = (k / self.segment_length, k % self.segment_length);
        let unit = segment * self.units() + i / self.unit;
        let first = n - n % TILE_COLUMNS;
        let wide = (self.scales.len() - first).min(TILE_COLUMNS);
        let at = self.depth() * first + (unit * wide + n - first) * self.unit + i % self.unit;
        self.lines[at / LINE].0[at % LINE]
    }

    /// Units of each segment.
    pub(super) fn units(&self) -> usize {
        self.segment_length.div_ceil(self.unit)
    }

    /// Codes of a column with the zeros between segments.
    pub(super) fn depth(&self) -> usize {
        self.segments * self.units() * self.unit
    }

    /// How many panels there are.
    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(TILE_COLUMNS)
    }

    /// A panel.
    #[inline(always)]
    pub(super) fn panel(&self, place: usize) -> Panel<'_> {
        let first = place * TILE_COLUMNS;
        let end = (first + TILE_COLUMNS).min(self.scales.len());
        Panel {
            first,
            blocks: (end - first) / LANES,
            weights: self.lines[self.depth() * first / LINE..].as_ptr().cast(),
            scales: self.scales[first..end].as_chunks().0,
            sums: self.sums[first..end].as_chunks().0,
        }
    }
}

/// The codes of `UNIT` rows from `k` on, of as many columns from `n` on as a line has.
#[inline(always)]
fn line<const UNIT: usize>(k: usize, n: usize, code: impl Fn(usize, usize) -> i8) -> Line {
    let mut line = Line([0; LINE]);
    for (n, column) in (n..).zip(line.0.as_chunks_mut::<UNIT>().0) {
        for (k, place) in (k..).zip(column) {
            *place = code(k, n);
        }
    }
    line
}

impl std::fmt::Debug for PackedWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedWeights")
            .field("rows", &self.rows())
            .field("columns", &self.columns)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}
