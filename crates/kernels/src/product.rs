//! Products of f32 rows with int8 weights: each row is quantized by itself, multiplied exactly, and
//! turned back to f32.

use std::cell::RefCell;
use std::ops::Range;

use super::arch::Arch;
use super::epilogue::{Output, Strip};
use super::norm::{Norm, layer_norm_row};
use super::pack::PackedWeights;
use super::quantize::{Grid, Span};
use super::{Isa, Task, Team};

pub use super::epilogue::Epilogue;

/// Codes of a block of rows, which should stay in the second-level cache: a megabyte or more on
/// machines with wide vectors, and the weights of a panel need some of it.
const BLOCK_CODES: usize = 384 << 10;
/// With fewer rows for each thread, threads share columns instead: a tile is better for many rows,
/// and all threads would read all weights.
const ROWS_A_THREAD: usize = 24;
/// Threads take multiples of this many rows.
const ROW_STEP: usize = 6;

/// Where the rows of the left side come from.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// They lie in memory, `[rows, K]`.
    Matrix(&'a [f32]),
    /// The patches of an image, which do not overlap, in raster order. A row is one patch,
    /// `[channels, patch height, patch width]`; what is left at the right and at the bottom is not
    /// used.
    Patches {
        /// `[channels, height, width]`
        image: &'a [f32],
        /// Planes of the image.
        channels: usize,
        /// Its height in pixels.
        height: usize,
        /// Its width in pixels.
        width: usize,
        /// Height and width of a patch in pixels.
        patch: [usize; 2],
    },
}

impl Rows<'_> {
    /// # Panics
    /// If they are not `rows` rows of `length` values.
    fn check(&self, rows: usize, length: usize) {
        match *self {
            Self::Matrix(x) => assert_eq!(x.len(), rows * length, "length of the left side"),
            Self::Patches { image, channels, height, width, patch } => {
                assert_eq!(image.len(), channels * height * width, "length of the image");
                assert_eq!(rows, (height / patch[0]) * (width / patch[1]), "number of patches");
                assert_eq!(length, channels * patch[0] * patch[1], "values of a patch");
            }
        }
    }

    /// Row `row`, gathered into `room` if it has to be.
    fn row<'b>(&'b self, row: usize, room: &'b mut [f32]) -> &'b [f32] {
        match *self {
            Self::Matrix(x) => &x[row * room.len()..][..room.len()],
            Self::Patches { image, height, width, patch, .. } => {
                let across = width / patch[1];
                let (top, left) = (row / across * patch[0], row % across * patch[1]);
                let lines = Lines { image: &image[top * width + left..], width, height, patch };
                // A copy of a known length is a load and a store.
                match patch[1] {
                    4 => lines.gather(room, |to, from| to[..4].copy_from_slice(&from[..4])),
                    8 => lines.gather(room, |to, from| to[..8].copy_from_slice(&from[..8])),
                    16 => lines.gather(room, |to, from| to[..16].copy_from_slice(&from[..16])),
                    _ => lines.gather(room, |to, from| to.copy_from_slice(from)),
                }
                room
            }
        }
    }
}

/// Planes of an image, from the first value of a patch on.
struct Lines<'a> {
    image: &'a [f32],
    width: usize,
    height: usize,
    patch: [usize; 2],
}

impl Lines<'_> {
    /// Copies the lines of the patch, channel after channel.
    #[inline(always)]
    fn gather(&self, room: &mut [f32], copy: impl Fn(&mut [f32], &[f32])) {
        let [down, across] = self.patch;
        let mut plane = 0;
        for channel in room.chunks_exact_mut(down * across) {
            let mut start = plane;
            for line in channel.chunks_exact_mut(across) {
                copy(line, &self.image[start..][..across]);
                start += self.width;
            }
            plane += self.width * self.height;
        }
    }
}

/// `out[m, n] = epilogue(sum over k of x[m, k] * w[k, n])`, where a row of `x` is quantized with a
/// scale and a zero point of its own, after a layer norm if there is one.
///
/// `out` is `[rows, columns]`. A row with a value that is not finite gives NaN, and no row has an
/// influence on others.
///
/// # Panics
/// If lengths do not fit, or the weights are packed for another unit than [`Isa::unit`].
pub fn product(
    isa: Isa,
    team: &Team,
    rows: Rows<'_>,
    norm: Option<Norm<'_>>,
    weights: &PackedWeights,
    epilogue: Epilogue<'_>,
    out: &mut [f32],
) {
    let out = Output::new(out, weights.columns());
    let count = out.rows();
    assert_eq!(weights.unit(), isa.unit(), "weights are packed for another instruction set");
    rows.check(count, weights.rows());
    epilogue.check(count, weights.columns());
    let product = Product { rows, norm, weights, epilogue, out };
    if count < ROWS_A_THREAD * team.threads() {
        product.run(isa, team, 0..count);
    } else {
        team.split(count, ROW_STEP, |rows| product.run(isa, &Team::ALONE, rows));
    }
}

