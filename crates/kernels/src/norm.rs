//! Sums over rows, and what divides rows by them: LayerNorm, RMS norm, unit length, dot products.
//!
//! A sum runs in four times sixteen lanes: value `i` of a full block of 64 goes to lane `i`, what
//! is left over goes to the first lanes, and the lanes are added in one tree.

use super::arch::{Arch, LANES, Lanes};
use super::disjoint::split_rows;
use super::{Isa, Task, Team};

/// Values of a block of a sum.
const BLOCK: usize = 4 * LANES;
/// Values below which a part of a split is not worth a thread.
const LEAST_VALUES: usize = 4096;

/// LayerNorm's constants, each slice as long as a row.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// Multiplies the normalized value.
    pub gain: &'a [f32],
    /// Is added after that.
    pub bias: &'a [f32],
    /// Is added to the variance.
    pub epsilon: f32,
}

/// Up to sixteen values as lanes, and `padding` in the other lanes.
#[inline(always)]
pub(super) fn load_padded<A: Arch>(arch: A, x: &[f32], padding: f32) -> A::F {
    if let Some(x) = x.first_chunk() {
        return arch.load(x);
    }
    let mut padded = [padding; LANES];
    padded[..x.len()].copy_from_slice(x);
    arch.load(&padded)
}

/// Writes the first lanes, as many as `out` has values, at most sixteen.
#[inline(always)]
pub(super) fn store_part<F: Lanes>(x: F, out: &mut [f32]) {
    if let Some(out) = out.first_chunk_mut() {
        return x.store(out);
    }
    let mut padded = [0.0; LANES];
    x.store(&mut padded);
    out.copy_from_slice(&padded[..out.len()]);
}

/// What a sum is over.
trait Term<F>: Copy {
    /// The sum with the terms of `a` and `b` added.
    fn add_to(self, sum: F, a: F, b: F) -> F;
}

/// `a`
#[derive(Clone, Copy)]
struct Value;

/// `(a - mean)^2`
#[derive(Clone, Copy)]
struct Deviation<F> {
    mean: F,
}

/// `a * b`
#[derive(Clone, Copy)]
struct Product;

impl<F: Lanes> Term<F> for Value {
    #[inline(always)]
    fn add_to(self, sum: F, a: F, _b: F) -> F {
        sum.add(a)
    }
}

impl<F: Lanes> Term<F> for Deviation<F> {
    #[inline(always)]
    fn add_to(self, sum: F, a: F, _b: F) -> F {
        let deviation = a.sub(self.mean);
        deviation.mul_add(deviation, sum)
    }
}

impl<F: Lanes> Term<F> for Product {
    #[inline(always)]
    fn add_to(self, sum: F, a: F, b: F) -> F {
        a.mul_add(b, sum)
    }
}

/// The sum of a term over two rows of one length. `padding` is a value of `a` and `b` whose term
/// is 0.
#[inline(always)]
fn sum_of<A: Arch, T: Term<A::F>>(arch: A, term: T, a: &[f32], b: &[f32], padding: f32) -> f32 {
    assert_eq!(a.len(), b.len(), "rows of one length");
    let mut sums = [arch.splat(0.0); BLOCK / LANES];
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<BLOCK>(), b.as_chunks::<BLOCK>());
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        let ((a, _), (b, _)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum = term.add_to(*sum, arch.load(a), arch.load(b));
        }
    }
    let rest = a_rest.chunks(LANES).zip(b_rest.chunks(LANES));
    for (sum, (a, b)) in sums.iter_mut().zip(rest) {
        *sum = term.add_to(*sum, load_padded(arch, a, padding), load_padded(arch, b, padding));
    }
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum()
}

/// The sum of a row.
#[inline(always)]
pub(super) fn sum_of_row<A: Arch>(arch: A, x: &[f32]) -> f32 {
    sum_of(arch, Value, x, x, 0.0)
}

/// The mean of a row, and the mean of its squared deviations from that.
#[inline(always)]
fn moments<A: Arch>(arch: A, x: &[f32]) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum_of_row(arch, x) / count;
    let deviation = Deviation { mean: arch.splat(mean) };
    (mean, sum_of(arch, deviation, x, x, mean) / count)
}

