//! What happens to the sums of a tile: back to f32, bias, activation, residual.

use std::marker::PhantomData;
use std::ops::Range;

use super::activation::Activation;
use super::arch::{Arch, LANES, Lanes, TILE_COLUMNS, TileRows, TileSums};
use super::pack::{PackedWeights, Panel};
use super::quantize::Grid;

/// Most bytes that are fetched ahead with each unit of a tile: two cache lines.
const MOST_AHEAD: usize = 128;
/// Blocks of a full panel.
const BLOCKS: usize = TILE_COLUMNS / LANES;

/// The steps after an integer product.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<'a> {
    /// Added to each column, `[columns]`; empty for none.
    pub bias: &'a [f32],
    /// Applied after the bias.
    pub activation: Activation,
    /// Added to each element, `[rows, columns]`.
    pub residual: Option<&'a [f32]>,
    /// Whether the residual is added before the activation, as ResNets do, or after it.
    pub residual_first: bool,
}

impl Epilogue<'_> {
    /// Nothing but the bias, which may be empty.
    pub fn bias(bias: &[f32]) -> Epilogue<'_> {
        Epilogue { bias, activation: Activation::None, residual: None, residual_first: false }
    }

    /// # Panics
    /// If a slice does not fit a result of that many rows and columns.
    pub(super) fn check(&self, rows: usize, columns: usize) {
        let bias = self.bias.len();
        assert!(bias == 0 || bias == columns, "{bias} biases for {columns} columns");
        let residual = self.residual.map_or(rows * columns, <[f32]>::len);
        assert_eq!(residual, rows * columns, "length of the residual");
    }

    /// Bias, residual and activation of a part of a row; the bias is filled up to whole blocks.
    #[inline(always)]
    fn finish<A: Arch>(&self, arch: A, x: &mut [A::F], residual: Option<&[f32]>) {
        if let (Some(residual), true) = (residual, self.residual_first) {
            add(arch, x, residual);
        }
        self.activation.apply_all(arch, x);
        if let (Some(residual), false) = (residual, self.residual_first) {
            add(arch, x, residual);
        }
    }

    /// The bias of a panel's columns, zeros where there is none.
    #[inline(always)]
    fn bias_of(&self, panel: &Panel<'_>) -> [[f32; LANES]; BLOCKS] {
        let bias = self.bias.get(panel.first..).unwrap_or(&[]);
        let bias = &bias[..bias.len().min(TILE_COLUMNS)];
        let mut all = [[0.0; LANES]; BLOCKS];
        all.as_flattened_mut()[..bias.len()].copy_from_slice(bias);
        all
    }
}

/// A result that threads write parts of.
pub(super) struct Output<'a> {
    first: *mut f32,
    rows: usize,
    columns: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice of numbers; its methods leave it to callers to keep threads apart.
unsafe impl Send for Output<'_> {}
// SAFETY: as above.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// Rows of `columns` values.
    ///
    /// # Panics
    /// If they are not whole rows.
    pub fn new(out: &'a mut [f32], columns: usize) -> Self {
        let rows = out.len() / columns.max(1);
        assert_eq!(rows * columns, out.len(), "length of the output");
        Self { first: out.as_mut_ptr(), rows, columns, borrow: PhantomData }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns of a row that a panel has.
    ///
    /// # Safety
    /// No other slice of these columns of this row lives.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    unsafe fn part(&self, row: usize, panel: &Panel<'_>) -> &mut [f32] {
        assert!(row < self.rows && panel.first < self.columns);
        let length = (self.columns - panel.first).min(TILE_COLUMNS);
        // SAFETY: it lies inside the slice, since row and column do; the caller vouches for the
        // rest.
        unsafe {
            let first = self.first.add(row * self.columns + panel.first);
            std::slice::from_raw_parts_mut(first, length)
        }
    }
}

/// How the rows of a strip are cut in tiles: divided once, since tiles can be short.
struct Cut {
    tiles: usize,
    /// Rows of each tile.
    each: usize,
    /// How many of the first tiles have one row more.
    longer: usize,
    /// Units of a row.
    units: usize,
    /// The next panel. The tiles of a panel fetch it, each an even part: the machine's own
    /// prefetching stops at each page, and bursts would hold up the tile.
    ahead: *const i8,
    /// Bytes of it that go with each unit of a tile.
    step: usize,
}

impl Cut {
    #[inline(always)]
    fn new<A: Arch>(rows: usize, weights: &PackedWeights, panel: &Panel<'_>) -> Self {
        let tiles = rows.div_ceil(A::tile_rows(panel.blocks));
        let units = weights.segments() * weights.units();
        let bytes = units * A::UNIT * LANES * panel.blocks;
        let share = bytes / (tiles * units).max(1);
        Self {
            tiles,
            each: rows / tiles.max(1),
            longer: rows % tiles.max(1),
            units,
            ahead: panel.weights.wrapping_add(bytes),
            step: share.next_power_of_two().clamp(16, MOST_AHEAD),
        }
    }

