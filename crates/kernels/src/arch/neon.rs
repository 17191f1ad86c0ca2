//! NEON without dot products (Cortex-A53, A72): lanes for all of aarch64, and a tile of
//! `smull`, `smlsl` and `sadalp`.

use std::arch::{aarch64::*, asm, is_aarch64_feature_detected};

use super::{Arch, LANES, Lanes, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// Sixteen values in four registers.
#[derive(Debug, Clone, Copy)]
pub struct NeonLanes([float32x4_t; 4]);

impl NeonLanes {
    #[inline(always)]
    fn map(self, f: impl Fn(float32x4_t) -> float32x4_t) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    /// Lanes `i` and `i + 8`, then `i + 4`.
    #[inline(always)]
    fn fold(self, f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> [f32; 4] {
        let [a, b, c, d] = self.0;
        let mut lanes = [0.0; 4];
        // SAFETY: registers of lanes, which exist where the set does; four values.
        unsafe { vst1q_f32(lanes.as_mut_ptr(), f(f(a, c), f(b, d))) };
        lanes
    }
}

/// The rule of [`Lanes::max`]: `fmax` gives NaN where that gives `other`, and orders zeros.
#[inline(always)]
fn greater(x: float32x4_t, other: float32x4_t) -> float32x4_t {
    // SAFETY: registers of lanes, which exist where the set does.
    unsafe { vbslq_f32(vcgtq_f32(x, other), x, other) }
}

/// The rule of [`Lanes::min`].
#[inline(always)]
fn less(x: float32x4_t, other: float32x4_t) -> float32x4_t {
    // SAFETY: registers of lanes, which exist where the set does.
    unsafe { vbslq_f32(vcltq_f32(x, other), x, other) }
}

impl Lanes for NeonLanes {
    type Set = Neon;

    #[inline(always)]
    fn splat(_: Neon, x: f32) -> Self {
        // SAFETY: the set is there: here its value proves it, below lanes do.
        Self([unsafe { vdupq_n_f32(x) }; 4])
    }

    #[inline(always)]
    fn load(_: Neon, x: &[f32; LANES]) -> Self {
        // SAFETY: as above; four values at 0, 4, 8 and 12 of sixteen.
        unsafe { Self([0, 4, 8, 12].map(|i| vld1q_f32(x.as_ptr().add(i)))) }
    }

    #[inline(always)]
    fn store(self, out: &mut [f32; LANES]) {
        for (out, x) in out.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            // SAFETY: as above; there is room for four values.
            unsafe { vst1q_f32(out.as_mut_ptr(), x) }
        }
    }

    #[inline(always)]
    fn from_i32(_: Neon, x: &[i32; LANES]) -> Self {
        // SAFETY: as above; four values at 0, 4, 8 and 12 of sixteen.
        unsafe { Self([0, 4, 8, 12].map(|i| vcvtq_f32_s32(vld1q_s32(x.as_ptr().add(i))))) }
    }

    #[inline(always)]
    fn from_u8(_: Neon, x: &[u8; LANES]) -> Self {
        // SAFETY: as above; the array has sixteen bytes.
        unsafe {
            let x = vld1q_u8(x.as_ptr());
            let (low, high) = (vmovl_u8(vget_low_u8(x)), vmovl_high_u8(x));
            Self([
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
                vcvtq_f32_u32(vmovl_high_u16(low)),
                vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
                vcvtq_f32_u32(vmovl_high_u16(high)),
            ])
        }
    }

    #[inline(always)]
    fn to_u8(self, out: &mut [u8; LANES]) {
        // SAFETY: as above; the array has room for sixteen bytes.
        unsafe {
            let [a, b, c, d] = self.0.map(|x| vmovn_u32(vcvtq_u32_f32(x)));
            let (low, high) = (vmovn_u16(vcombine_u16(a, b)), vmovn_u16(vcombine_u16(c, d)));
            vst1q_u8(out.as_mut_ptr(), vcombine_u8(low, high));
        }
    }

    #[inline(always)]
    fn to_codes(x: [Self; 4], zero: i32, out: &mut [u8; 4 * LANES]) {
        for (x, out) in x.into_iter().zip(out.as_chunks_mut::<LANES>().0) {
            // SAFETY: as above; there is room for sixteen bytes.
            unsafe {
                // Narrowed with saturation, first to 16 bits, then to 0..=255.
                let zero = vdupq_n_s32(zero);
                let [a, b, c, d] = x.0.map(|x| vaddq_s32(vcvtnq_s32_f32(x), zero));
                let low = vqmovn_high_s32(vqmovn_s32(a), b);
                let high = vqmovn_high_s32(vqmovn_s32(c), d);
                vst1q_u8(out.as_mut_ptr(), vqmovun_high_s16(vqmovun_s16(low), high));
            }
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.zip(other, |a, b| vaddq_f32(a, b)) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.zip(other, |a, b| vsubq_f32(a, b)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.zip(other, |a, b| vmulq_f32(a, b)) }
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.zip(other, |a, b| vdivq_f32(a, b)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: as above.
        let four = |i: usize| unsafe { vfmaq_f32(term.0[i], self.0[i], factor.0[i]) };
        Self(std::array::from_fn(four))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, greater)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, less)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as above.
        unsafe { self.map(|x| vabsq_f32(x)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as above.
        unsafe { self.map(|x| vsqrtq_f32(x)) }
    }

    #[inline(always)]
    fn round(self) -> Self {
        // SAFETY: as above.
        unsafe { self.map(|x| vrndnq_f32(x)) }
    }

    #[inline(always)]
    fn pow2(self) -> Self {
        // SAFETY: as above.
        unsafe {
            self.map(|x| {
                let exponent = vaddq_s32(vcvtq_s32_f32(x), vdupq_n_s32(127));
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
            })
        }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        let [a, b, c, d] = unsafe { self.fold(|a, b| vaddq_f32(a, b)) };
        (a + c) + (b + d)
    }

    #[inline(always)]
    fn max_lane(self) -> f32 {
        let [a, b, c, d] = self.fold(greater);
        let greater = |x, other| if x > other { x } else { other };
        greater(greater(a, c), greater(b, d))
    }

    #[inline(always)]
    fn min_lane(self) -> f32 {
        let [a, b, c, d] = self.fold(less);
        let less = |x, other| if x < other { x } else { other };
        less(less(a, c), less(b, d))
    }
}

/// NEON, which this machine has:
///
/// ```
/// use pairgate_kernels::arch::neon::Neon;
/// let here: Option<Neon> = Neon::detect();
/// ```
/// ```compile_fail,E0423
/// use pairgate_kernels::arch::neon::Neon;
/// let here: Neon = Neon(());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Neon(());

impl Neon {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Arch for Neon {
    type F = NeonLanes;
    const NAME: &'static str = "neon";
    const UNIT: usize = 4;

    #[inline(always)]
    fn lanes(self) -> Self {
        self
    }

    #[inline(always)]
    fn tile_rows(_blocks: usize) -> usize {
        4
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
                _ => multiply::<4>(codes, panel, sums),
            }
        }
    }

    #[inline(always)]
    fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        // SAFETY: `self` proves that the set is there.
        unsafe { quads::neon(tile, sums) }
    }
}

/// The weights of a tile.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) weights: *const i8,
    pub(super) column_sums: *const i32,
    pub(super) blocks: usize,
}

