//! Attention: `softmax(scale * Q K^T + mask) V`, one head at a time, scores never leaving the cache.

use std::ops::Range;

use super::arch::{Arch, LANES};
use super::disjoint::Rows;
use super::lines::Lines;
use super::matmul::{Matrix, View, scaled_copy};
use super::softmax::exp_of_differences_padded;
use super::tile::{Left, Right, multiply, right_stride};
use super::{Isa, Task, Team};

/// Queries whose scores are there at once.
const BLOCK_ROWS: usize = 24;

/// Sizes and kind of an attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Sequences.
    pub batches: usize,
    /// Heads of each sequence.
    pub heads: usize,
    /// Queries of each sequence.
    pub queries: usize,
    /// Keys, and values, of each sequence.
    pub keys: usize,
    /// Length of a query and of a key.
    pub size: usize,
    /// Length of a value.
    pub value_size: usize,
    /// Multiplies the queries.
    pub scale: f32,
    /// Query `i` sees only the keys up to `i`: the same bits as with a mask of minus infinity.
    pub causal: bool,
}

/// The attention of each batch and head; `out` is `[batches, queries, heads, value_size]`.
///
/// Rows of `q` are queries, of `k` keys, of `v` values; their columns are the values of each. An
/// element `(b, h, query, key)` of the mask is added to a score. A query whose scores are all minus
/// infinity, or that has no key, gets NaN.
///
/// # Panics
/// Where the sizes lead beyond the data of a view, or `out` has another size.
#[allow(clippy::too_many_arguments)]
pub fn attention(
    isa: Isa,
    team: &Team,
    q: View<'_>,
    k: View<'_>,
    v: View<'_>,
    mask: Option<View<'_>>,
    shape: Attention,
    out: &mut [f32],
) {
    let Attention { batches, heads, queries, keys, size, value_size, .. } = shape;
    q.assert_holds([batches, heads, queries, size]);
    k.assert_holds([batches, heads, keys, size]);
    v.assert_holds([batches, heads, keys, value_size]);
    if let Some(mask) = mask {
        mask.assert_holds([batches, heads, queries, keys]);
    }
    assert_eq!(out.len(), batches * queries * heads * value_size, "the size of the result");
    if keys == 0 {
        return out.fill(f32::NAN);
    }
    if out.is_empty() {
        return;
    }
    let out = &Rows::new(out, value_size);
    team.split(batches * heads, 1, |part| {
        isa.run(Heads { q, k, v, mask, shape, part, out });
    });
}

/// Some heads: number `i` is head `i % heads` of batch `i / heads`.
struct Heads<'a> {
    q: View<'a>,
    k: View<'a>,
    v: View<'a>,
    mask: Option<View<'a>>,
    shape: Attention,
    part: Range<usize>,
    out: &'a Rows<'a, f32>,
}

/// The matrices of one head.
#[derive(Clone, Copy)]
struct Head<'a> {
    batch: usize,
    head: usize,
    q: Matrix<'a>,
    k: Matrix<'a>,
    v: Matrix<'a>,
    mask: Option<Matrix<'a>>,
}

impl Task for Heads<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let mut scratch = Scratch::new(self.shape);
        for i in self.part {
            let (batch, head) = (i / self.shape.heads, i % self.shape.heads);
            scratch.attend(
                arch,
                Head {
                    batch,
                    head,
                    q: self.q.matrix(batch, head),
                    k: self.k.matrix(batch, head),
                    v: self.v.matrix(batch, head),
                    mask: self.mask.map(|mask| mask.matrix(batch, head)),
                },
                self.out,
            );
        }
    }
}

/// Copies of one head's keys, as columns, and values; of a block of queries; their scores and
/// results. Padded to full vectors.
struct Scratch {
    shape: Attention,
    key_stride: usize,
    value_stride: usize,
    keys: Lines,
    values: Lines,
    queries: Vec<f32>,
    mask: Vec<f32>,
    scores: Lines,
    factors: Vec<f32>,
    results: Lines,
}

