//! Depthwise convolution of one image with int8 weights: the image is quantized on one grid, sums
//! are exact.
//!
//! Sixteen channels at a time are copied out of the image as codes, four taps of a row side by side,
//! so that one instruction multiplies and adds four taps where the set has one for that.

use std::ops::Range;
use std::sync::Mutex;

use super::arch::{Arch, LANES, Lanes, QuadTile, Quads};
use super::convolve::Geometry;
use super::depthwise::finish;
use super::disjoint::split_rows;
use super::lines::Lines;
use super::norm::{load_padded, store_part};
use super::product::Epilogue;
use super::quantize::{Grid, Span};
use super::transpose::interleave;
use super::{Activation, Isa, Task, Team};

/// Taps that are multiplied at once.
const GROUP: usize = 4;

/// Weights of a depthwise convolution as int8 codes: `code * scale of the channel`.
pub struct PackedDepthwise {
    kernel: [usize; 2],
    channels: usize,
    /// `[blocks of sixteen channels, taps down, groups of taps across]`
    weights: Lines,
    /// Zeros up to whole blocks.
    scales: Vec<[f32; LANES]>,
    /// Sums of each channel's codes.
    sums: Vec<[i32; LANES]>,
}

impl PackedDepthwise {
    /// Packs codes: `code(down, across, channel)` for a channel for each of `scales`.
    pub fn pack(
        kernel: [usize; 2],
        scales: &[f32],
        code: impl Fn(usize, usize, usize) -> i8,
    ) -> Self {
        let channels = scales.len();
        let blocks = channels.div_ceil(LANES);
        let groups = kernel[1].div_ceil(GROUP);
        let mut packed = Self {
            kernel,
            channels,
            weights: Lines::zeros(blocks * kernel[0] * groups),
            scales: vec![[0.0; LANES]; blocks],
            sums: vec![[0; LANES]; blocks],
        };
        packed.scales.as_flattened_mut()[..channels].copy_from_slice(scales);
        let sums = packed.sums.as_flattened_mut();
        for (channel, sum) in sums[..channels].iter_mut().enumerate() {
            for tap in 0..kernel[0] * kernel[1] {
                let (down, across) = (tap / kernel[1], tap % kernel[1]);
                let code = code(down, across, channel);
                let row = channel / LANES * kernel[0] + down;
                let quads = &mut packed.weights.quads_mut()[row * groups + across / GROUP];
                quads[channel % LANES][across % GROUP] = code.cast_unsigned();
                *sum += i32::from(code);
            }
        }
        packed
    }

    /// Quantizes weights `weight(down, across, channel)` and packs them. The scale of a channel is
    /// its greatest magnitude divided by 127 (1 where all are zero), its codes are -127 to 127,
    /// rounded to nearest even.
    pub fn quantized(
        kernel: [usize; 2],
        channels: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let taps = || (0..kernel[0] * kernel[1]).map(|tap| (tap / kernel[1], tap % kernel[1]));
        let scale = |channel| {
            let weights = taps().map(|(down, across)| weight(down, across, channel).abs());
            let greatest = weights.fold(0.0, f32::max);
            if greatest > 0.0 { greatest / 127.0 } else { 1.0 }
        };
        let scales: Vec<f32> = (0..channels).map(scale).collect();
        Self::pack(kernel, &scales, |down, across, channel| {
            (weight(down, across, channel) / scales[channel]).round_ties_even() as i8
        })
    }

    /// Groups of taps of a row of the kernel.
    fn groups(&self) -> usize {
        self.kernel[1].div_ceil(GROUP)
    }

    /// The taps of a block of channels.
    fn block(&self, block: usize) -> &[Quads] {
        let size = self.kernel[0] * self.groups();
        &self.weights.quads()[block * size..][..size]
    }
}

/// [`depthwise`](super::depthwise::depthwise) on integers: the image has one scale and one zero
/// point, weights a scale for each output channel. A value that is not finite makes the whole result
/// NaN.
///
/// # Panics
/// Where the sizes do not fit together.
#[allow(clippy::too_many_arguments)]
pub fn depthwise_int8(
    isa: Isa,
    team: &Team,
    input: &[f32],
    geometry: &Geometry,
    multiplier: usize,
    weights: &PackedDepthwise,
    epilogue: Epilogue<'_>,
    out: &mut [f32],
) {
    let channels = geometry.channels * multiplier;
    let [height, width] = [geometry.out_height(), geometry.out_width()];
    assert_eq!(input.len(), geometry.height * geometry.width * geometry.channels, "the input");
    assert_eq!(weights.channels, channels, "channels of the weights");
    assert_eq!(weights.kernel, geometry.kernel, "the kernel");
    assert_eq!(out.len(), height * width * channels, "the result");
    epilogue.check(height * width, channels);
    let grid = span(isa, team, input).grid();
    split_rows(team, out, width * channels, 1, |rows, out| {
        isa.run(Strip { input, geometry, multiplier, weights, epilogue, grid, rows, out });
    });
}

