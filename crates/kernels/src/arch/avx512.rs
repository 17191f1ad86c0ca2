//! AVX-512 with VNNI: one register of lanes, and tiles of up to 24 registers of sums.

use std::arch::x86_64::*;

use super::{Arch, LANES, Lanes, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// Sixteen values in one register.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Lanes(__m512);

/// The two halves of a register.
#[inline(always)]
fn halves(x: __m512) -> (__m256, __m256) {
    // SAFETY: lanes are only used where the set was detected, see `Lanes`.
    unsafe { (_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x)) }
}

impl Lanes for Avx512Lanes {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: lanes are only used where the set was detected, see `Lanes`.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    fn load(x: &[f32; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen values.
        Self(unsafe { _mm512_loadu_ps(x.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, out: &mut [f32; LANES]) {
        // SAFETY: as above; the array has room for sixteen values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn from_i32(x: &[i32; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen values.
        Self(unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(x.as_ptr().cast())) })
    }

    #[inline(always)]
    fn from_u8(x: &[u8; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen bytes.
        unsafe {
            let bytes = _mm_loadu_si128(x.as_ptr().cast());
            Self(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)))
        }
    }

    #[inline(always)]
    fn to_u8(self, out: &mut [u8; LANES]) {
        // SAFETY: as above; the array has room for sixteen bytes.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0));
            _mm_storeu_si128(out.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn to_codes(x: [Self; 4], zero: i32, out: &mut [u8; 4 * LANES]) {
        // SAFETY: as above; the array has room for sixty-four bytes.
        unsafe {
            let zero = _mm512_set1_epi32(zero);
            let mut whole = [zero; 4];
            for (whole, x) in whole.iter_mut().zip(x) {
                *whole = _mm512_add_epi32(_mm512_cvtps_epi32(x.0), zero);
            }
            let [a, b, c, d] = whole;
            // Each quarter of the register then has four values of each of the four.
            let bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_permutexvar_epi32(order, bytes));
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_div_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_sqrt_ps(self.0) })
    }

    #[inline(always)]
    fn round(self) -> Self {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: as above.
        Self(unsafe { _mm512_roundscale_ps::<NEAREST>(self.0) })
    }

    #[inline(always)]
    fn pow2(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent)))
        }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let (low, high) = halves(self.0);
        // SAFETY: as above.
        super::avx2::sum(unsafe { _mm256_add_ps(low, high) })
    }

    #[inline(always)]
    fn max_lane(self) -> f32 {
        let (low, high) = halves(self.0);
        // SAFETY: as above.
        super::avx2::max_lane(unsafe { _mm256_max_ps(low, high) })
    }

    #[inline(always)]
    fn min_lane(self) -> f32 {
        let (low, high) = halves(self.0);
        // SAFETY: as above.
        super::avx2::min_lane(unsafe { _mm256_min_ps(low, high) })
    }
}

/// AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Vnni;

impl Arch for Avx512Vnni {
    type F = Avx512Lanes;
    const UNIT: usize = 4;

    #[inline(always)]
    fn tile_rows(blocks: usize) -> usize {
        if blocks <= 2 { 12 } else { 6 }
    }

    #[inline(always)]
    unsafe fn tile(
        codes: TileRows<'_>,
        weights: *const i8,
        _column_sums: *const i32,
        rows: usize,
        blocks: usize,
        sums: &mut TileSums,
    ) {
        // SAFETY: the caller's promise is handed on; no arm is taller or wider than it says.
        unsafe {
            match blocks {
                1 => tall::<1>(codes, weights, rows, sums),
                2 => tall::<2>(codes, weights, rows, sums),
                3 => short::<3>(codes, weights, rows, sums),
                _ => short::<4>(codes, weights, rows, sums),
            }
        }
    }

    #[inline(always)]
    unsafe fn quad_tile<const P: usize>(tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        // SAFETY: the caller's promise is handed on.
        unsafe { quads::avx512vnni(tile, sums) }
    }
}

/// A tile of up to twelve rows.
///
/// # Safety
/// As [`Arch::tile`].
#[inline(always)]
unsafe fn tall<const BLOCKS: usize>(
    codes: TileRows<'_>,
    weights: *const i8,
    rows: usize,
    sums: &mut TileSums,
) {
    // SAFETY: the caller's promise is handed on.
    unsafe {
        match rows {
            12 => tile::<12, BLOCKS>(codes, weights, sums),
            11 => tile::<11, BLOCKS>(codes, weights, sums),
            10 => tile::<10, BLOCKS>(codes, weights, sums),
            9 => tile::<9, BLOCKS>(codes, weights, sums),
            8 => tile::<8, BLOCKS>(codes, weights, sums),
            7 => tile::<7, BLOCKS>(codes, weights, sums),
            _ => short::<BLOCKS>(codes, weights, rows, sums),
        }
    }
}

/// A tile of up to six rows.
///
/// # Safety
/// As [`Arch::tile`].
#[inline(always)]
unsafe fn short<const BLOCKS: usize>(
    codes: TileRows<'_>,
    weights: *const i8,
    rows: usize,
    sums: &mut TileSums,
) {
    // SAFETY: the caller's promise is handed on.
    unsafe {
        match rows {
            6 => tile::<6, BLOCKS>(codes, weights, sums),
            5 => tile::<5, BLOCKS>(codes, weights, sums),
            4 => tile::<4, BLOCKS>(codes, weights, sums),
            3 => tile::<3, BLOCKS>(codes, weights, sums),
            2 => tile::<2, BLOCKS>(codes, weights, sums),
            _ => tile::<1, BLOCKS>(codes, weights, sums),
        }
    }
}

/// A tile of `ROWS` rows and `16 * BLOCKS` columns, all of its sums in registers.
///
/// # Safety
/// As [`Arch::tile`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile<const ROWS: usize, const BLOCKS: usize>(
    codes: TileRows<'_>,
    mut weights: *const i8,
    sums: &mut TileSums,
) {
    let mut total = [[_mm512_setzero_si512(); BLOCKS]; ROWS];
    let (mut ahead, step) = codes.ahead;
    for segment in codes.segments {
        // SAFETY: the caller vouches for all codes of all segments, and for the weights, which lie
        // one after the other.
        unsafe {
            let mut code = codes.first.add(*segment);
            for _ in 0..codes.units {
                let mut weight = [_mm512_setzero_si512(); BLOCKS];
                for (block, weight) in weight.iter_mut().enumerate() {
                    *weight = _mm512_load_si512(weights.add(block * 64).cast());
                }
                for (row, total) in total.iter_mut().enumerate() {
                    let four = code.add(row * codes.stride).cast::<i32>().read_unaligned();
                    let four = _mm512_set1_epi32(four);
                    for (total, weight) in total.iter_mut().zip(weight) {
                        *total = _mm512_dpbusd_epi32(*total, four, weight);
                    }
                }
                _mm_prefetch::<_MM_HINT_T1>(ahead);
                _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(64));
                ahead = ahead.wrapping_add(step);
                code = code.add(4);
                weights = weights.add(64 * BLOCKS);
            }
        }
    }
    for (total, sums) in total.iter().zip(sums.as_chunks_mut::<TILE_COLUMNS>().0) {
        for (total, sums) in total.iter().zip(sums.as_chunks_mut::<LANES>().0) {
            // SAFETY: the array has room for sixteen sums.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *total) };
        }
    }
}
