//! AVX2 with FMA: two registers of lanes, and tiles on weights and codes widened to 16 bits.

use std::arch::x86_64::*;

use super::{Arch, LANES, Lanes, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// Sixteen values in two registers.
#[derive(Debug, Clone, Copy)]
pub struct Avx2Lanes(__m256, __m256);

/// The two halves of a register.
#[inline(always)]
fn halves(x: __m256) -> (__m128, __m128) {
    // SAFETY: a register of lanes, which exist where the set does.
    unsafe { (_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x)) }
}

/// Whole numbers -127 to 128 as powers of two.
#[inline(always)]
fn power(x: __m256) -> __m256 {
    // SAFETY: a register of lanes, which exist where the set does.
    unsafe {
        let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
    }
}

/// Lane 2 of a register in lane 0, 3 in 1.
#[inline(always)]
fn upper_pair(x: __m128) -> __m128 {
    // SAFETY: every x86-64 machine has SSE.
    unsafe { _mm_movehl_ps(x, x) }
}

/// Lane 1 of a register in lane 0.
#[inline(always)]
fn second(x: __m128) -> __m128 {
    // SAFETY: every x86-64 machine has SSE.
    unsafe { _mm_shuffle_ps::<1>(x, x) }
}

/// Eight lanes added in the order of [`Lanes::sum`].
#[inline(always)]
fn sum(x: __m256) -> f32 {
    let (low, high) = halves(x);
    // SAFETY: every x86-64 machine has SSE.
    unsafe {
        let four = _mm_add_ps(low, high);
        let two = _mm_add_ps(four, upper_pair(four));
        _mm_cvtss_f32(_mm_add_ss(two, second(two)))
    }
}

/// The greatest of eight lanes, folded in the order of [`Lanes::sum`].
#[inline(always)]
fn max_lane(x: __m256) -> f32 {
    let (low, high) = halves(x);
    // SAFETY: every x86-64 machine has SSE.
    unsafe {
        let four = _mm_max_ps(low, high);
        let two = _mm_max_ps(four, upper_pair(four));
        _mm_cvtss_f32(_mm_max_ss(two, second(two)))
    }
}

/// The least of eight lanes, folded in the order of [`Lanes::sum`].
#[inline(always)]
fn min_lane(x: __m256) -> f32 {
    let (low, high) = halves(x);
    // SAFETY: every x86-64 machine has SSE.
    unsafe {
        let four = _mm_min_ps(low, high);
        let two = _mm_min_ps(four, upper_pair(four));
        _mm_cvtss_f32(_mm_min_ss(two, second(two)))
    }
}

impl Avx2Lanes {
    /// Lanes 0 to 7, and 8 to 15.
    ///
    /// # Safety
    /// The machine has AVX2 and FMA.
    #[inline(always)]
    pub(super) unsafe fn of_halves(low: __m256, high: __m256) -> Self {
        Self(low, high)
    }
}

impl Lanes for Avx2Lanes {
    type Set = Avx2;

    #[inline(always)]
    fn splat(_: Avx2, x: f32) -> Self {
        // SAFETY: the set is there: here its value proves it, below lanes do.
        let eight = unsafe { _mm256_set1_ps(x) };
        Self(eight, eight)
    }

    #[inline(always)]
    fn load(_: Avx2, x: &[f32; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen values.
        unsafe { Self(_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x[8..].as_ptr())) }
    }

