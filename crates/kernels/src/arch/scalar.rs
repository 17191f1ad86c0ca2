//! The reference: plain Rust, for every machine.

use super::{Arch, LANES, Lanes, TILE_COLUMNS, TileRows, TileSums};

/// Sixteen values in an array.
///
/// The operations are calls: unrolled into every kernel they would be most of the program, for a set
/// that is there to be right.
#[derive(Debug, Clone, Copy)]
pub struct ScalarLanes([f32; LANES]);

impl ScalarLanes {
    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn fold(self, f: impl Fn(f32, f32) -> f32) -> f32 {
        let mut lanes = self.0;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] = f(lanes[i], lanes[i + half]);
            }
        }
        lanes[0]
    }
}

impl Lanes for ScalarLanes {
    type Set = Scalar;

    #[inline(always)]
    fn splat(_: Scalar, x: f32) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    fn load(_: Scalar, x: &[f32; LANES]) -> Self {
        Self(*x)
    }

    #[inline(always)]
    fn store(self, out: &mut [f32; LANES]) {
        *out = self.0;
    }

    #[inline(always)]
    fn from_i32(_: Scalar, x: &[i32; LANES]) -> Self {
        Self(x.map(|x| x as f32))
    }

    #[inline(always)]
    fn from_u8(_: Scalar, x: &[u8; LANES]) -> Self {
        Self(x.map(f32::from))
    }

    #[inline(always)]
    fn to_u8(self, out: &mut [u8; LANES]) {
        *out = self.0.map(|x| x as u8);
    }

    #[inline(always)]
    fn to_codes(x: [Self; 4], zero: i32, out: &mut [u8; 4 * LANES]) {
        for (x, out) in x.into_iter().zip(out.as_chunks_mut::<LANES>().0) {
            Scalar.to_code(x, Scalar.splat(zero as f32), out);
        }
    }

    #[inline(never)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(never)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(never)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(never)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(factor.0[i], term.0[i])))
    }

    #[inline(never)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(never)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(never)]
    fn abs(self) -> Self {
        self.map(f32::abs)
    }

    #[inline(never)]
    fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }

    #[inline(never)]
    fn round(self) -> Self {
        self.map(f32::round_ties_even)
    }

    #[inline(never)]
    fn pow2(self) -> Self {
        self.map(|x| f32::from_bits(((x as i32).wrapping_add(127) << 23) as u32))
    }

    #[inline(never)]
    fn sum(self) -> f32 {
        self.fold(|a, b| a + b)
    }

    #[inline(never)]
    fn max_lane(self) -> f32 {
        self.fold(|a, b| if a > b { a } else { b })
    }

    #[inline(never)]
    fn min_lane(self) -> f32 {
        self.fold(|a, b| if a < b { a } else { b })
    }
}

/// Plain Rust, for every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar;

impl Arch for Scalar {
    type F = ScalarLanes;
    const NAME: &'static str = "scalar";
    const UNIT: usize = 4;

    #[inline(always)]
    fn lanes(self) -> Self {
        self
    }

    fn tile_rows(_blocks: usize) -> usize {
        4
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
        // SAFETY: the caller's promises, passed on.
        unsafe {
            match rows {
                1 => multiply::<1>(codes, weights, blocks, sums),
                2 => multiply::<2>(codes, weights, blocks, sums),
                3 => multiply::<3>(codes, weights, blocks, sums),
                _ => multiply::<4>(codes, weights, blocks, sums),
            }
        }
    }
}

/// # Safety
/// As for [`Arch::tile`], with `ROWS` rows.
#[inline(never)]
unsafe fn multiply<const ROWS: usize>(
    codes: TileRows<'_>,
    weights: *const i8,
    blocks: usize,
    sums: &mut TileSums,
) {
    const BLOCK: usize = LANES * Scalar::UNIT;
    for block in 0..blocks {
        let mut block_sums = [[0; LANES]; ROWS];
        let mut weights = weights.wrapping_add(block * BLOCK);
        for segment in codes.segments {
            let mut code = codes.first.wrapping_add(*segment);
            for _ in 0..codes.units {
                // SAFETY: a unit is left of the panel, and of the segment in each row.
                unsafe {
                    let unit = tap_by_tap(&*weights.cast());
                    for (row, sums) in block_sums.iter_mut().enumerate() {
                        add_unit(sums, *code.add(row * codes.stride).cast(), &unit);
                    }
                }
                weights = weights.wrapping_add(blocks * BLOCK);
                code = code.wrapping_add(Scalar::UNIT);
            }
        }
        for (block_sums, row) in block_sums.iter().zip(sums.chunks_exact_mut(TILE_COLUMNS)) {
            row[block * LANES..][..LANES].copy_from_slice(block_sums);
        }
    }
}

/// The weights of a unit as 16-bit numbers, those of all columns for one code after those for
/// another: once for all rows, and in the order that vectors are read in, where the compiler makes
/// some.
#[inline(always)]
fn tap_by_tap(unit: &[[i8; Scalar::UNIT]; LANES]) -> [[i16; LANES]; Scalar::UNIT] {
    std::array::from_fn(|tap| unit.map(|column| i16::from(column[tap])))
}

/// The products of a unit of a row.
#[inline(always)]
fn add_unit(
    sums: &mut [i32; LANES],
    codes: [u8; Scalar::UNIT],
    unit: &[[i16; LANES]; Scalar::UNIT],
) {
    for (code, weights) in codes.iter().zip(unit) {
        let code = i16::from(*code);
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = sum.wrapping_add(i32::from(code) * i32::from(*weight));
        }
    }
}
