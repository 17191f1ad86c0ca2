//! Convolutions of one image with int8 weights, without gathering patches: the image is quantized
//! once, with a border of zeros, and the tiles of a product read its codes in place.
//!
//! The taps of one row of the kernel lie side by side in the image, so that a row of a tile has a
//! segment for each row of the kernel; with dilation across, one for each tap.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Mutex;

use super::arch::Arch;
use super::disjoint::split_rows;
use super::epilogue::{Epilogue, Output, Strip};
use super::pack::PackedWeights;
use super::product::grow;
use super::quantize::{Grid, Span};
use super::{Isa, Task, Team};

/// Codes of a block of rows of the image, which should stay in the second-level cache.
const BLOCK_CODES: usize = 384 << 10;
/// With fewer pixels for each thread, threads share output channels instead.
const PIXELS_A_THREAD: usize = 24;

/// Where a kernel is put on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Height of the image in pixels.
    pub height: usize,
    /// Its width in pixels.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// Height and width of the kernel in taps.
    pub kernel: [usize; 2],
    /// Pixels from one place of the kernel to the next, down and across.
    pub strides: [usize; 2],
    /// Pixels from one tap to the next, down and across.
    pub dilations: [usize; 2],
    /// Pixels of zeros at the top, left, bottom and right.
    pub pads: [usize; 4],
}

impl Geometry {
    /// Height of the result in pixels.
    pub fn out_height(&self) -> usize {
        places(self.padded_height(), self.kernel[0], self.strides[0], self.dilations[0])
    }

    /// Width of the result in pixels.
    pub fn out_width(&self) -> usize {
        places(self.padded_width(), self.kernel[1], self.strides[1], self.dilations[1])
    }

    fn padded_height(&self) -> usize {
        self.height + self.pads[0] + self.pads[2]
    }

    fn padded_width(&self) -> usize {
        self.width + self.pads[1] + self.pads[3]
    }

    /// Values of a row of the padded image.
    fn pitch(&self) -> usize {
        self.padded_width() * self.channels
    }

    /// Taps of a row of the kernel that are one segment.
    fn joined_taps(&self) -> usize {
        if self.dilations[1] == 1 { self.kernel[1] } else { 1 }
    }

    /// Segments and values of each.
    fn segments(&self) -> [usize; 2] {
        let joined = self.joined_taps();
        [self.kernel[0] * self.kernel[1] / joined.max(1), joined * self.channels]
    }

    /// Where each segment starts in the padded image, from the first tap on.
    fn segment_starts(&self) -> impl Iterator<Item = usize> + use<'_> {
        let across = (0..self.kernel[1]).step_by(self.joined_taps().max(1));
        (0..self.kernel[0]).flat_map(move |y| {
            let down = y * self.dilations[0] * self.pitch();
            across.clone().map(move |x| down + x * self.dilations[1] * self.channels)
        })
    }

    /// Whether all pixels of the result are one strip: each row goes on where the last one ends.
    fn is_flat(&self) -> bool {
        self.strides[0] == 1 && self.out_width() * self.strides[1] == self.padded_width()
    }
}

/// How often a kernel fits.
fn places(length: usize, taps: usize, stride: usize, dilation: usize) -> usize {
    let reach = (taps.max(1) - 1) * dilation + 1;
    if length < reach { 0 } else { (length - reach) / stride + 1 }
}

/// Packs the weights of a convolution for [`convolve`]: those of output channel `n` are
/// `code(y, x, channel, n) * scales[n]`.
///
/// # Panics
/// If `unit` is neither 4 nor 8.
pub fn pack(
    unit: usize,
    geometry: &Geometry,
    scales: Vec<f32>,
    code: impl Fn(usize, usize, usize, usize) -> i8,
) -> PackedWeights {
    let (across, channels) = (geometry.kernel[1], geometry.channels);
    let [segments, length] = geometry.segments();
    PackedWeights::pack(unit, segments, length, scales, |k, n| {
        let (tap, channel) = (k / channels, k % channels);
        code(tap / across, tap % across, channel, n)
    })
}

/// Convolves an image, `[height, width, channels]`, into `out`, `[out height, out width, columns]`.
///
/// The image has one scale and one zero point, which is 0 where no value is negative. A value that
/// is not finite makes the whole result NaN.
///
/// # Panics
/// If lengths do not fit, or the weights are packed for another geometry or another unit than
/// [`Isa::unit`].
pub fn convolve(
    isa: Isa,
    team: &Team,
    input: &[f32],
    geometry: &Geometry,
    weights: &PackedWeights,
    epilogue: Epilogue<'_>,
    out: &mut [f32],
) {
    let out = Output::new(out, weights.columns());
    let pixels = geometry.out_height() * geometry.out_width();
    assert_eq!(input.len(), geometry.height * geometry.width * geometry.channels, "input length");
    assert_eq!(out.rows(), pixels, "pixels of the output");
    assert_eq!(weights.unit(), isa.unit(), "weights are packed for another instruction set");
    assert_eq!([weights.segments(), weights.segment_length()], geometry.segments(), "segments");
    epilogue.check(pixels, weights.columns());
    let convolution = Convolution { input, geometry, weights, epilogue, out };
    // Taken, not borrowed: a thread that waits for its team may be given another convolution.
    let mut scratch = SCRATCH.take();
    convolution.run(isa, team, &mut scratch);
    SCRATCH.set(scratch);
}