    #[inline(always)]
    fn store(self, out: &mut [f32; LANES]) {
        // SAFETY: as above; the array has room for sixteen values.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), self.0);
            _mm256_storeu_ps(out[8..].as_mut_ptr(), self.1);
        }
    }

    #[inline(always)]
    fn from_i32(_: Avx2, x: &[i32; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen values.
        unsafe {
            let low = _mm256_loadu_si256(x.as_ptr().cast());
            let high = _mm256_loadu_si256(x[8..].as_ptr().cast());
            Self(_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
    }

    #[inline(always)]
    fn from_u8(_: Avx2, x: &[u8; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen bytes.
        unsafe {
            let low = _mm_loadl_epi64(x.as_ptr().cast());
            let high = _mm_loadl_epi64(x[8..].as_ptr().cast());
            let (low, high) = (_mm256_cvtepu8_epi32(low), _mm256_cvtepu8_epi32(high));
            Self(_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
    }

    #[inline(always)]
    fn to_u8(self, out: &mut [u8; LANES]) {
        // SAFETY: as above; the array has room for sixteen bytes.
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(self.0), _mm256_cvtps_epi32(self.1));
            let words = _mm256_packs_epi32(low, high);
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let low = _mm256_castsi256_si128(words);
            let bytes = _mm_packus_epi16(low, _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(out.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn to_codes(x: [Self; 4], zero: i32, out: &mut [u8; 4 * LANES]) {
        // SAFETY: as above; the array has room for sixty-four bytes.
        unsafe {
            let zero = _mm256_set1_epi32(zero);
            // Each half of a register then has four values of each of the four.
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            for ([x, y], out) in x.as_chunks::<2>().0.iter().zip(out.as_chunks_mut::<32>().0) {
                let mut whole = [zero; 4];
                for (whole, x) in whole.iter_mut().zip([x.0, x.1, y.0, y.1]) {
                    *whole = _mm256_add_epi32(_mm256_cvtps_epi32(x), zero);
                }
                let [a, b, c, d] = whole;
                let bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
                let bytes = _mm256_permutevar8x32_epi32(bytes, order);
                _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes);
            }
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let low = _mm256_fmadd_ps(self.0, factor.0, term.0);
            Self(low, _mm256_fmadd_ps(self.1, factor.1, term.1))
        }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            Self(_mm256_andnot_ps(sign, self.0), _mm256_andnot_ps(sign, self.1))
        }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)) }
    }

    #[inline(always)]
    fn round(self) -> Self {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: as above.
        unsafe { Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)) }
    }

    #[inline(always)]
    fn pow2(self) -> Self {
        Self(power(self.0), power(self.1))
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        sum(unsafe { _mm256_add_ps(self.0, self.1) })
    }

    #[inline(always)]
    fn max_lane(self) -> f32 {
        // SAFETY: as above.
        max_lane(unsafe { _mm256_max_ps(self.0, self.1) })
    }

    #[inline(always)]
    fn min_lane(self) -> f32 {
        // SAFETY: as above.
        min_lane(unsafe { _mm256_min_ps(self.0, self.1) })
    }
}

/// AVX2 and FMA, which this machine has:
///
/// ```
/// use pairgate_kernels::arch::avx2::Avx2;
/// let here: Option<Avx2> = Avx2::detect();
/// ```
/// ```compile_fail,E0423
/// use pairgate_kernels::arch::avx2::Avx2;
/// let here: Avx2 = Avx2(());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Avx2(());

impl Avx2 {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        // Processors with AVX2 have the bit instructions too; data of bits are read by them.
        let here = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        here.then_some(Self(()))
    }
}

/// Rows of the tallest tile: two registers of sums for each row.
const ROWS: usize = 5;
/// Units that are widened at once: those of all rows stay in the first-level cache.
const UNITS: usize = 128;

/// Codes of a tile's rows as 16-bit numbers.
struct WideRows([[[i16; Avx2::UNIT]; UNITS]; ROWS]);

impl Arch for Avx2 {
    type F = Avx2Lanes;
    const NAME: &'static str = "avx2";
    const UNIT: usize = 4;

    #[inline(always)]
    fn lanes(self) -> Self {
        self
    }

    #[inline(always)]
    fn tile_rows(_blocks: usize) -> usize {
        ROWS
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
        // SAFETY: `self` proves that the set is there; the caller's promise is handed on.
        unsafe {
            match rows {
                5 => tile::<5>(codes, weights, blocks, sums),
                4 => tile::<4>(codes, weights, blocks, sums),
                3 => tile::<3>(codes, weights, blocks, sums),
                2 => tile::<2>(codes, weights, blocks, sums),
                _ => tile::<1>(codes, weights, blocks, sums),
            }
        }
    }

    #[inline(always)]
    fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        // SAFETY: `self` proves that the set is there.
        unsafe { quads::avx2(tile, sums) }
    }
}