/// LayerNorm of one row: `(x - mean) / sqrt(variance + epsilon) * gain + bias`, the variance from
/// the differences to the mean.
///
/// # Panics
/// Where the slices have not one length.
#[inline(always)]
pub fn layer_norm_row<A: Arch>(arch: A, x: &[f32], norm: Norm<'_>, out: &mut [f32]) {
    let size = x.len();
    let sizes = [norm.gain.len(), norm.bias.len(), out.len()];
    assert_eq!(sizes, [size; 3], "gain, bias and result as long as the row");
    let (mean, variance) = moments(arch, x);
    let mean = arch.splat(mean);
    let factor = arch.splat((variance + norm.epsilon).sqrt().recip());

    let ((x, x_rest), (out, out_rest)) = (x.as_chunks::<LANES>(), out.as_chunks_mut::<LANES>());
    let (gain, gain_rest) = norm.gain.as_chunks::<LANES>();
    let (bias, bias_rest) = norm.bias.as_chunks::<LANES>();
    for ((x, out), (gain, bias)) in x.iter().zip(out).zip(gain.iter().zip(bias)) {
        let x = arch.load(x).sub(mean).mul(factor);
        x.mul_add(arch.load(gain), arch.load(bias)).store(out);
    }
    let x = load_padded(arch, x_rest, 0.0).sub(mean).mul(factor);
    let x = x.mul_add(load_padded(arch, gain_rest, 0.0), load_padded(arch, bias_rest, 0.0));
    store_part(x, out_rest);
}

/// LayerNorm of each row, see [`layer_norm_row`]; `x` and `out` are `[rows, size]`, with the size
/// of `norm.gain`.
///
/// # Panics
/// Where the sizes do not fit together.
pub fn layer_norm(isa: Isa, team: &Team, x: &[f32], norm: Norm<'_>, out: &mut [f32]) {
    let size = norm.gain.len();
    assert_rows(x, size, out);
    split_rows(team, out, size, least_rows(size), |part, out| {
        let x = &x[part.start * size..part.end * size];
        isa.run(LayerNorm { x, norm, out });
    });
}

struct LayerNorm<'a> {
    x: &'a [f32],
    norm: Norm<'a>,
    out: &'a mut [f32],
}

impl Task for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let size = self.norm.gain.len();
        for (x, out) in self.x.chunks_exact(size).zip(self.out.chunks_exact_mut(size)) {
            layer_norm_row(arch, x, self.norm, out);
        }
    }
}

/// `x / sqrt(mean of x^2 + epsilon)` of each row; `x` and `out` are `[rows, size]`.
///
/// # Panics
/// Where the sizes do not fit together.
pub fn rms_norm(isa: Isa, team: &Team, x: &[f32], size: usize, epsilon: f32, out: &mut [f32]) {
    assert_rows(x, size, out);
    split_rows(team, out, size, least_rows(size), |part, out| {
        let x = &x[part.start * size..part.end * size];
        isa.run(RmsNorm { x, size, epsilon, out });
    });
}

struct RmsNorm<'a> {
    x: &'a [f32],
    size: usize,
    epsilon: f32,
    out: &'a mut [f32],
}

impl Task for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let rows = self.x.chunks_exact(self.size);
        for (x, out) in rows.zip(self.out.chunks_exact_mut(self.size)) {
            let squares = sum_of(arch, Product, x, x, 0.0);
            let mean = squares / self.size as f32;
            out.copy_from_slice(x);
            scale(arch, out, (mean + self.epsilon).sqrt().recip());
        }
    }
}

/// Multiplies a row by a factor.
#[inline(always)]
pub(super) fn scale<A: Arch>(arch: A, x: &mut [f32], factor: f32) {
    let (x, rest) = x.as_chunks_mut::<LANES>();
    let lanes = arch.splat(factor);
    for x in x {
        arch.load(x).mul(lanes).store(x);
    }
    for x in rest {
        *x *= factor;
    }
}

/// Divides a vector by its Euclidean length. A vector of zeros becomes NaN, and so does a
/// value that is not finite; where the squares exceed the range of f32, the others become 0.
pub fn unit_length(isa: Isa, x: &mut [f32]) {
    let length = dot(isa, x, x).sqrt();
    for x in x {
        *x /= length;
    }
}

/// The dot product.
///
/// # Panics
/// Where the lengths differ.
pub fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    isa.run(Dot { a, b })
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Task for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> f32 {
        sum_of(arch, Product, self.a, self.b, 0.0)
    }
}

fn assert_rows(x: &[f32], size: usize, out: &[f32]) {
    assert_eq!(x.len(), out.len(), "as many results as values");
    assert!(x.len().is_multiple_of(size), "whole rows of {size} values");
}

/// Rows that are worth a thread.
pub(super) fn least_rows(size: usize) -> usize {
    LEAST_VALUES.div_ceil(size.max(1))
}
