//! What differs between instruction sets: sixteen lanes of f32, and a tile of an integer product.

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

/// Sixteen f32 values.
///
/// Every operation acts on each lane by itself and gives the bits that IEEE 754 (round to nearest,
/// ties to even) says, so that all implementations agree. The methods are `#[inline(always)]`:
/// they must end up inside a function that enables the instruction set, which
/// [`Isa::run`](super::Isa::run) sees to.
pub trait Lanes: Copy {
    /// The same value in all lanes.
    fn splat(x: f32) -> Self;
    /// Reads sixteen values.
    fn load(x: &[f32; LANES]) -> Self;
    /// Writes sixteen values.
    fn store(self, out: &mut [f32; LANES]);
    /// Whole numbers, rounded to nearest even beyond 2^24.
    fn from_i32(x: &[i32; LANES]) -> Self;
    /// Unsigned bytes.
    fn from_u8(x: &[u8; LANES]) -> Self;
    /// Whole numbers 0 to 255 as bytes; others give any byte.
    fn to_u8(self, out: &mut [u8; LANES]);
    /// Each value to the nearest whole number (ties to even), plus `zero`, within 0 to 255.
    #[inline(always)]
    fn to_code(self, zero: Self, out: &mut [u8; LANES]) {
        self.round().add(zero).max(Self::splat(0.0)).min(Self::splat(255.0)).to_u8(out);
    }
    /// Sixty-four values, each to the nearest whole number (ties to even), plus `zero`, within 0 to
    /// 255. Values beyond 2^30 and those that are not numbers give any byte.
    #[inline(always)]
    fn to_codes(x: [Self; 4], zero: i32, out: &mut [u8; 4 * LANES]) {
        for (x, out) in x.into_iter().zip(out.as_chunks_mut::<LANES>().0) {
            x.to_code(Self::splat(zero as f32), out);
        }
    }
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

/// An instruction set.
pub trait Arch {
    /// Its lanes.
    type F: Lanes;
    /// Codes of a column that lie together in packed weights: 4 or 8; see
    /// [`pack`](super::pack).
    const UNIT: usize;

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
    /// The set is there; `1 <= rows <= tile_rows(blocks)`; all codes of those rows, and
    /// `segments.len() * units * UNIT * 16 * blocks` bytes from `weights`, 64-byte aligned, and
    /// `16 * blocks` column sums can be read.
    unsafe fn tile(
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
    /// # Safety
    /// The set is there.
    ///
    /// # Panics
    /// Where there are too few codes.
    #[inline(always)]
    unsafe fn quad_tile<const P: usize>(tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
        quads::plain(tile, sums);
    }
}