/// A tile of `ROWS` rows.
///
/// A product of a code and a weight does not fit 16 bits with another beside it, so that both are
/// widened first: codes once for all columns, weights as they are read.
///
/// # Safety
/// As [`Arch::tile`].
#[target_feature(enable = "avx2")]
unsafe fn tile<const ROWS: usize>(
    codes: TileRows<'_>,
    mut weights: *const i8,
    blocks: usize,
    sums: &mut TileSums,
) {
    sums.as_chunks_mut::<TILE_COLUMNS>().0[..ROWS].as_flattened_mut().fill(0);
    let mut wide = WideRows([[[0; Avx2::UNIT]; UNITS]; _]);
    let mut count = 0;
    for segment in codes.segments {
        let mut unit = 0;
        while unit < codes.units {
            let some = (codes.units - unit).min(UNITS - count);
            let start = segment + unit * Avx2::UNIT;
            // SAFETY: the caller vouches for all codes of all segments.
            unsafe { wide.push::<ROWS>(codes, start, count, some) };
            (unit, count) = (unit + some, count + some);
            if count == UNITS {
                // SAFETY: the caller vouches for the weights of all units.
                weights = unsafe { multiply::<ROWS>(&wide, count, weights, blocks, sums) };
                count = 0;
            }
        }
    }
    // SAFETY: as above.
    unsafe { multiply::<ROWS>(&wide, count, weights, blocks, sums) };
}

impl WideRows {
    /// Widens `count` units of each row, from `start` in the rows to `place` here.
    ///
    /// # Safety
    /// The rows have these codes, and `place + count <= UNITS`.
    #[target_feature(enable = "avx2")]
    unsafe fn push<const ROWS: usize>(
        &mut self,
        codes: TileRows<'_>,
        start: usize,
        place: usize,
        count: usize,
    ) {
        for (row, wide) in self.0.iter_mut().enumerate().take(ROWS) {
            // SAFETY: the caller vouches for the codes.
            let codes = unsafe {
                let first = codes.first.add(row * codes.stride + start);
                std::slice::from_raw_parts(first, count * Avx2::UNIT)
            };
            let wide = wide[place..place + count].as_flattened_mut();
            for (wide, code) in wide.iter_mut().zip(codes) {
                *wide = i16::from(*code);
            }
        }
    }
}

/// Adds the products of widened units to all sums, and gives the weights that follow.
///
/// # Safety
/// `weights` are those of `count` units of `blocks` blocks, 16-byte aligned; `blocks <= 4`.
#[target_feature(enable = "avx2")]
unsafe fn multiply<const ROWS: usize>(
    wide: &WideRows,
    count: usize,
    weights: *const i8,
    blocks: usize,
    sums: &mut TileSums,
) -> *const i8 {
    for eight in 0..2 * blocks {
        let mut total = [[_mm256_setzero_si256(); 2]; ROWS];
        for unit in 0..count {
            // SAFETY: the caller vouches for the weights, 64 bytes to a unit of a block.
            let (low, high) = unsafe {
                let weight = weights.add((unit * blocks * 2 + eight) * 32);
                (_mm_load_si128(weight.cast()), _mm_load_si128(weight.add(16).cast()))
            };
            let (low, high) = (_mm256_cvtepi8_epi16(low), _mm256_cvtepi8_epi16(high));
            for (total, wide) in total.iter_mut().zip(&wide.0) {
                // SAFETY: a unit has the size of the integer, and `count` of them are there.
                let four = unsafe { wide.as_ptr().add(unit).cast::<i64>().read_unaligned() };
                let four = _mm256_set1_epi64x(four);
                total[0] = _mm256_add_epi32(total[0], _mm256_madd_epi16(four, low));
                total[1] = _mm256_add_epi32(total[1], _mm256_madd_epi16(four, high));
            }
        }
        for (total, sums) in total.iter().zip(sums.as_chunks_mut::<TILE_COLUMNS>().0) {
            let place = sums.as_chunks_mut::<8>().0[eight].as_mut_ptr().cast::<__m256i>();
            // SAFETY: there are eight sums.
            unsafe {
                let more = add_pairs(total[0], total[1]);
                _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), more));
            }
        }
    }
    // SAFETY: at most just behind the caller's weights.
    unsafe { weights.add(count * blocks * 64) }
}

/// The two pair sums of each of eight columns added: those of four in `a`, then four in `b`.
#[target_feature(enable = "avx2")]
fn add_pairs(a: __m256i, b: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(a, b))
}