/// The span of all values.
fn span(isa: Isa, team: &Team, x: &[f32]) -> Span {
    let whole = Mutex::new(Span::EMPTY);
    team.split(x.len(), 4096, |part| {
        let span = isa.run(Measure(&x[part]));
        if let Ok(mut whole) = whole.lock() {
            *whole = whole.and(span);
        }
    });
    whole.into_inner().unwrap_or(Span::EMPTY)
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

/// Some rows of the result.
struct Strip<'a> {
    input: &'a [f32],
    geometry: &'a Geometry,
    multiplier: usize,
    weights: &'a PackedDepthwise,
    epilogue: Epilogue<'a>,
    grid: Grid,
    rows: Range<usize>,
    out: &'a mut [f32],
}

/// Sixteen channels of what a strip reads.
struct Plane {
    /// Codes of a row of the image and its pads; then zero points, as far as the taps reach.
    codes: Vec<[u8; LANES]>,
    /// Quads from one row to the next.
    pitch: usize,
    /// The rows that the strip sees.
    quads: Lines,
}

/// What turns the sums of sixteen channels to values.
struct Columns<F> {
    /// The sums of nothing but zeros of the grid, negated.
    start: [i32; LANES],
    scales: F,
    bias: F,
}

/// [`Grid::encode`] of sixteen values, again and again.
struct Coder<A: Arch> {
    arch: A,
    inverse: A::F,
    zero: A::F,
}

impl<A: Arch> Coder<A> {
    #[inline(always)]
    fn new(arch: A, grid: Grid) -> Self {
        Self { arch, inverse: arch.splat(1.0 / grid.scale), zero: arch.splat(grid.zero as f32) }
    }

    #[inline(always)]
    fn encode(&self, x: A::F, codes: &mut [u8; LANES]) {
        self.arch.to_code(x.mul(self.inverse), self.zero, codes);
    }
}

impl Task for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(mut self, arch: A) {
        let mut plane = self.plane();
        for first in (0..self.weights.channels).step_by(LANES) {
            let channels = first..self.weights.channels.min(first + LANES);
            self.fill(arch, &mut plane, channels.clone());
            let columns = self.columns(arch, channels.clone());
            for row in self.rows.clone() {
                self.line(arch, &plane, row, channels.clone(), &columns);
            }
        }
    }
}