struct Product<'a> {
    rows: Rows<'a>,
    norm: Option<Norm<'a>>,
    weights: &'a PackedWeights,
    epilogue: Epilogue<'a>,
    out: Output<'a>,
}

/// Buffers of a thread, kept from one product to the next.
#[derive(Default)]
struct Scratch {
    /// The codes of a block of rows.
    codes: Vec<u8>,
    /// Their grids.
    grids: Vec<Grid>,
    /// A gathered row, and a normalized one.
    values: [Vec<f32>; 2],
    /// Where the segments of a row start.
    segments: Vec<usize>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Product<'_> {
    /// Computes some rows, block by block, their columns split over a team.
    fn run(&self, isa: Isa, team: &Team, rows: Range<usize>) {
        // Taken, not borrowed: a thread that waits for its team may be given another product.
        let mut scratch = SCRATCH.take();
        let stride = row_stride(self.weights);
        scratch.segments.clear();
        let segment = self.weights.units() * self.weights.unit();
        scratch.segments.extend((0..self.weights.segments()).map(|i| i * segment));
        let blocks = (rows.len() * stride).div_ceil(BLOCK_CODES);
        for block in 0..blocks {
            let from = rows.start + rows.len() * block / blocks;
            let to = rows.start + rows.len() * (block + 1) / blocks;
            isa.run(Encode { product: self, rows: from..to, stride, scratch: &mut scratch });
            let strip = Strip {
                codes: &scratch.codes,
                stride,
                segments: &scratch.segments,
                grids: &scratch.grids,
                rows: to - from,
                first_row: from,
            };
            team.split(self.weights.panels(), 1, |panels| {
                isa.run(Multiply { product: self, strip, panels });
            });
        }
        SCRATCH.set(scratch);
    }
}

/// Bytes from one row of codes to the next: whole cache lines, and an odd number of them so that
/// the rows of a tile do not compete for the same places in the cache.
fn row_stride(weights: &PackedWeights) -> usize {
    (weights.depth().div_ceil(64) | 1) * 64
}

/// Quantizes a block of rows.
struct Encode<'a> {
    product: &'a Product<'a>,
    rows: Range<usize>,
    stride: usize,
    scratch: &'a mut Scratch,
}

impl Task for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let Scratch { codes, grids, values: [gathered, normal], .. } = self.scratch;
        let weights = self.product.weights;
        grow(codes, self.rows.len() * self.stride);
        let gathered = grow(gathered, weights.rows());
        let normal = grow(normal, weights.rows());
        grids.clear();
        for (row, codes) in self.rows.zip(codes.chunks_exact_mut(self.stride)) {
            let mut x = self.product.rows.row(row, gathered);
            if let Some(norm) = &self.product.norm {
                layer_norm_row(arch, x, *norm, normal);
                x = normal;
            }
            let grid = Span::of(arch, x).grid();
            let segments = x.chunks(weights.segment_length().max(1));
            let places = codes.chunks_mut((weights.units() * A::UNIT).max(1));
            for (x, codes) in segments.zip(places) {
                grid.encode(arch, x, &mut codes[..x.len()]);
            }
            grids.push(grid);
        }
    }
}

/// The first `length` values of a buffer, which grows if it is too short.
pub(super) fn grow<T: Clone + Default>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        buffer.resize(length, T::default());
    }
    &mut buffer[..length]
}

/// Multiplies a block of rows with some panels of weights.
struct Multiply<'a> {
    product: &'a Product<'a>,
    strip: Strip<'a>,
    panels: Range<usize>,
}

impl Task for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let Product { weights, epilogue, out, .. } = self.product;
        let mut sums = [0; _];
        for panel in self.panels {
            // SAFETY: threads have different rows, or the same rows and different panels.
            unsafe { self.strip.multiply(arch, weights, panel, epilogue, out, &mut sums) };
        }
    }
}

/// The integer product alone, `[rows, columns]`: what tests compare between instruction sets.
#[derive(Debug)]
pub struct Sums<'a> {
    /// `[rows, K]`, in which segments are filled up to whole units.
    pub codes: &'a [u8],
    /// How many rows there are.
    pub rows: usize,
    /// The right side.
    pub weights: &'a PackedWeights,
}

impl Task for Sums<'_> {
    type Output = Vec<i32>;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Vec<i32> {
        let segment = self.weights.units() * A::UNIT;
        let segments: Vec<_> = (0..self.weights.segments()).map(|i| i * segment).collect();
        let stride = self.weights.depth();
        let (codes, segments) = (self.codes, segments.as_slice());
        Strip { codes, stride, segments, grids: &[], rows: self.rows, first_row: 0 }
            .sums(arch, self.weights)
    }
}