struct Convolution<'a> {
    input: &'a [f32],
    geometry: &'a Geometry,
    weights: &'a PackedWeights,
    epilogue: Epilogue<'a>,
    out: Output<'a>,
}

/// Buffers of a thread, kept from one convolution to the next.
#[derive(Default)]
struct Scratch {
    /// The codes of the padded image.
    codes: Vec<u8>,
    /// Where the segments of a row start.
    segments: Vec<usize>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Convolution<'_> {
    fn run(&self, isa: Isa, team: &Team, scratch: &mut Scratch) {
        let geometry = self.geometry;
        // Filling a segment up to whole units reads on into the next pixels, which are multiplied
        // by zero, and behind the last ones.
        let length = geometry.padded_height() * geometry.pitch() + self.weights.unit();
        let codes = grow(&mut scratch.codes, length);
        scratch.segments.clear();
        scratch.segments.extend(geometry.segment_starts());
        let grid = self.span(isa, team).grid();
        self.encode(isa, team, grid, codes);
        let image = Image { convolution: self, codes, segments: &scratch.segments, grid: &[grid] };
        let panels = self.weights.panels();
        let lines = if geometry.is_flat() { 1 } else { geometry.out_height() };
        let pixels = self.out.rows() / lines.max(1);
        let multiply = |lines, pixels, panels| isa.run(Multiply { image, lines, pixels, panels });
        if self.out.rows() < PIXELS_A_THREAD * team.threads() {
            team.split(panels, 1, |panels| multiply(0..lines, 0..pixels, panels));
        } else if lines == 1 {
            team.split(pixels, 1, |pixels| multiply(0..1, pixels, 0..panels));
        } else {
            team.split(lines, 1, |lines| multiply(lines, 0..pixels, 0..panels));
        }
    }

    /// The span of all values.
    fn span(&self, isa: Isa, team: &Team) -> Span {
        let whole = Mutex::new(Span::EMPTY);
        team.split(self.input.len(), 4096, |part| {
            let span = isa.run(Measure(&self.input[part]));
            if let Ok(mut whole) = whole.lock() {
                *whole = whole.and(span);
            }
        });
        whole.into_inner().unwrap_or(Span::EMPTY)
    }

    /// Writes the codes of the padded image.
    fn encode(&self, isa: Isa, team: &Team, grid: Grid, codes: &mut [u8]) {
        let pitch = self.geometry.pitch();
        let length = self.geometry.padded_height() * pitch;
        split_rows(team, &mut codes[..length], pitch, 1, |lines, codes| {
            isa.run(Encode { convolution: self, grid, codes, lines });
        });
    }
}

/// The span of some values.
struct Measure<'a>(&'a [f32]);

impl Task for Measure<'_> {
    type Output = Span;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Span {
        Span::of(arch, self.0)
    }
}

/// Quantizes lines of the padded image.
struct Encode<'a> {
    convolution: &'a Convolution<'a>,
    grid: Grid,
    codes: &'a mut [u8],
    lines: Range<usize>,
}

impl Task for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let Convolution { input, geometry, .. } = self.convolution;
        let length = geometry.width * geometry.channels;
        let left = geometry.pads[1] * geometry.channels;
        let zero = self.grid.zero as u8;
        for (line, codes) in self.lines.zip(self.codes.chunks_exact_mut(geometry.pitch())) {
            let inside = geometry.pads[0]..geometry.pads[0] + geometry.height;
            if !inside.contains(&line) {
                codes.fill(zero);
                continue;
            }
            let x = &input[(line - inside.start) * length..][..length];
            codes[..left].fill(zero);
            self.grid.encode(arch, x, &mut codes[left..left + length]);
            codes[left + length..].fill(zero);
        }
    }
}

/// A quantized image.
#[derive(Clone, Copy)]
struct Image<'a> {
    convolution: &'a Convolution<'a>,
    /// Padded, with what a unit may read beyond.
    codes: &'a [u8],
    /// Where the segments of a row start.
    segments: &'a [usize],
    /// Its only grid.
    grid: &'a [Grid],
}

impl<'a> Image<'a> {
    /// Pixels of a line of the result.
    fn strip(&self, line: usize, pixels: &Range<usize>) -> Strip<'a> {
        let geometry = self.convolution.geometry;
        let stride = geometry.strides[1] * geometry.channels;
        let start = line * geometry.strides[0] * geometry.pitch() + pixels.start * stride;
        Strip {
            codes: &self.codes[start..],
            stride,
            segments: self.segments,
            grids: self.grid,
            rows: pixels.len(),
            first_row: line * geometry.out_width() + pixels.start,
        }
    }
}

/// Multiplies lines of an image with some panels of weights.
struct Multiply<'a> {
    image: Image<'a>,
    lines: Range<usize>,
    pixels: Range<usize>,
    panels: Range<usize>,
}

impl Task for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let Convolution { geometry, weights, epilogue, out, .. } = self.image.convolution;
        let line_codes = (geometry.strides[0] * geometry.pitch()).max(1);
        let block = (BLOCK_CODES / line_codes).max(1);
        let mut sums = [0; _];
        for first in self.lines.clone().step_by(block) {
            let lines = first..self.lines.end.min(first + block);
            for panel in self.panels.clone() {
                for line in lines.clone() {
                    let strip = self.image.strip(line, &self.pixels);
                    // SAFETY: threads have different pixels, or the same pixels and different
                    // panels.
                    unsafe { strip.multiply(arch, weights, panel, epilogue, out, &mut sums) };
                }
            }
        }
    }
}