impl Strip<'_> {
    /// Room for a plane.
    fn plane(&self) -> Plane {
        let Geometry { width, kernel, strides, dilations, pads, .. } = *self.geometry;
        let across = (self.geometry.out_width() - 1) * strides[1];
        let pitch = across + (self.weights.groups() - 1) * GROUP * dilations[1] + 1;
        let reach = pitch + (GROUP - 1) * dilations[1];
        let height = (self.rows.len() - 1) * strides[0] + (kernel[0] - 1) * dilations[0] + 1;
        Plane {
            codes: vec![[self.grid.zero as u8; LANES]; reach.max(pads[1] + width)],
            pitch,
            quads: Lines::zeros(height * pitch),
        }
    }

    /// Copies some output channels' codes into a plane.
    #[inline(always)]
    fn fill<A: Arch>(&self, arch: A, plane: &mut Plane, channels: Range<usize>) {
        let Geometry { height, width, strides, dilations, pads, .. } = *self.geometry;
        let nothing = [[self.grid.zero as u8; GROUP]; LANES];
        let first = self.rows.start * strides[0];
        for (i, quads) in plane.quads.quads_mut().chunks_exact_mut(plane.pitch).enumerate() {
            let y = (first + i).wrapping_sub(pads[0]);
            if y >= height {
                quads.fill(nothing);
                continue;
            }
            let codes = &mut plane.codes[pads[1]..][..width];
            self.encode(arch, y, channels.clone(), codes);
            let step = dilations[1];
            for (x, quads) in quads.iter_mut().enumerate() {
                let taps = &plane.codes[x..=x + 3 * step];
                interleave([&taps[0], &taps[step], &taps[2 * step], &taps[3 * step]], quads);
            }
        }
    }

    /// Codes of a row of the image.
    #[inline(always)]
    fn encode<A: Arch>(
        &self,
        arch: A,
        y: usize,
        channels: Range<usize>,
        codes: &mut [[u8; LANES]],
    ) {
        let size = self.geometry.channels;
        let line = &self.input[y * self.geometry.width * size..][..self.geometry.width * size];
        let coder = Coder::new(arch, self.grid);
        if self.multiplier == 1 && channels.len() == LANES {
            let mut at = channels.start;
            for codes in codes {
                coder.encode(load_padded(arch, &line[at..][..LANES], 0.0), codes);
                at += size;
            }
            return;
        }
        for (codes, pixel) in codes.iter_mut().zip(line.chunks_exact(size)) {
            let mut x = [0.0; LANES];
            for (x, channel) in x.iter_mut().zip(channels.clone()) {
                *x = pixel[channel / self.multiplier];
            }
            coder.encode(arch.load(&x), codes);
        }
    }

    #[inline(always)]
    fn columns<A: Arch>(&self, arch: A, channels: Range<usize>) -> Columns<A::F> {
        let block = channels.start / LANES;
        let start =
            self.weights.sums[block].map(|sum| sum.wrapping_mul(self.grid.zero).wrapping_neg());
        let bias = match self.epilogue.bias {
            [] => arch.splat(0.0),
            bias => load_padded(arch, &bias[channels], 0.0),
        };
        let scales = arch.load(&self.weights.scales[block]).mul(arch.splat(self.grid.scale));
        Columns { start, scales, bias }
    }

    /// One row of the result.
    #[inline(always)]
    fn line<A: Arch>(
        &mut self,
        arch: A,
        plane: &Plane,
        row: usize,
        channels: Range<usize>,
        columns: &Columns<A::F>,
    ) {
        let width = self.geometry.out_width();
        let mut pixel = 0;
        while pixel < width {
            let at = ([row, pixel], channels.clone());
            // Images are often multiples of 7 or 8 wide.
            pixel += match width - pixel {
                7 | 14 | 21 | 28 => self.tile::<_, 7>(arch, plane, at, columns),
                8.. => self.tile::<_, 8>(arch, plane, at, columns),
                4.. => self.tile::<_, 4>(arch, plane, at, columns),
                2.. => self.tile::<_, 2>(arch, plane, at, columns),
                _ => self.tile::<_, 1>(arch, plane, at, columns),
            };
        }
        if self.epilogue.activation != Activation::None || self.epilogue.residual.is_some() {
            self.finish(arch, row, channels);
        }
    }

    /// A tile of `P` pixels. Gives back `P`.
    #[inline(always)]
    fn tile<A: Arch, const P: usize>(
        &mut self,
        arch: A,
        plane: &Plane,
        ([row, pixel], channels): ([usize; 2], Range<usize>),
        columns: &Columns<A::F>,
    ) -> usize {
        let Geometry { strides, dilations, .. } = *self.geometry;
        let first = (row - self.rows.start) * strides[0] * plane.pitch + pixel * strides[1];
        let tile = QuadTile {
            codes: &plane.quads.quads()[first..],
            line: dilations[0] * plane.pitch,
            step: GROUP * dilations[1],
            stride: strides[1],
            weights: self.weights.block(channels.start / LANES),
            groups: self.weights.groups(),
            weight_sums: &self.weights.sums[channels.start / LANES],
        };
        let mut sums = [columns.start; P];
        arch.quad_tile(tile, &mut sums);
        let size = self.weights.channels;
        let mut at = self.place([row, pixel], channels.start);
        for sum in &sums {
            let x = arch.load_i32(sum).mul_add(columns.scales, columns.bias);
            store_part(x, &mut self.out[at..][..channels.len()]);
            at += size;
        }
        P
    }

    /// Where a channel of a pixel of the result lies in this part of it.
    #[inline(always)]
    fn place(&self, [row, pixel]: [usize; 2], channel: usize) -> usize {
        let row = row - self.rows.start;
        (row * self.geometry.out_width() + pixel) * self.weights.channels + channel
    }

    /// Activation and residual of a row.
    #[inline(always)]
    fn finish<A: Arch>(&mut self, arch: A, row: usize, channels: Range<usize>) {
        let width = self.geometry.out_width();
        let before = self.rows.start * width * self.weights.channels;
        for pixel in 0..width {
            let at = self.place([row, pixel], channels.start);
            let out = &mut self.out[at..][..channels.len()];
            finish(arch, &self.epilogue, before + at, out);
        }
    }
}
