//! Batched f32 products of two computed sides, with any strides.

use super::arch::{Arch, LANES, Lanes};
use super::disjoint::split_rows;
use super::lines::Lines;
use super::tile::{Left, Right, multiply, right_stride};
use super::transpose::transpose;
use super::{Isa, Task, Team};

/// Rows of the left side that are copied and multiplied together.
const BLOCK_ROWS: usize = 24;

/// A `[batches, heads, rows, columns]` view of a slice: element `(b, h, i, j)` lies at
/// `offset + b * batch + h * head + i * row + j * column`. Strides count values; 0 repeats.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Where element (0, 0, 0, 0) lies.
    pub offset: usize,
    /// From one batch to the next.
    pub batch: usize,
    /// From one head to the next.
    pub head: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

/// Sizes of a batched product `[rows, inner] x [inner, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Batches.
    pub batches: usize,
    /// Heads of each batch.
    pub heads: usize,
    /// Rows of the left side and of the result.
    pub rows: usize,
    /// Columns of the left side, rows of the right.
    pub inner: usize,
    /// Columns of the right side and of the result.
    pub columns: usize,
}

/// One matrix of a [`View`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> View<'a> {
    /// # Panics
    /// Where an element of these sizes lies outside the data.
    pub(super) fn assert_holds(&self, sizes: [usize; 4]) {
        if sizes.contains(&0) {
            return;
        }
        let strides = [self.batch, self.head, self.row, self.column];
        let last = sizes.iter().zip(strides).try_fold(self.offset, |last, (size, stride)| {
            (size - 1).checked_mul(stride)?.checked_add(last)
        });
        let holds = last.is_some_and(|last| last < self.data.len());
        assert!(holds, "a view of sizes {sizes:?}, strides {strides:?}, beyond its data");
    }

    /// The matrix of a batch and a head.
    pub(super) fn matrix(&self, batch: usize, head: usize) -> Matrix<'a> {
        let start = self.offset + batch * self.batch + head * self.head;
        let data = self.data.get(start..).unwrap_or_default();
        Matrix { data, row: self.row, column: self.column }
    }
}

impl Matrix<'_> {
    /// Copies the start of a row into `out`, each value times `factor`.
    #[inline(always)]
    pub(super) fn copy_row<A: Arch>(self, arch: A, row: usize, factor: f32, out: &mut [f32]) {
        if out.is_empty() {
            return;
        }
        let values = &self.data[row * self.row..];
        match self.column {
            0 => out.fill(values[0] * factor),
            1 => scaled_copy(arch, &values[..out.len()], factor, out),
            column => {
                for (out, value) in out.iter_mut().zip(values.iter().step_by(column)) {
                    *out = value * factor;
                }
            }
        }
    }

    /// Copies a matrix as the right side of a product, `stride` vectors to a row. Columns beyond
    /// the last are left as they are.
    #[inline(always)]
    pub(super) fn copy_right<A: Arch>(
        self,
        arch: A,
        inner: usize,
        columns: usize,
        stride: usize,
        out: &mut [[f32; LANES]],
    ) {
        if inner == 0 || columns == 0 {
            return;
        }
        if self.row == 1 && self.column != 1 {
            return self.transposed().copy_transposed(columns, inner, stride, out);
        }
        let rows = out.as_flattened_mut().chunks_exact_mut(stride * LANES);
        for (k, out) in rows.take(inner).enumerate() {
            self.copy_row(arch, k, 1.0, &mut out[..columns]);
        }
    }

    /// Copies rows of contiguous values to columns.
    #[inline(always)]
    fn copy_transposed(self, rows: usize, columns: usize, stride: usize, out: &mut [[f32; LANES]]) {
        let out = out.as_flattened_mut();
        let fours = rows / 4 * 4;
        for first in (0..fours).step_by(4) {
            let mut sources = [&[][..]; 4];
            for (i, source) in sources.iter_mut().enumerate() {
                *source = &self.data[(first + i) * self.row..][..columns];
            }
            let places = out[first..].chunks_mut(stride * LANES);
            four_columns(sources, places);
        }
        for row in fours..rows {
            let source = &self.data[row * self.row..][..columns];
            for (out, value) in out[row..].iter_mut().step_by(stride * LANES).zip(source) {
                *out = *value;
            }
        }
    }

    /// Rows for columns.
    pub(super) fn transposed(self) -> Self {
        Self { data: self.data, row: self.column, column: self.row }
    }
}