/// Columns that are summed at once: four registers a row.
const STRIP: usize = 8;

/// Two partial sums of each column: register `i` has them of columns `2 * i` and `2 * i + 1`.
type Partial<const ROWS: usize> = [[int32x4_t; 4]; ROWS];

/// Codes are shifted to -128..=127, and units are taken in pairs, whose products are added in 16
/// bits. Two products of -128 * -128 would not fit, so the odd units' weights are inverted and
/// their products subtracted: `c * w = -(c * !w) - c`, and every such difference fits. What is
/// left is to subtract the codes of odd units, which is done at the end, row by row.
///
/// # Safety
/// As for [`Arch::tile`], with `ROWS` rows.
#[target_feature(enable = "neon")]
unsafe fn multiply<const ROWS: usize>(codes: TileRows<'_>, panel: Panel, sums: &mut TileSums) {
    // SAFETY: these rows are there.
    let shifts = std::array::from_fn::<_, ROWS, _>(|row| unsafe { odd_codes(codes, row) });
    for strip in 0..panel.blocks * (LANES / STRIP) {
        // SAFETY: the panel has this strip.
        let (partial, column_sums) = unsafe {
            let weights = panel.weights.add(strip * STRIP * Neon::UNIT);
            let step = panel.blocks * LANES * Neon::UNIT;
            let column_sums = panel.column_sums.add(strip * STRIP);
            (
                add_segments::<ROWS>(codes, weights, step),
                [vld1q_s32(column_sums), vld1q_s32(column_sums.add(4))],
            )
        };
        for ((partial, shift), row) in
            partial.iter().zip(shifts).zip(sums.chunks_exact_mut(TILE_COLUMNS))
        {
            let out = &mut row[strip * STRIP..][..STRIP];
            for (half, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let signed = vpaddq_s32(partial[2 * half], partial[2 * half + 1]);
                let shifted = vsubq_s32(signed, vdupq_n_s32(shift));
                let sum = vaddq_s32(shifted, vshlq_n_s32::<7>(column_sums[half]));
                // SAFETY: `out` has four sums.
                unsafe { vst1q_s32(out.as_mut_ptr(), sum) }
            }
        }
    }
}

