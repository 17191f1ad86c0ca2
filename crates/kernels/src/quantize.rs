//! Activations to unsigned codes, with a scale and a zero point of their own for each row.

use super::arch::{Arch, LANES, Lanes};

/// Values that are encoded at a time.
const CHUNK: usize = 4 * LANES;

/// Codes to values: `(code - zero) * scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// From one code to the next. NaN where a value was not finite.
    pub scale: f32,
    /// The code of 0, 0 to 255.
    pub zero: i32,
}

/// The values of a row, or of a part of it.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The least of them, or 0.
    pub low: f32,
    /// The greatest of them, or 0.
    pub high: f32,
    /// Whether all are finite.
    pub finite: bool,
}

impl Span {
    /// Of no values.
    pub const EMPTY: Self = Self { low: 0.0, high: 0.0, finite: true };

    /// Of some values.
    #[inline(always)]
    pub fn of<A: Arch>(arch: A, x: &[f32]) -> Self {
        let (chunks, rest) = x.as_chunks::<LANES>();
        let (pairs, single) = chunks.as_chunks::<2>();
        let zero = arch.splat(0.0);
        let mut even = (zero, zero, zero);
        let mut odd = even;
        for [a, b] in pairs {
            even = widen(arch, even, arch.load(a));
            odd = widen(arch, odd, arch.load(b));
        }
        for x in single {
            even = widen(arch, even, arch.load(x));
        }
        odd = widen(arch, odd, part(arch, rest));
        Self {
            low: even.0.min(odd.0).min_lane(),
            high: even.1.max(odd.1).max_lane(),
            finite: even.2.add(odd.2).sum() == 0.0,
        }
    }

    /// Of the values of both.
    pub fn and(self, other: Self) -> Self {
        let (low, high) = (self.low.min(other.low), self.high.max(other.high));
        Self { low, high, finite: self.finite && other.finite }
    }

    /// The grid that has 256 codes for the span and one that is exactly 0.
    pub fn grid(self) -> Grid {
        if !self.finite {
            return Grid { scale: f32::NAN, zero: 0 };
        }
        // The least normal scale keeps the inverse finite. Spans so narrow, zeros among them, are
        // still right to half a step.
        let scale = (self.high / 255.0 - self.low / 255.0).max(f32::MIN_POSITIVE);
        Grid { scale, zero: (-self.low / scale).round_ties_even() as i32 }
    }
}

/// Least, greatest, and 0 as long as all values are finite: each with `x` taken in. A value that is
/// not a number leaves least and greatest as they are.
#[inline(always)]
fn widen<A: Arch>(arch: A, (low, high, check): (A::F, A::F, A::F), x: A::F) -> (A::F, A::F, A::F) {
    (x.min(low), x.max(high), x.mul_add(arch.splat(0.0), check))
}

/// Up to sixteen values, then zeros.
#[inline(always)]
pub(super) fn part<A: Arch>(arch: A, x: &[f32]) -> A::F {
    let mut all = [0.0; LANES];
    all[..x.len()].copy_from_slice(x);
    arch.load(&all)
}

impl Grid {
    /// Writes the code of each value: `x / scale` to the nearest whole number (ties to even), plus
    /// the zero point, within 0 to 255. Both slices have the same length. Where the scale is NaN
    /// the codes are any.
    #[inline(always)]
    pub fn encode<A: Arch>(&self, arch: A, x: &[f32], codes: &mut [u8]) {
        let (chunks, rest) = x.as_chunks::<CHUNK>();
        let (code_chunks, code_rest) = codes.as_chunks_mut::<CHUNK>();
        for (x, codes) in chunks.iter().zip(code_chunks) {
            self.encode_chunk(arch, x, codes);
        }
        let (chunks, rest) = rest.as_chunks::<LANES>();
        let (code_chunks, code_rest) = code_rest.as_chunks_mut::<LANES>();
        for (x, codes) in chunks.iter().zip(code_chunks) {
            self.encode_lanes(arch, arch.load(x), codes);
        }
        if !rest.is_empty() {
            let mut last = [0; LANES];
            self.encode_lanes(arch, part(arch, rest), &mut last);
            code_rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    #[inline(always)]
    fn encode_lanes<A: Arch>(&self, arch: A, x: A::F, codes: &mut [u8; LANES]) {
        let scaled = x.mul(arch.splat(1.0 / self.scale));
        arch.to_code(scaled, arch.splat(self.zero as f32), codes);
    }

    #[inline(always)]
    fn encode_chunk<A: Arch>(&self, arch: A, x: &[f32; CHUNK], codes: &mut [u8; CHUNK]) {
        let inverse = arch.splat(1.0 / self.scale);
        let mut scaled = [inverse; 4];
        for (scaled, x) in scaled.iter_mut().zip(x.as_chunks::<LANES>().0) {
            *scaled = arch.load(x).mul(inverse);
        }
        A::F::to_codes(scaled, self.zero, codes);
    }
}
