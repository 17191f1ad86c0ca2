//! f32 products in tiles of registers.
//!
//! Each result is one chain of fused multiply-adds from 0 over the inner index in ascending order,
//! whatever the tile's shape: a row's bits do not depend on the rows beside it, on the number of
//! columns or on the instruction set.

use super::arch::{Arch, LANES, Lanes};

/// Rows of the tallest tile.
pub(super) const TILE_ROWS: usize = 6;
/// Vectors of sixteen columns of the widest tile.
const TILE_VECTORS: usize = 4;

/// The left side: rows of `inner` values, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a> {
    pub values: &'a [f32],
    pub stride: usize,
    pub rows: usize,
    pub inner: usize,
}

/// The right side: `inner` rows of `vectors` vectors of sixteen columns, `stride` vectors apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Right<'a> {
    pub values: &'a [[f32; LANES]],
    pub stride: usize,
    pub vectors: usize,
}

/// Vectors from one row of a right side to the next: an odd number where there are many, so that
/// the rows of a tile do not fall on the same lines of a cache.
pub(super) fn right_stride(columns: usize) -> usize {
    let vectors = columns.div_ceil(LANES);
    if vectors <= TILE_VECTORS { vectors } else { vectors | 1 }
}

/// Registers that sixteen lanes take.
pub(super) const fn registers<F>() -> usize {
    size_of::<F>() / align_of::<F>()
}

/// Writes the product: row `r`, vector `v` of the columns at `out[r * out_stride + v]`.
///
/// # Panics
/// Where a slice is too short.
#[inline(always)]
pub(super) fn multiply<A: Arch>(
    arch: A,
    left: Left<'_>,
    right: Right<'_>,
    out: &mut [[f32; LANES]],
    out_stride: usize,
) {
    let widest = if registers::<A::F>() == 1 { TILE_VECTORS } else { 1 };
    let mut vector = 0;
    while vector < right.vectors {
        let out = &mut out[vector..];
        vector += match (right.vectors - vector).min(widest) {
            4.. => columns::<_, 4>(arch, left, right, vector, out, out_stride),
            2 | 3 => columns::<_, 2>(arch, left, right, vector, out, out_stride),
            _ => columns::<_, 1>(arch, left, right, vector, out, out_stride),
        };
    }
}

/// All rows of `W` vectors of columns from `vector` on. Gives back `W`.
#[inline(always)]
fn columns<A: Arch, const W: usize>(
    arch: A,
    left: Left<'_>,
    right: Right<'_>,
    vector: usize,
    out: &mut [[f32; LANES]],
    out_stride: usize,
) -> usize {
    let mut row = 0;
    while row < left.rows {
        let out = &mut out[row * out_stride..];
        row += match left.rows - row {
            TILE_ROWS.. => tile::<_, TILE_ROWS, W>(arch, left, row, right, vector, out, out_stride),
            4 | 5 => tile::<_, 4, W>(arch, left, row, right, vector, out, out_stride),
            2 | 3 => tile::<_, 2, W>(arch, left, row, right, vector, out, out_stride),
            _ => tile::<_, 1, W>(arch, left, row, right, vector, out, out_stride),
        };
    }
    W
}

/// One tile: `R` rows from `row` on, `W` vectors from `vector` on. Gives back `R`.
#[inline(always)]
fn tile<A: Arch, const R: usize, const W: usize>(
    arch: A,
    left: Left<'_>,
    row: usize,
    right: Right<'_>,
    vector: usize,
    out: &mut [[f32; LANES]],
    out_stride: usize,
) -> usize {
    let mut rows = [left.values; R];
    for (r, row_values) in rows.iter_mut().enumerate() {
        *row_values = &left.values[(row + r) * left.stride..][..left.inner];
    }
    let right_values = right.values.get(vector..).unwrap_or_default();
    let mut sums = [[arch.splat(0.0); W]; R];
    for k in 0..left.inner {
        let (columns, _) = right_values[k * right.stride..].split_at(W);
        let mut lanes = [arch.splat(0.0); W];
        for (lanes, columns) in lanes.iter_mut().zip(columns) {
            *lanes = arch.load(columns);
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let value = arch.splat(row[k]);
            for (sum, lanes) in sums.iter_mut().zip(&lanes) {
                *sum = value.mul_add(*lanes, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (sum, out) in sums.iter().zip(&mut out[r * out_stride..][..W]) {
            sum.store(out);
        }
    }
    R
}
