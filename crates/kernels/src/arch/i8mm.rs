//! NEON with products of 2 x 8 by 8 x 2 bytes (`usmmla`: Neoverse V1, N2, Apple M2 and later).

use std::arch::{aarch64::*, asm, is_aarch64_feature_detected};

use super::dotprod::DotProd;
use super::neon::{Neon, NeonLanes};
use super::{Arch, LANES, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// NEON with `usmmla`, which this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I8mm(DotProd);

impl I8mm {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        DotProd::detect().filter(|_| is_aarch64_feature_detected!("i8mm")).map(Self)
    }
}

impl Arch for I8mm {
    type F = NeonLanes;
    const NAME: &'static str = "i8mm";
    const UNIT: usize = 8;

    #[inline(always)]
    fn lanes(self) -> Neon {
        self.0.lanes()
    }

    #[inline(always)]
    fn tile_rows(_blocks: usize) -> usize {
        6
    }

    #[inline(always)]
    unsafe fn tile(
        self,
        codes: TileRows<'_>,
        weights: *const i8,
        _column_sums: *const i32,
        rows: usize,
        blocks: usize,
        sums: &mut TileSums,
    ) {
        // SAFETY: `self` proves that the set is there; the caller's promises are passed on; `rows` are
        // `PAIRS` pairs, or one less.
        unsafe {
            match rows {
                1 | 2 => multiply::<1>(codes, weights, rows, blocks, sums),
                3 | 4 => multiply::<2>(codes, weights, rows, blocks, sums),
                _ => multiply::<3>(codes, weights, rows, blocks, sums),
            }
        }
    }

    #[inline(always)]
    fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        // SAFETY: `self` proves that the set is there.
        unsafe { quads::i8mm(tile, sums) }
    }
}

/// Sums of a block for pairs of rows. Register `i` has two columns of each row: `2 * i` and
/// `2 * i + 1` of the first, then of the second.
type Sums<const PAIRS: usize> = [[int32x4_t; 8]; PAIRS];

/// # Safety
/// As for [`Arch::tile`], with `2 * PAIRS` rows or one less.
#[target_feature(enable = "neon,i8mm")]
unsafe fn multiply<const PAIRS: usize>(
    codes: TileRows<'_>,
    weights: *const i8,
    rows: usize,
    blocks: usize,
    sums: &mut TileSums,
) {
    let step = blocks * LANES * I8mm::UNIT;
    for block in 0..blocks {
        // SAFETY: the panel has this block.
        let block_sums = unsafe {
            let weights = weights.add(block * LANES * I8mm::UNIT);
            add_segments::<PAIRS>(codes, rows, weights, step)
        };
        for (pair, out) in block_sums.iter().zip(sums.chunks_exact_mut(2 * TILE_COLUMNS)) {
            let (first, second) = out.split_at_mut(TILE_COLUMNS);
            store(pair, &mut first[block * LANES..], &mut second[block * LANES..]);
        }
    }
}

/// The sums of two rows, at least sixteen places each.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn store(pair: &[int32x4_t; 8], first: &mut [i32], second: &mut [i32]) {
    let places = first.as_chunks_mut::<4>().0.iter_mut().zip(second.as_chunks_mut::<4>().0);
    for ([low, high], (first, second)) in pair.as_chunks::<2>().0.iter().zip(places) {
        let (low, high) = (vreinterpretq_s64_s32(*low), vreinterpretq_s64_s32(*high));
        let rows = [vzip1q_s64(low, high), vzip2q_s64(low, high)].map(|x| vreinterpretq_s32_s64(x));
        // SAFETY: both have four places.
        unsafe {
            vst1q_s32(first.as_mut_ptr(), rows[0]);
            vst1q_s32(second.as_mut_ptr(), rows[1]);
        }
    }
}

/// # Safety
/// As for [`Arch::tile`]: `step` bytes lie from one unit's weights of the block to the next.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn add_segments<const PAIRS: usize>(
    codes: TileRows<'_>,
    rows: usize,
    weights: *const i8,
    step: usize,
) -> Sums<PAIRS> {
    let mut sums = [[vdupq_n_s32(0); 8]; PAIRS];
    let mut weights = weights;
    // Of an odd number of rows the last is its own partner.
    let second = |pair: usize| (2 * pair + 1).min(rows - 1) * codes.stride;
    for segment in codes.segments {
        // SAFETY: the rows have this segment.
        let mut code = unsafe { codes.first.add(*segment) };
        for _ in 0..codes.units {
            let mut unit = [vdupq_n_u8(0); PAIRS];
            for (pair, unit) in unit.iter_mut().enumerate() {
                // SAFETY: a unit is left of the segment.
                *unit = unsafe {
                    let first = vld1_u8(code.add(2 * pair * codes.stride));
                    vcombine_u8(first, vld1_u8(code.add(second(pair))))
                };
            }
            // SAFETY: a unit is left of the panel.
            unsafe { add_unit(&mut sums, unit, weights) };
            code = code.wrapping_add(8);
            weights = weights.wrapping_add(step);
        }
    }
    sums
}

/// One unit of each pair's two rows.
///
/// # Safety
/// Its weights, 128 bytes, can be read.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn add_unit<const PAIRS: usize>(
    sums: &mut Sums<PAIRS>,
    codes: [uint8x16_t; PAIRS],
    weights: *const i8,
) {
    for columns in 0..8 {
        // SAFETY: sixteen of the 128 bytes.
        let weights = unsafe { vld1q_s8(weights.add(16 * columns)) };
        for (sums, codes) in sums.iter_mut().zip(codes) {
            sums[columns] = multiply_add(sums[columns], codes, weights);
        }
    }
}

/// `sum + codes * weights`: two rows of eight codes by two columns of eight weights.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn multiply_add(sum: int32x4_t, codes: uint8x16_t, weights: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: it touches these registers only. The compiler's own intrinsic is not stable.
    unsafe {
        asm!(
            "usmmla {sum:v}.4s, {codes:v}.16b, {weights:v}.16b",
            sum = inout(vreg) sum,
            codes = in(vreg) codes,
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
