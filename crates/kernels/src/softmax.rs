//! Softmax.

use super::activation::exp_below;
use super::arch::{Arch, LANES, Lanes};
use super::disjoint::split_rows;
use super::norm::{least_rows, load_padded, scale, store_part};
use super::{Isa, Task, Team};

/// Softmax of each row of `columns` values, in place: `exp(x - max) / sum`, relative error below
/// 2e-6. Minus infinity gets 0. A row that holds NaN or plus infinity, or nothing but minus
/// infinity, becomes NaN.
///
/// # Panics
/// Where `x` is no whole number of rows.
pub fn softmax(isa: Isa, team: &Team, x: &mut [f32], columns: usize) {
    assert!(x.len().is_multiple_of(columns), "whole rows of {columns} values");
    split_rows(team, x, columns, least_rows(columns), |_, x| isa.run(Softmax { x, columns }));
}

struct Softmax<'a> {
    x: &'a mut [f32],
    columns: usize,
}

impl Task for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        for row in self.x.chunks_exact_mut(self.columns) {
            let sum = exp_of_differences(arch, row);
            scale(arch, row, sum.recip());
        }
    }
}

/// Replaces a row by `exp(x - max)`, and gives the sum of that: of value `i` in lane `i % 16`, then
/// the lanes in one tree.
#[inline(always)]
pub(super) fn exp_of_differences<A: Arch>(arch: A, x: &mut [f32]) -> f32 {
    let greatest = arch.splat(greatest(arch, x));
    let mut sum = arch.splat(0.0);
    let (x, rest) = x.as_chunks_mut::<LANES>();
    for x in x {
        let y = exp_below(arch, arch.load(x).sub(greatest));
        y.store(x);
        sum = sum.add(y);
    }
    if !rest.is_empty() {
        let y = exp_below(arch, load_padded(arch, rest, f32::NEG_INFINITY).sub(greatest));
        store_part(y, rest);
        sum = sum.add(y);
    }
    sum.sum()
}

/// The greatest value of a row; NaN or the greatest after it where there is one.
#[inline(always)]
fn greatest<A: Arch>(arch: A, x: &[f32]) -> f32 {
    let mut greatest = arch.splat(f32::NEG_INFINITY);
    let (x, rest) = x.as_chunks::<LANES>();
    for x in x {
        greatest = greatest.max(arch.load(x));
    }
    if !rest.is_empty() {
        greatest = greatest.max(load_padded(arch, rest, f32::NEG_INFINITY));
    }
    greatest.max_lane()
}

/// [`exp_of_differences`] of the first `count` values of full vectors, the last of which holds one
/// of them at least; values beyond, which must be finite, get 0. The bits are the same.
#[inline(always)]
pub(super) fn exp_of_differences_padded<A: Arch>(
    arch: A,
    x: &mut [[f32; LANES]],
    count: usize,
) -> f32 {
    if let Some(last) = x.last_mut() {
        let filled = (count + LANES - 1) % LANES + 1;
        let padding = PADDING[LANES - filled..].first_chunk().unwrap_or(&[0.0; LANES]);
        arch.load(last).add(arch.load(padding)).store(last);
    }
    exp_of_differences(arch, x.as_flattened_mut())
}

/// From place `16 - n` on: 0 for `n` lanes, then minus infinity.
const PADDING: [f32; 2 * LANES] = {
    let mut padding = [0.0; 2 * LANES];
    let mut i = LANES;
    while i < 2 * LANES {
        padding[i] = f32::NEG_INFINITY;
        i += 1;
    }
    padding
};
