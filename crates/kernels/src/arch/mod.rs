//! What differs between instruction sets: sixteen lanes of f32, and a tile of an integer product.
//!
//! A set is a value of no size that its `detect` gives where the machine has it, and that nothing
//! else makes. Lanes come from such a value, so that kernels are safe code: they cannot reach an
//! instruction that the machine has not.

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
pub mod checked;
#[cfg(target_arch = "aarch64")]
pub mod dotprod;
#[cfg(target_arch = "aarch64")]
pub mod i8mm;
#[cfg(target_arch = "aarch64")]
pub mod neon;
pub mod quads;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
pub mod vnni256;

pub use quads::{QuadTile, Quads};

/// Lanes of a [`Lanes`].
pub const LANES: usize = 16;
/// Columns of a full tile.
pub const TILE_COLUMNS: usize = 64;
/// Rows of the tallest tile of any set.
pub const MAX_TILE_ROWS: usize = 12;
/// Sums of one tile: row `r`, column `c` at `r * TILE_COLUMNS + c`.
pub type TileSums = [i32; MAX_TILE_ROWS * TILE_COLUMNS];

/// Sixteen f32 values in registers of an instruction set.
///
/// Every operation acts on each lane by itself and gives the bits that IEEE 754 (round to nearest,
/// ties to even) says, so that all implementations agree.
///
/// Values come from a set that was detected, or from other values: whoever has one may call all of
/// its methods. These are `#[inline(always)]`: they are instructions where they end up inside a
/// function that enables the set, which [`Isa::run`](super::Isa::run) sees to, and slow elsewhere.
pub trait Lanes: Copy {
    /// Proves that the machine has the registers.
    type Set: Copy;

    /// The same value in all lanes.
    fn splat(set: Self::Set, x: f32) -> Self;
    /// Reads sixteen values.
    fn load(set: Self::Set, x: &[f32; LANES]) -> Self;
    /// Whole numbers, rounded to nearest even beyond 2^24.
    fn from_i32(set: Self::Set, x: &[i32; LANES]) -> Self;
    /// Unsigned bytes.
    fn from_u8(set: Self::Set, x: &[u8; LANES]) -> Self;
    /// Writes sixteen values.
    fn store(self, out: &mut [f32; LANES]);
    /// Whole numbers 0 to 255 as bytes; others give any byte.
    fn to_u8(self, out: &mut [u8; LANES]);
    /// Sixty-four values, each to the nearest whole number (ties to even), plus `zero`, within 0 to
    /// 255. Values beyond 2^30 and those that are not numbers give any byte.
    fn to_codes(x: [Self; 4], zero: i32, out: &mut [u8; 4 * LANES]);
    /// `self + other`
    fn add(self, other: Self) -> Self;
    /// `self - other`
    fn sub(self, other: Self) -> Self;
    /// `self * other`
    fn mul(self, other: Self) -> Self;
    /// `self / other`
    fn div(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `if self > other { self } else { other }`: `other` where one of them is NaN.
    fn max(self, other: Self) -> Self;
    /// `if self < other { self } else { other }`: `other` where one of them is NaN.
    fn min(self, other: Self) -> Self;
    /// The sign bit cleared.
    fn abs(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The nearest whole number, ties to even.
    fn round(self) -> Self;
    /// `2^self` for whole numbers -126 to 127; 0 for -127, infinity for 128.
    fn pow2(self) -> Self;
    /// All lanes added: lane `i` and `i + 8`, then `i + 4`, `i + 2`, `i + 1`.
    fn sum(self) -> f32;
    /// The greatest lane, folded in the order of [`Lanes::sum`] with the rule of [`Lanes::max`].
    fn max_lane(self) -> f32;
    /// The least lane, likewise.
    fn min_lane(self) -> f32;
}

/// The rows that a tile multiplies: unsigned codes, in segments that need not lie together.
///
/// Code `i` of segment `s` of row `r` lies at `first + r * stride + segments[s] + i`.
#[derive(Debug, Clone, Copy)]
pub struct TileRows<'a> {
    /// The first row.
    pub first: *const u8,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Where each segment starts in a row, in bytes.
    pub segments: &'a [usize],
    /// Units of [`Arch::UNIT`] codes in each segment.
    pub units: usize,
    /// What will be read soon, and how many bytes of it to fetch with each unit. A hint: it may
    /// point anywhere.
    pub ahead: (*const i8, usize),
}

/// An instruction set that this machine has: only detection makes a value.
pub trait Arch: Copy {
    /// Its lanes.
    type F: Lanes;
    /// Its name, as `PAIRGATE_ISA` takes it.
    const NAME: &'static str;
    /// Codes of a column that lie together in packed weights: 4 or 8; see
    /// [`pack`](super::pack).
    const UNIT: usize;

    /// What makes lanes.
    fn lanes(self) -> <Self::F as Lanes>::Set;

    /// [`Lanes::splat`]
    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        Self::F::splat(self.lanes(), x)
    }

    /// [`Lanes::load`]
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::F {
        Self::F::load(self.lanes(), x)
    }

    /// [`Lanes::from_i32`]
    #[inline(always)]
    fn load_i32(self, x: &[i32; LANES]) -> Self::F {
        Self::F::from_i32(self.lanes(), x)
    }

    /// [`Lanes::from_u8`]
    #[inline(always)]
    fn load_u8(self, x: &[u8; LANES]) -> Self::F {
        Self::F::from_u8(self.lanes(), x)
    }

    /// Each value to the nearest whole number (ties to even), plus `zero`, within 0 to 255.
    #[inline(always)]
    fn to_code(self, x: Self::F, zero: Self::F, out: &mut [u8; LANES]) {
        x.round().add(zero).max(self.splat(0.0)).min(self.splat(255.0)).to_u8(out);
    }

    /// Rows of the tallest tile that is `blocks` (1 to 4) blocks of sixteen columns wide; at most
    /// [`MAX_TILE_ROWS`].
    fn tile_rows(blocks: usize) -> usize;

    /// Sums of `code * weight` of a tile: `sums[r * 64 + c]` for `r < rows`, `c < 16 * blocks`, exact
    /// in i32 (wrapping). The other sums are left as they are or get any value.
    ///
    /// `weights` is a panel of `blocks` blocks, see [`pack`](super::pack); `column_sums` are the
    /// sums of its columns' weights, for sets whose products are signed on both sides.
    ///
    /// # Safety
    /// `1 <= rows <= tile_rows(blocks)`; all codes of those rows, and
    /// `segments.len() * units * UNIT * 16 * blocks` bytes from `weights`, 64-byte aligned, and
    /// `16 * blocks` column sums can be read.
    unsafe fn tile(
        self,
        codes: TileRows<'_>,
        weights: *const i8,
        column_sums: *const i32,
        rows: usize,
        blocks: usize,
        sums: &mut TileSums,
    );

    /// Adds `code * weight` of all taps to the sums of `P` pixels of a depthwise convolution, exact in
    /// i32 (wrapping).
    ///
    /// # Panics
    /// Where there are too few codes.
    #[inline(always)]
    fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        quads::plain(tile, sums);
    }
}
