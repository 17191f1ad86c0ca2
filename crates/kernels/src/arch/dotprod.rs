//! NEON with dot products of bytes (`sdot`: Cortex-A55, A75 and later).

use std::arch::{aarch64::*, asm, is_aarch64_feature_detected};

use super::neon::{Neon, NeonLanes, Panel, signed, unit};
use super::{Arch, LANES, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// NEON with `sdot`, which this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DotProd(Neon);

impl DotProd {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        Neon::detect().filter(|_| is_aarch64_feature_detected!("dotprod")).map(Self)
    }
}

impl Arch for DotProd {
    type F = NeonLanes;
    const NAME: &'static str = "dotprod";
    const UNIT: usize = 4;

    #[inline(always)]
    fn lanes(self) -> Neon {
        self.0
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
        column_sums: *const i32,
        rows: usize,
        blocks: usize,
        sums: &mut TileSums,
    ) {
        let panel = Panel { weights, column_sums, blocks };
        // SAFETY: `self` proves that the set is there; the caller's promises are passed on.
        unsafe {
            match rows {
                1 => multiply::<1>(codes, panel, sums),
                2 => multiply::<2>(codes, panel, sums),
                3 => multiply::<3>(codes, panel, sums),
                4 => multiply::<4>(codes, panel, sums),
                5 => multiply::<5>(codes, panel, sums),
                _ => multiply::<6>(codes, panel, sums),
            }
        }
    }

    #[inline(always)]
    fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        // SAFETY: `self` proves that the set is there.
        unsafe { quads::dotprod(tile, sums) }
    }
}

/// Sums of a block, four columns a register.
type Sums<const ROWS: usize> = [[int32x4_t; 4]; ROWS];

/// Codes are shifted to -128..=127, so sums start at 128 times the columns' sums.
///
/// # Safety
/// As for [`Arch::tile`], with `ROWS` rows.
#[target_feature(enable = "neon,dotprod")]
unsafe fn multiply<const ROWS: usize>(codes: TileRows<'_>, panel: Panel, sums: &mut TileSums) {
    let step = panel.blocks * LANES * DotProd::UNIT;
    for block in 0..panel.blocks {
        // SAFETY: the panel has this block.
        let block_sums = unsafe {
            let column_sums = panel.column_sums.add(block * LANES);
            let start = [0, 4, 8, 12].map(|i| vshlq_n_s32::<7>(vld1q_s32(column_sums.add(i))));
            let weights = panel.weights.add(block * LANES * DotProd::UNIT);
            add_segments::<ROWS>(codes, [start; ROWS], weights, step)
        };
        for (block_sums, row) in block_sums.iter().zip(sums.chunks_exact_mut(TILE_COLUMNS)) {
            let out = &mut row[block * LANES..][..LANES];
            for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(block_sums) {
                // SAFETY: `out` has four sums.
                unsafe { vst1q_s32(out.as_mut_ptr(), *sum) }
            }
        }
    }
}

/// # Safety
/// As for [`Arch::tile`]: `step` bytes lie from one unit's weights of the block to the next.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_segments<const ROWS: usize>(
    codes: TileRows<'_>,
    start: Sums<ROWS>,
    weights: *const i8,
    step: usize,
) -> Sums<ROWS> {
    let mut sums = start;
    let mut weights = weights;
    for segment in codes.segments {
        // SAFETY: the rows have this segment.
        let mut code = unsafe { codes.first.add(*segment) };
        for _ in 0..codes.units / 4 {
            // SAFETY: four units are left of the segment, and as many of the panel.
            unsafe {
                let quad = std::array::from_fn::<_, ROWS, _>(|row| {
                    signed(vld1q_u8(code.add(row * codes.stride)))
                });
                add_unit::<ROWS, 0>(&mut sums, &quad, weights);
                add_unit::<ROWS, 1>(&mut sums, &quad, weights.wrapping_add(step));
                add_unit::<ROWS, 2>(&mut sums, &quad, weights.wrapping_add(2 * step));
                add_unit::<ROWS, 3>(&mut sums, &quad, weights.wrapping_add(3 * step));
            }
            code = code.wrapping_add(16);
            weights = weights.wrapping_add(4 * step);
        }
        for _ in 0..codes.units % 4 {
            // SAFETY: a unit is left.
            unsafe {
                let last = std::array::from_fn(|row| unit(code.add(row * codes.stride)));
                add_unit::<ROWS, 0>(&mut sums, &last, weights);
            }
            code = code.wrapping_add(4);
            weights = weights.wrapping_add(step);
        }
    }
    sums
}

/// Unit `UNIT` of each row's four.
///
/// # Safety
/// Its weights, 64 bytes, can be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_unit<const ROWS: usize, const UNIT: i32>(
    sums: &mut Sums<ROWS>,
    codes: &[int8x16_t; ROWS],
    weights: *const i8,
) {
    for column in 0..4 {
        // SAFETY: sixteen of the 64 bytes.
        let weights = unsafe { vld1q_s8(weights.add(16 * column)) };
        for (sums, codes) in sums.iter_mut().zip(codes) {
            sums[column] = dot::<UNIT>(sums[column], weights, *codes);
        }
    }
}

/// `sum + weights * codes`: four weights of each of four columns, by the codes of one unit.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot<const UNIT: i32>(sum: int32x4_t, weights: int8x16_t, codes: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: it touches these registers only. The compiler's own intrinsic is not stable.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {weights:v}.16b, {codes:v}.4b[{unit}]",
            sum = inout(vreg) sum,
            weights = in(vreg) weights,
            codes = in(vreg) codes,
            unit = const UNIT,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