/// The sum of `code - 128` over the odd units of a row's segments.
///
/// # Safety
/// The row's codes can be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn odd_codes(codes: TileRows<'_>, row: usize) -> i32 {
    let mut by_unit = vdupq_n_u32(0);
    let mut rest = 0;
    for segment in codes.segments {
        // SAFETY: `units` units are there from the segment's start.
        let codes = unsafe {
            let start = codes.first.add(row * codes.stride + segment);
            std::slice::from_raw_parts(start, codes.units * Neon::UNIT)
        };
        let (quads, tail) = codes.as_chunks::<16>();
        for quad in quads {
            // SAFETY: sixteen bytes.
            let quad = unsafe { vld1q_u8(quad.as_ptr()) };
            by_unit = vpadalq_u16(by_unit, vpaddlq_u8(quad));
        }
        rest += tail.iter().skip(4).take(4).map(|code| u32::from(*code)).sum::<u32>();
    }
    let sum =
        vgetq_lane_u32::<1>(by_unit).wrapping_add(vgetq_lane_u32::<3>(by_unit)).wrapping_add(rest);
    let odd_units = codes.segments.len() * (codes.units / 2);
    (sum as i32).wrapping_sub((128 * 4 * odd_units) as i32)
}

/// # Safety
/// As for [`Arch::tile`]: `step` bytes lie from one unit's weights of the strip to the next.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_segments<const ROWS: usize>(
    codes: TileRows<'_>,
    weights: *const i8,
    step: usize,
) -> Partial<ROWS> {
    let mut partial = [[vdupq_n_s32(0); 4]; ROWS];
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
                add_pair::<0, ROWS>(&mut partial, &quad, weights, step);
                add_pair::<2, ROWS>(&mut partial, &quad, weights.wrapping_add(2 * step), step);
            }
            code = code.wrapping_add(16);
            weights = weights.wrapping_add(4 * step);
        }
        let left = codes.units % 4;
        if left >= 2 {
            // SAFETY: two units are left.
            unsafe {
                let pair = std::array::from_fn(|row| {
                    let pair = vld1_u8(code.add(row * codes.stride));
                    signed(vcombine_u8(pair, pair))
                });
                add_pair::<0, ROWS>(&mut partial, &pair, weights, step);
            }
            code = code.wrapping_add(8);
            weights = weights.wrapping_add(2 * step);
        }
        if left % 2 == 1 {
            // SAFETY: one unit is left.
            unsafe {
                let last = std::array::from_fn(|row| unit(code.add(row * codes.stride)));
                add_last(&mut partial, last, weights);
            }
            weights = weights.wrapping_add(step);
        }
    }
    partial
}

