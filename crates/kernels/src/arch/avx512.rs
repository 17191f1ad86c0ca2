//! AVX-512 with VNNI: one register of lanes, and tiles of up to 24 registers of sums.

use std::arch::x86_64::*;

use super::avx2::{Avx2, Avx2Lanes};
use super::{Arch, LANES, Lanes, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// Sixteen values in one register.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Lanes(__m512);

impl Avx512Lanes {
    /// The same lanes in two registers.
    #[inline(always)]
    fn halves(self) -> Avx2Lanes {
        // SAFETY: lanes prove that the set is there, and it has AVX2 and FMA.
        unsafe {
            let high = _mm512_extractf32x8_ps::<1>(self.0);
            Avx2Lanes::of_halves(_mm512_castps512_ps256(self.0), high)
        }
    }
}

impl Lanes for Avx512Lanes {
    type Set = Avx512Vnni;

    #[inline(always)]
    fn splat(_: Avx512Vnni, x: f32) -> Self {
        // SAFETY: the set is there: here its value proves it, below lanes do.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    fn load(_: Avx512Vnni, x: &[f32; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen values.
        Self(unsafe { _mm512_loadu_ps(x.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, out: &mut [f32; LANES]) {
        // SAFETY: as above; the array has room for sixteen values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn from_i32(_: Avx512Vnni, x: &[i32; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen values.
        Self(unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(x.as_ptr().cast())) })
    }

    #[inline(always)]
    fn from_u8(_: Avx512Vnni, x: &[u8; LANES]) -> Self {
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
        self.halves().sum()
    }

    #[inline(always)]
    fn max_lane(self) -> f32 {
        self.halves().max_lane()
    }

    #[inline(always)]
    fn min_lane(self) -> f32 {
        self.halves().min_lane()
    }
}

/// AVX-512 F, BW, DQ, VL and VNNI, AVX2 and FMA, which this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Avx512Vnni(Avx2);

impl Avx512Vnni {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        Avx2::detect().filter(|_| here).map(Self)
    }
}

impl Arch for Avx512Vnni {
    type F = Avx512Lanes;
    const NAME: &'static str = "avx512vnni";
    const UNIT: usize = 4;

    #[inline(always)]
    fn lanes(self) -> Self {
        self
    }

    #[inline(always)]
    fn tile_rows(blocks: usize) -> usize {
        if blocks <= 2 { 12 } else { 6 }
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
        // SAFETY: `self` proves that the set is there; the caller's promise is handed on, and no arm
        // is taller or wider than it says.
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
    fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        // SAFETY: `self` proves that the set is there.
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
