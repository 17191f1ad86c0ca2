//! Tiles of depthwise convolutions on NEON, without and with dot products.
//!
//! Where products are signed on both sides, codes are shifted to -128..=127, so that sums start at
//! 128 times the sums of the weights.

use std::arch::{aarch64::*, asm};

use super::{LANES, QuadTile, Quads};
use crate::arch::neon::signed;

/// Defines a tile on sets that multiply and add the four bytes of a lane at once. A macro, since a
/// feature is enabled by attribute only.
macro_rules! tile {
    ($name:ident, $features:literal, $start:ident, $dot:ident) => {
        /// [`Arch::quad_tile`](super::super::Arch::quad_tile).
        #[target_feature(enable = $features)]
        pub(in super::super) fn $name<const P: usize>(
            tile: QuadTile<'_>,
            sums: &mut [[i32; LANES]; P],
        ) {
            tile.check(P);
            // Eight lanes: with two registers of each of eight pixels, half of all are sums.
            for first in [0, LANES / 2] {
                let mut total = [[$start(&tile, first), $start(&tile, first + 4)]; P];
                for (row, weights) in tile.weights.chunks_exact(tile.groups).enumerate() {
                    for (group, weights) in weights.iter().enumerate() {
                        let by = [load(weights, first), load(weights, first + 4)];
                        let by = by.map(|by| vreinterpretq_s8_u8(by));
                        // SAFETY: `check` saw to the codes of the first pixel.
                        let mut codes =
                            unsafe { tile.codes.as_ptr().add(row * tile.line + group * tile.step) };
                        for total in &mut total {
                            // SAFETY: `check` saw to the codes of this pixel.
                            let pixel = unsafe { &*codes };
                            total[0] = $dot(total[0], load(pixel, first), by[0]);
                            total[1] = $dot(total[1], load(pixel, first + 4), by[1]);
                            codes = codes.wrapping_add(tile.stride);
                        }
                    }
                }
                for (total, sums) in total.iter().zip(sums.iter_mut()) {
                    add(total[0], sums, first);
                    add(total[1], sums, first + 4);
                }
            }
        }
    };
}

tile!(dotprod, "neon,dotprod", shifted, dot_shifted);
tile!(i8mm, "neon,i8mm", zero, dot_mixed);

/// [`Arch::quad_tile`](super::super::Arch::quad_tile).
#[target_feature(enable = "neon")]
pub(in super::super) fn neon<const P: usize>(tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
    tile.check(P);
    for first in (0..LANES).step_by(4) {
        // Of each of four lanes what taps 0 and 1 give, and what taps 2 and 3 give.
        let mut pairs = [[vdupq_n_s32(0); 2]; P];
        for (row, weights) in tile.weights.chunks_exact(tile.groups).enumerate() {
            for (group, weights) in weights.iter().enumerate() {
                let by = vreinterpretq_s8_u8(load(weights, first));
                // SAFETY: `check` saw to the codes of the first pixel.
                let mut codes =
                    unsafe { tile.codes.as_ptr().add(row * tile.line + group * tile.step) };
                for pairs in &mut pairs {
                    // SAFETY: `check` saw to the codes of this pixel.
                    let code = signed(load(unsafe { &*codes }, first));
                    let low = vmull_s8(vget_low_s8(code), vget_low_s8(by));
                    pairs[0] = vpadalq_s16(pairs[0], low);
                    pairs[1] = vpadalq_s16(pairs[1], vmull_high_s8(code, by));
                    codes = codes.wrapping_add(tile.stride);
                }
            }
        }
        let start = shifted(&tile, first);
        for (pairs, sums) in pairs.iter().zip(sums.iter_mut()) {
            add(vaddq_s32(start, vpaddq_s32(pairs[0], pairs[1])), sums, first);
        }
    }
}

/// The quads of four lanes from `first` on.
#[inline]
#[target_feature(enable = "neon")]
fn load(quads: &Quads, first: usize) -> uint8x16_t {
    // SAFETY: the slice has four quads.
    unsafe { vld1q_u8(quads[first..][..4].as_flattened().as_ptr()) }
}

/// Adds to the sums of four lanes from `first` on.
#[inline]
#[target_feature(enable = "neon")]
fn add(total: int32x4_t, sums: &mut [i32; LANES], first: usize) {
    let sums = sums[first..][..4].as_mut_ptr();
    // SAFETY: the slice has four sums.
    unsafe { vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), total)) }
}

/// What shifted codes leave out of the sums of four lanes.
#[inline]
#[target_feature(enable = "neon")]
fn shifted(tile: &QuadTile<'_>, first: usize) -> int32x4_t {
    // SAFETY: the slice has four sums.
    vshlq_n_s32::<7>(unsafe { vld1q_s32(tile.weight_sums[first..][..4].as_ptr()) })
}

/// What codes as they are leave out.
#[inline]
#[target_feature(enable = "neon")]
fn zero(_tile: &QuadTile<'_>, _first: usize) -> int32x4_t {
    vdupq_n_s32(0)
}

/// `sum + (codes - 128) * weights`, the four products of each lane.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot_shifted(sum: int32x4_t, codes: uint8x16_t, weights: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: it touches these registers only. The compiler's own intrinsic is not stable.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {codes:v}.16b, {weights:v}.16b",
            sum = inout(vreg) sum,
            codes = in(vreg) signed(codes),
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// `sum + codes * weights`, likewise.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn dot_mixed(sum: int32x4_t, codes: uint8x16_t, weights: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: as above.
    unsafe {
        asm!(
            "usdot {sum:v}.4s, {codes:v}.16b, {weights:v}.16b",
            sum = inout(vreg) sum,
            codes = in(vreg) codes,
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