/// Writes four rows of one length as the first four values of places.
#[inline(always)]
fn four_columns<'a>(sources: [&[f32]; 4], mut places: impl Iterator<Item = &'a mut [f32]>) {
    let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = sources.map(<[f32]>::as_chunks::<4>);
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        for (column, place) in transpose([a, b, c, d]).iter().zip(&mut places) {
            place[..4].copy_from_slice(column);
        }
    }
    for (((a, b), c), d) in a_rest.iter().zip(b_rest).zip(c_rest).zip(d_rest) {
        if let Some(place) = places.next() {
            place[..4].copy_from_slice(&[*a, *b, *c, *d]);
        }
    }
}

/// `out = values * factor`
#[inline(always)]
pub(super) fn scaled_copy<A: Arch>(arch: A, values: &[f32], factor: f32, out: &mut [f32]) {
    let (value_chunks, value_rest) = values.as_chunks::<LANES>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<LANES>();
    let lanes = arch.splat(factor);
    for (out, values) in out_chunks.iter_mut().zip(value_chunks) {
        arch.load(values).mul(lanes).store(out);
    }
    for (out, value) in out_rest.iter_mut().zip(value_rest) {
        *out = value * factor;
    }
}

/// `a x b` for each batch and head; `out` is `[batches, heads, rows, columns]`. Each result is one
/// chain of fused multiply-adds from 0, in ascending order of the inner index.
///
/// # Panics
/// Where the sizes lead beyond the data of a view, or `out` has another size.
pub fn matmul(isa: Isa, team: &Team, a: View<'_>, b: View<'_>, sizes: Sizes, out: &mut [f32]) {
    let Sizes { batches, heads, rows, inner, columns } = sizes;
    a.assert_holds([batches, heads, rows, inner]);
    b.assert_holds([batches, heads, inner, columns]);
    assert_eq!(out.len(), batches * heads * rows * columns, "the size of the result");
    split_rows(team, out, rows * columns, 1, |part, out| {
        isa.run(Products { a, b, sizes, first: part.start, out });
    });
}

/// Products of some batches and heads, the first of which is number `first`.
struct Products<'a> {
    a: View<'a>,
    b: View<'a>,
    sizes: Sizes,
    first: usize,
    out: &'a mut [f32],
}

impl Task for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let Sizes { heads, rows, inner, columns, .. } = self.sizes;
        let mut scratch = Scratch::new(rows, inner, columns);
        for (i, out) in self.out.chunks_exact_mut(rows * columns).enumerate() {
            let (batch, head) = ((self.first + i) / heads, (self.first + i) % heads);
            let a = self.a.matrix(batch, head);
            let b = self.b.matrix(batch, head);
            scratch.product(arch, a, b, columns, out);
        }
    }
}

/// Copies of both sides and a block of the result, padded to full vectors.
struct Scratch {
    inner: usize,
    stride: usize,
    left: Vec<f32>,
    right: Lines,
    block: Lines,
}

impl Scratch {
    fn new(rows: usize, inner: usize, columns: usize) -> Self {
        let (stride, block_rows) = (right_stride(columns), rows.min(BLOCK_ROWS));
        Self {
            inner,
            stride,
            left: vec![0.0; block_rows * inner],
            right: Lines::zeros(inner * stride),
            block: Lines::zeros(block_rows * stride),
        }
    }

    #[inline(always)]
    fn product<A: Arch>(
        &mut self,
        arch: A,
        a: Matrix<'_>,
        b: Matrix<'_>,
        columns: usize,
        out: &mut [f32],
    ) {
        let (inner, stride) = (self.inner, self.stride);
        b.copy_right(arch, inner, columns, stride, &mut self.right);
        let vectors = columns.div_ceil(LANES);
        let right = Right { values: &self.right, stride, vectors };
        for (i, out) in out.chunks_mut(BLOCK_ROWS * columns).enumerate() {
            let rows = out.len() / columns;
            for r in 0..rows {
                let left = &mut self.left[r * inner..][..inner];
                a.copy_row(arch, i * BLOCK_ROWS + r, 1.0, left);
            }
            let left = Left { values: &self.left, stride: inner, rows, inner };
            multiply(arch, left, right, &mut self.block, stride);
            for (out, block) in out.chunks_exact_mut(columns).zip(self.block.chunks(stride)) {
                out.copy_from_slice(&block.as_flattened()[..columns]);
            }
        }
    }
}