    #[inline(always)]
    fn rows(&self, tile: usize) -> Range<usize> {
        let start = tile * self.each + tile.min(self.longer);
        start..start + self.each + usize::from(tile < self.longer)
    }
}

/// Rows of codes whose results lie one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip<'a> {
    /// Code `i` of segment `s` of row `r` is at `r * stride + segments[s] + i`.
    pub codes: &'a [u8],
    /// Codes from one row to the next.
    pub stride: usize,
    /// Where each segment starts in a row.
    pub segments: &'a [usize],
    /// The grid of each row, or one for all.
    pub grids: &'a [Grid],
    /// How many rows there are.
    pub rows: usize,
    /// The row of the result that the first gives.
    pub first_row: usize,
}

impl Strip<'_> {
    /// Multiplies all rows with a panel of weights and writes the results. `sums` is room for those
    /// of a tile, whose values do not matter.
    ///
    /// # Safety
    /// No other thread reads or writes these columns of these rows of `out`.
    #[inline(always)]
    pub unsafe fn multiply<A: Arch>(
        &self,
        arch: A,
        weights: &PackedWeights,
        panel: usize,
        epilogue: &Epilogue<'_>,
        out: &Output<'_>,
        sums: &mut TileSums,
    ) {
        let panel = weights.panel(panel);
        self.check::<A>(weights);
        let bias = epilogue.bias_of(&panel);
        let cut = Cut::new::<A>(self.rows, weights, &panel);
        for tile in 0..cut.tiles {
            let rows = cut.rows(tile);
            self.announce(rows.clone(), &panel, epilogue, out);
            // SAFETY: `check` saw to the codes.
            unsafe { self.tile(arch, tile, &cut, weights, &panel, sums) };
            // SAFETY: the caller's promise is handed on.
            unsafe {
                match panel.blocks {
                    1 => self.write::<_, 1>(arch, rows, &panel, sums, &bias, epilogue, out),
                    2 => self.write::<_, 2>(arch, rows, &panel, sums, &bias, epilogue, out),
                    3 => self.write::<_, 3>(arch, rows, &panel, sums, &bias, epilogue, out),
                    _ => self.write::<_, 4>(arch, rows, &panel, sums, &bias, epilogue, out),
                }
            }
        }
    }

    /// The exact sums of all rows and columns, `[rows, columns]`.
    #[inline(always)]
    pub fn sums<A: Arch>(&self, arch: A, weights: &PackedWeights) -> Vec<i32> {
        self.check::<A>(weights);
        let mut all = vec![0; self.rows * weights.columns()];
        let mut sums: TileSums = [0; _];
        for panel in (0..weights.panels()).map(|panel| weights.panel(panel)) {
            let columns = panel.first..weights.columns().min(panel.first + TILE_COLUMNS);
            let cut = Cut::new::<A>(self.rows, weights, &panel);
            for tile in 0..cut.tiles {
                let rows = cut.rows(tile);
                // SAFETY: `check` saw to the codes.
                unsafe { self.tile(arch, tile, &cut, weights, &panel, &mut sums) };
                for (row, sums) in rows.zip(sums.chunks(TILE_COLUMNS)) {
                    let place = &mut all[row * weights.columns()..][columns.clone()];
                    place.copy_from_slice(&sums[..columns.len()]);
                }
            }
        }
        all
    }

    /// Multiplies the rows of a tile.
    ///
    /// # Safety
    /// `check` was passed; the cut is that of the strip and the panel, and has the tile.
    #[inline(always)]
    unsafe fn tile<A: Arch>(
        &self,
        arch: A,
        tile: usize,
        cut: &Cut,
        weights: &PackedWeights,
        panel: &Panel<'_>,
        sums: &mut TileSums,
    ) {
        let rows = cut.rows(tile);
        let codes = TileRows {
            first: self.codes[rows.start * self.stride..].as_ptr(),
            stride: self.stride,
            segments: self.segments,
            units: weights.units(),
            ahead: (cut.ahead.wrapping_add(tile * cut.units * cut.step), cut.step),
        };
        let column_sums = panel.sums.as_flattened().as_ptr();
        // SAFETY: the caller vouches for the codes and the rows, and the panel is whole.
        unsafe { arch.tile(codes, panel.weights, column_sums, rows.len(), panel.blocks, sums) };
    }

    /// # Panics
    /// If tiles would read codes that are not there.
    #[inline(always)]
    fn check<A: Arch>(&self, weights: &PackedWeights) {
        assert_eq!(weights.unit(), A::UNIT, "weights are packed for another instruction set");
        assert_eq!(weights.segments(), self.segments.len(), "segments of codes and weights");
        let farthest = self.segments.iter().max().copied().unwrap_or(0);
        // Sizes can be any numbers: what does not fit is more than all codes.
        let end = (self.rows.max(1) - 1)
            .saturating_mul(self.stride)
            .saturating_add(farthest)
            .saturating_add(weights.units() * A::UNIT);
        assert!(end <= self.codes.len(), "too few codes");
    }

    /// Fetches what the epilogue of a tile will read and write: cache lines far apart, which would
    /// come too late, while the tile itself gives plenty of time.
    #[inline(always)]
    fn announce(
        &self,
        rows: Range<usize>,
        panel: &Panel<'_>,
        epilogue: &Epilogue<'_>,
        out: &Output<'_>,
    ) {
        for row in rows {
            let start = (self.first_row + row) * out.columns + panel.first;
            for block in 0..panel.blocks {
                let place = start + block * LANES;
                prefetch(out.first.wrapping_add(place));
                if let Some(residual) = epilogue.residual {
                    prefetch(residual.as_ptr().wrapping_add(place));
                }
            }
        }
    }

    /// Turns the sums of a tile into results.
    ///
    /// # Safety
    /// As [`Strip::multiply`].
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    unsafe fn write<A: Arch, const N: usize>(
        &self,
        arch: A,
        rows: Range<usize>,
        panel: &Panel<'_>,
        sums: &TileSums,
        bias: &[[f32; LANES]; BLOCKS],
        epilogue: &Epilogue<'_>,
        out: &Output<'_>,
    ) {
        // Arrays, so that the loop over blocks is unrolled and its values stay in registers.
        let (scales, columns) = (panel.scales.first_chunk::<N>(), panel.sums.first_chunk::<N>());
        let (Some(scales), Some(columns)) = (scales, columns) else {
            unreachable!("a panel has scales and sums for all of its blocks");
        };
        for (row, sums) in rows.zip(sums.as_chunks::<TILE_COLUMNS>().0) {
            let grid = self.grids[if self.grids.len() == 1 { 0 } else { row }];
            let scale = arch.splat(grid.scale);
            let mut x = [scale; N];
            for block in 0..N {
                let sums = &sums.as_chunks::<LANES>().0[block];
                // What follows a ReLU has a zero point of 0.
                let sums = match grid.zero {
                    0 => arch.load_i32(sums),
                    zero => arch.load_i32(&without_zero(sums, zero, &columns[block])),
                };
                let factor = arch.load(&scales[block]).mul(scale);
                x[block] = sums.mul_add(factor, arch.load(&bias[block]));
            }
            let row = self.first_row + row;
            // SAFETY: the caller's promise is handed on.
            let place = unsafe { out.part(row, panel) };
            let start = row * out.columns + panel.first;
            let residual = epilogue.residual.map(|x| &x[start..start + place.len()]);
            epilogue.finish(arch, &mut x, residual);
            store(&x, place);
        }
    }
}