/// Units `FIRST` and `FIRST + 1` of each row's four.
///
/// # Safety
/// Both units' weights can be read: 32 bytes from `weights` and from `weights + step`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_pair<const FIRST: i32, const ROWS: usize>(
    partial: &mut Partial<ROWS>,
    codes: &[int8x16_t; ROWS],
    weights: *const i8,
    step: usize,
) {
    // SAFETY: the caller's promise.
    let (even, odd) = unsafe {
        let odd = weights.add(step);
        (
            [vld1q_s8(weights), vld1q_s8(weights.add(16))],
            [vmvnq_s8(vld1q_s8(odd)), vmvnq_s8(vld1q_s8(odd.add(16)))],
        )
    };
    for (partial, codes) in partial.iter_mut().zip(codes) {
        add_products::<FIRST>(partial, *codes, even, odd);
    }
}

/// `partial + even * x - odd * y`, where `x` and `y` are units `FIRST` and `FIRST + 1` of `codes`.
///
/// The order is written out: four independent sums hide the latency of each step on in-order
/// cores, and the compiler would multiply for all rows first, which takes more registers than
/// there are. For the same reason it is not told that memory is left alone: it would load the
/// next units' weights too early.
#[inline]
#[target_feature(enable = "neon")]
fn add_products<const FIRST: i32>(
    partial: &mut [int32x4_t; 4],
    codes: int8x16_t,
    even: [int8x16_t; 2],
    odd: [int8x16_t; 2],
) {
    let [a, b, c, d] = partial;
    // SAFETY: it touches these registers only.
    unsafe {
        asm!(
            "dup     {x:v}.4s, {codes:v}.s[{first}]",
            "dup     {y:v}.4s, {codes:v}.s[{first} + 1]",
            "smull   {p:v}.8h, {e:v}.8b,  {x:v}.8b",
            "smull2  {q:v}.8h, {e:v}.16b, {x:v}.16b",
            "smull   {r:v}.8h, {f:v}.8b,  {x:v}.8b",
            "smull2  {s:v}.8h, {f:v}.16b, {x:v}.16b",
            "smlsl   {p:v}.8h, {o:v}.8b,  {y:v}.8b",
            "smlsl2  {q:v}.8h, {o:v}.16b, {y:v}.16b",
            "smlsl   {r:v}.8h, {u:v}.8b,  {y:v}.8b",
            "smlsl2  {s:v}.8h, {u:v}.16b, {y:v}.16b",
            "sadalp  {a:v}.4s, {p:v}.8h",
            "sadalp  {b:v}.4s, {q:v}.8h",
            "sadalp  {c:v}.4s, {r:v}.8h",
            "sadalp  {d:v}.4s, {s:v}.8h",
            first = const FIRST,
            codes = in(vreg) codes,
            a = inout(vreg) *a, b = inout(vreg) *b, c = inout(vreg) *c, d = inout(vreg) *d,
            e = in(vreg) even[0], f = in(vreg) even[1],
            o = in(vreg) odd[0], u = in(vreg) odd[1],
            x = out(vreg) _, y = out(vreg) _,
            p = out(vreg) _, q = out(vreg) _, r = out(vreg) _, s = out(vreg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// One unit of each row, four times over.
///
/// # Safety
/// 32 bytes can be read from `weights`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_last<const ROWS: usize>(
    partial: &mut Partial<ROWS>,
    codes: [int8x16_t; ROWS],
    weights: *const i8,
) {
    for half in 0..2 {
        // SAFETY: sixteen of the 32 bytes.
        let even = unsafe { vld1q_s8(weights.add(16 * half)) };
        for (partial, codes) in partial.iter_mut().zip(codes) {
            let low = vmull_s8(vget_low_s8(even), vget_low_s8(codes));
            let high = vmull_high_s8(even, codes);
            partial[2 * half] = vpadalq_s16(partial[2 * half], low);
            partial[2 * half + 1] = vpadalq_s16(partial[2 * half + 1], high);
        }
    }
}

/// Codes less 128.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn signed(codes: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(0x80)))
}

/// A unit of four codes less 128, four times over.
///
/// # Safety
/// Four bytes can be read.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn unit(code: *const u8) -> int8x16_t {
    // SAFETY: the caller's promise.
    let unit = unsafe { code.cast::<u32>().read_unaligned() };
    signed(vreinterpretq_u8_u32(vdupq_n_u32(unit)))
}