impl Scratch {
    fn new(shape: Attention) -> Self {
        let (key_stride, value_stride) = (right_stride(shape.keys), right_stride(shape.value_size));
        let rows = shape.queries.min(BLOCK_ROWS);
        Self {
            shape,
            key_stride,
            value_stride,
            keys: Lines::zeros(shape.size * key_stride),
            values: Lines::zeros(shape.keys * value_stride),
            queries: vec![0.0; rows * shape.size],
            mask: vec![0.0; shape.keys],
            scores: Lines::zeros(rows * key_stride),
            factors: vec![0.0; rows],
            results: Lines::zeros(rows * value_stride),
        }
    }

    #[inline(always)]
    fn attend<A: Arch>(&mut self, arch: A, head: Head<'_>, out: &Rows<'_, f32>) {
        let Attention { queries, keys, size, value_size, .. } = self.shape;
        head.k.transposed().copy_right(arch, size, keys, self.key_stride, &mut self.keys);
        head.v.copy_right(arch, keys, value_size, self.value_stride, &mut self.values);
        for first in (0..queries).step_by(BLOCK_ROWS) {
            let rows = first..queries.min(first + BLOCK_ROWS);
            self.score(arch, head, rows.clone());
            self.weigh(arch, head, rows.clone());
            self.mix(arch, rows.clone());
            self.write(arch, head, rows, out);
        }
    }

    /// Keys that some query of a block sees.
    fn seen(&self, rows: &Range<usize>) -> usize {
        if self.shape.causal { self.shape.keys.min(rows.end) } else { self.shape.keys }
    }

    /// Scores of a block of queries.
    #[inline(always)]
    fn score<A: Arch>(&mut self, arch: A, head: Head<'_>, rows: Range<usize>) {
        let size = self.shape.size;
        for (r, row) in rows.clone().enumerate() {
            let query = &mut self.queries[r * size..][..size];
            head.q.copy_row(arch, row, self.shape.scale, query);
        }
        let vectors = self.seen(&rows).div_ceil(LANES);
        let left = Left { values: &self.queries, stride: size, rows: rows.len(), inner: size };
        let right = Right { values: &self.keys, stride: self.key_stride, vectors };
        multiply(arch, left, right, &mut self.scores, self.key_stride);
    }

    /// Scores to weights: a softmax whose division waits until the values are summed.
    #[inline(always)]
    fn weigh<A: Arch>(&mut self, arch: A, head: Head<'_>, rows: Range<usize>) {
        let block_seen = self.seen(&rows);
        for (r, row) in rows.enumerate() {
            let seen = if self.shape.causal { block_seen.min(row + 1) } else { block_seen };
            let scores = &mut self.scores[r * self.key_stride..][..self.key_stride];
            if let Some(mask) = head.mask {
                mask.copy_row(arch, row, 1.0, &mut self.mask[..seen]);
                for (score, mask) in scores.as_flattened_mut().iter_mut().zip(&self.mask[..seen]) {
                    *score += mask;
                }
            }
            let (scores, unseen) = scores.split_at_mut(seen.div_ceil(LANES));
            unseen.fill([0.0; LANES]);
            self.factors[r] = exp_of_differences_padded(arch, scores, seen).recip();
        }
    }

    /// Sums of the values with those weights.
    #[inline(always)]
    fn mix<A: Arch>(&mut self, arch: A, rows: Range<usize>) {
        let left = Left {
            values: self.scores.as_flattened(),
            stride: self.key_stride * LANES,
            rows: rows.len(),
            inner: self.seen(&rows),
        };
        let vectors = self.shape.value_size.div_ceil(LANES);
        let right = Right { values: &self.values, stride: self.value_stride, vectors };
        multiply(arch, left, right, &mut self.results, self.value_stride);
    }

    /// Results, divided by the sums of their weights, to their places.
    #[inline(always)]
    fn write<A: Arch>(&self, arch: A, head: Head<'_>, rows: Range<usize>, out: &Rows<'_, f32>) {
        for (r, row) in rows.enumerate() {
            let place = (head.batch * self.shape.queries + row) * self.shape.heads + head.head;
            // SAFETY: each batch and head is one thread's alone, and so are its rows.
            let out = unsafe { out.rows(place..place + 1) };
            let results = self.results[r * self.value_stride..].as_flattened();
            scaled_copy(arch, &results[..self.shape.value_size], self.factors[r], out);
        }
    }
}
