//! Tiles of depthwise convolutions: four taps to a lane.

use super::LANES;

/// Four bytes for each of sixteen lanes.
pub type Quads = [[u8; 4]; LANES];

/// A tile of pixels and sixteen channels.
///
/// A quad holds four taps of one row of the kernel for each channel. The codes of group `g` of
/// four taps of row `r`, for pixel `p`, lie at `r * line + g * step + p * stride`.
#[derive(Debug, Clone, Copy)]
pub struct QuadTile<'a> {
    /// Unsigned codes.
    pub codes: &'a [Quads],
    /// From one row of the kernel to the next.
    pub line: usize,
    /// From one group of taps to the next.
    pub step: usize,
    /// From one pixel to the next.
    pub stride: usize,
    /// Signed weights, `[rows, groups]`.
    pub weights: &'a [Quads],
    /// Groups of each row, at least one.
    pub groups: usize,
    /// The sum of each lane's weights, for sets whose products are signed on both sides.
    pub weight_sums: &'a [i32; LANES],
}

impl QuadTile<'_> {
    /// # Panics
    /// Where `pixels` of the tile would read codes that are not there.
    #[inline(always)]
    fn check(&self, pixels: usize) {
        let (rows, groups) = (self.weights.len() / self.groups, self.groups);
        assert_eq!(self.weights.len(), rows * groups, "whole rows of weights");
        // Steps can be any number: what does not fit is farther than all codes.
        let reach = |count: usize, step: usize| (count.max(1) - 1).saturating_mul(step);
        let last = reach(rows, self.line)
            .saturating_add(reach(groups, self.step))
            .saturating_add(reach(pixels, self.stride));
        assert!(last < self.codes.len(), "too few codes");
    }
}

/// [`Arch::quad_tile`](super::Arch::quad_tile) in plain Rust.
#[inline(always)]
pub(super) fn plain<const P: usize>(tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
    tile.check(P);
    for (row, weights) in tile.weights.chunks_exact(tile.groups).enumerate() {
        for (group, weights) in weights.iter().enumerate() {
            let codes = &tile.codes[row * tile.line + group * tile.step..];
            for (sums, codes) in sums.iter_mut().zip(codes.iter().step_by(tile.stride)) {
                for (sum, (codes, weights)) in sums.iter_mut().zip(codes.iter().zip(weights)) {
                    for (code, weight) in codes.iter().zip(weights) {
                        let weight = i32::from(weight.cast_signed());
                        *sum = sum.wrapping_add(i32::from(*code) * weight);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{dotprod, i8mm, neon};

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{avx2, avx512vl, avx512vnni, avxvnni};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{LANES, QuadTile};

    /// Defines a tile on registers of `$lanes` lanes. A macro, since a feature is enabled by
    /// attribute only.
    macro_rules! tile {
        (
            $name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $store:ident,
            |$weight:ident| $prepared:expr, |$sum:ident, $code:ident, $by:ident| $next:expr
        ) => {
            /// [`Arch::quad_tile`](super::super::Arch::quad_tile).
            #[target_feature(enable = $features)]
            pub(in super::super) fn $name<const P: usize>(
                tile: QuadTile<'_>,
                sums: &mut [[i32; LANES]; P],
            ) {
                tile.check(P);
                for first in (0..LANES).step_by($lanes) {
                    let mut total = [$zero(); P];
                    for (total, sum) in total.iter_mut().zip(sums.iter()) {
                        // SAFETY: the slice has as many sums as a register has lanes.
                        *total = unsafe { $load(sum[first..][..$lanes].as_ptr().cast()) };
                    }
                    for (row, weights) in tile.weights.chunks_exact(tile.groups).enumerate() {
                        for (group, weights) in weights.iter().enumerate() {
                            let at = row * tile.line + group * tile.step;
                            // SAFETY: `check` saw to the codes of the first pixel.
                            let mut codes = unsafe { tile.codes.as_ptr().add(at) };
                            let $weight =
                                // SAFETY: as above, for as many weights.
                                unsafe { $load(weights[first..][..$lanes].as_ptr().cast()) };
                            let $by = $prepared;
                            for total in &mut total {
                                let $code =
                                    // SAFETY: `check` saw to the codes of this pixel, sixteen quads.
                                    unsafe { $load(codes.cast::<[u8; 4]>().add(first).cast()) };
                                let $sum = *total;
                                *total = $next;
                                codes = codes.wrapping_add(tile.stride);
                            }
                        }
                    }
                    for (total, sum) in total.iter().zip(sums.iter_mut()) {
                        // SAFETY: as above.
                        unsafe { $store(sum[first..][..$lanes].as_mut_ptr().cast(), *total) };
                    }
                }
            }
        };
    }

    tile!(
        avx512vnni,
        "avx512f,avx512vnni",
        16,
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_storeu_si512,
        |weight| weight,
        |sum, code, by| _mm512_dpbusd_epi32(sum, code, by)
    );
    tile!(
        avxvnni,
        "avx2,avxvnni",
        8,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_storeu_si256,
        |weight| weight,
        |sum, code, by| _mm256_dpbusd_avx_epi32(sum, code, by)
    );
    tile!(
        avx512vl,
        "avx512f,avx512vl,avx512vnni",
        8,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_storeu_si256,
        |weight| weight,
        |sum, code, by| _mm256_dpbusd_epi32(sum, code, by)
    );
    // Taps 0 and 2 of a quad, and taps 1 and 3, as two 16-bit numbers: products of bytes would not
    // fit.
    tile!(
        avx2,
        "avx2",
        8,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_storeu_si256,
        |weight| (
            _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(weight)),
            _mm256_srai_epi16::<8>(weight),
        ),
        |sum, code, by| {
            let even = _mm256_and_si256(code, _mm256_set1_epi16(0xff));
            let odd = _mm256_srli_epi16::<8>(code);
            let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, by.0));
            _mm256_add_epi32(sum, _mm256_madd_epi16(odd, by.1))
        }
    );
}
