//! A tile in slices, with all that [`Arch::tile`] asks of its caller asserted: for tests.

use super::{Arch, LANES, TileRows, TileSums};
use crate::{Isa, Task};

/// A tile to multiply; see [`TileRows`] and [`Arch::tile`].
#[derive(Debug, Clone, Copy)]
pub struct CheckedTile<'a> {
    /// All rows' codes, the first row at the start.
    pub codes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Where each segment starts in a row, in bytes.
    pub segments: &'a [usize],
    /// Units in each segment.
    pub units: usize,
    /// The panel, 64-byte aligned.
    pub weights: &'a [i8],
    /// The sums of its columns' weights.
    pub column_sums: &'a [i32],
    /// Rows, from 1 to [`Arch::tile_rows`].
    pub rows: usize,
    /// Blocks of sixteen columns, from 1 to 4.
    pub blocks: usize,
}

impl CheckedTile<'_> {
    /// The sums, on an instruction set. Those outside the tile are 0 or any other value.
    ///
    /// # Panics
    /// A slice is too short or not aligned, or `rows` or `blocks` is out of range.
    pub fn sums(self, isa: Isa) -> TileSums {
        isa.run(self)
    }

    fn check<A: Arch>(&self) {
        let Self { segments, units, rows, blocks, .. } = *self;
        assert!((1..=4).contains(&blocks) && (1..=A::tile_rows(blocks)).contains(&rows));
        let product =
            |factors: &[usize]| factors.iter().fold(1, |a: usize, b| a.saturating_mul(*b));
        let segment = product(&[units, A::UNIT]);
        let last = segments.iter().max().map_or(0, |start| start.saturating_add(segment));
        assert!(product(&[rows - 1, self.stride]).saturating_add(last) <= self.codes.len());
        assert!(product(&[segments.len(), segment, LANES, blocks]) <= self.weights.len());
        assert!(self.weights.as_ptr().addr().is_multiple_of(64));
        assert!(LANES * blocks <= self.column_sums.len());
    }
}

impl Task for CheckedTile<'_> {
    type Output = TileSums;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> TileSums {
        self.check::<A>();
        let Self { codes, stride, segments, units, weights, column_sums, rows, blocks } = self;
        let codes = TileRows {
            first: codes.as_ptr(),
            stride,
            segments,
            units,
            ahead: (std::ptr::null(), 0),
        };
        let mut sums: TileSums = [0; _];
        // SAFETY: `check` has seen to all of it.
        unsafe {
            arch.tile(codes, weights.as_ptr(), column_sums.as_ptr(), rows, blocks, &mut sums);
        }
        sums
    }
}