/// Fetches a cache line into the first-level cache, if there is one at the address; does nothing on
/// machines but x86-64 and aarch64.
#[inline(always)]
fn prefetch(place: *const f32) {
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
    // SAFETY: a hint, which no address makes invalid; every x86-64 machine has SSE.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{place}]",
            place = in(reg) place,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Sums of codes to sums of codes less their zero point.
#[inline(always)]
fn without_zero(sums: &[i32; LANES], zero: i32, columns: &[i32; LANES]) -> [i32; LANES] {
    let mut without = *sums;
    for (sum, column) in without.iter_mut().zip(columns) {
        *sum = sum.wrapping_sub(zero.wrapping_mul(*column));
    }
    without
}

/// Adds values to as many lanes.
#[inline(always)]
fn add<A: Arch>(arch: A, x: &mut [A::F], values: &[f32]) {
    let mut all = [0.0; TILE_COLUMNS];
    let values = if values.len() == x.len() * LANES {
        values
    } else {
        all[..values.len()].copy_from_slice(values);
        &all
    };
    for (x, values) in x.iter_mut().zip(values.as_chunks::<LANES>().0) {
        *x = x.add(arch.load(values));
    }
}

/// Writes as many lanes as there is room for.
#[inline(always)]
fn store<F: Lanes>(x: &[F], out: &mut [f32]) {
    if out.len() == x.len() * LANES {
        for (x, out) in x.iter().zip(out.as_chunks_mut::<LANES>().0) {
            x.store(out);
        }
        return;
    }
    let mut all = [0.0; TILE_COLUMNS];
    for (x, all) in x.iter().zip(all.as_chunks_mut::<LANES>().0) {
        x.store(all);
    }
    out.copy_from_slice(&all[..out.len()]);
}
