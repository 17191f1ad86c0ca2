//! Depthwise convolution of one image: each output channel sees one input channel.
//!
//! Sixteen channels at a time are copied out of the image, with zeros around it, so that a row of
//! the copy lies on consecutive cache lines and every tap of every pixel is there.

use std::ops::Range;

use super::arch::{Arch, LANES, Lanes};
use super::convolve::Geometry;
use super::disjoint::split_rows;
use super::lines::Lines;
use super::norm::{load_padded, store_part};
use super::product::Epilogue;
use super::tile::registers;
use super::{Activation, Isa, Task, Team};

/// Convolves each channel with its own kernel. `input` is `[height, width, channels]`; output
/// channel `o` of the `channels * multiplier` reads input channel `o / multiplier`; `weights` are
/// `[kernel height, kernel width, output channels]`, and `out`, like a residual, is
/// `[out height, out width, output channels]`. Each sum is one chain of fused multiply-adds from
/// the bias over the taps in raster order, pads among them.
///
/// # Panics
/// Where the sizes do not fit together.
#[allow(clippy::too_many_arguments)]
pub fn depthwise(
    isa: Isa,
    team: &Team,
    input: &[f32],
    geometry: &Geometry,
    multiplier: usize,
    weights: &[f32],
    epilogue: Epilogue<'_>,
    out: &mut [f32],
) {
    let channels = geometry.channels * multiplier;
    let [height, width] = [geometry.out_height(), geometry.out_width()];
    let [taps_down, taps_across] = geometry.kernel;
    assert_eq!(input.len(), geometry.height * geometry.width * geometry.channels, "the input");
    assert_eq!(weights.len(), taps_down * taps_across * channels, "the weights");
    assert_eq!(out.len(), height * width * channels, "the result");
    epilogue.check(height * width, channels);
    split_rows(team, out, width * channels, 1, |rows, out| {
        isa.run(Strip { input, geometry, multiplier, weights, epilogue, rows, out });
    });
}

/// Some rows of the result.
struct Strip<'a> {
    input: &'a [f32],
    geometry: &'a Geometry,
    multiplier: usize,
    weights: &'a [f32],
    epilogue: Epilogue<'a>,
    rows: Range<usize>,
    out: &'a mut [f32],
}

/// Sixteen channels of what a strip reads.
struct Plane {
    /// Vectors from one row to the next.
    pitch: usize,
    /// The image's rows and pads that the strip sees, zeros where there is no image.
    pixels: Lines,
    /// The taps in raster order.
    weights: Lines,
}

impl Task for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(mut self, arch: A) {
        let mut plane = self.plane();
        for first in (0..self.channels()).step_by(LANES) {
            let channels = first..self.channels().min(first + LANES);
            self.fill(&mut plane, channels.clone());
            for row in self.rows.clone() {
                self.line(arch, &plane, row, channels.clone());
            }
        }
    }
}

impl Strip<'_> {
    /// Output channels.
    fn channels(&self) -> usize {
        self.geometry.channels * self.multiplier
    }

    /// Room for a plane.
    fn plane(&self) -> Plane {
        let Geometry { width, kernel, strides, dilations, pads, .. } = *self.geometry;
        let pitch = width + pads[1] + pads[3];
        let height = (self.rows.len() - 1) * strides[0] + (kernel[0] - 1) * dilations[0] + 1;
        Plane {
            pitch,
            pixels: Lines::zeros(height * pitch),
            weights: Lines::zeros(kernel[0] * kernel[1]),
        }
    }

    /// Copies some output channels' pixels and weights into a plane.
    #[inline(always)]
    fn fill(&self, plane: &mut Plane, channels: Range<usize>) {
        let Geometry { height, width, strides, pads, .. } = *self.geometry;
        let first = self.rows.start * strides[0];
        for (i, line) in plane.pixels.chunks_exact_mut(plane.pitch).enumerate() {
            let y = (first + i).wrapping_sub(pads[0]);
            if y < height {
                let pixels = &self.input[y * width * self.geometry.channels..];
                let line = &mut line[pads[1]..][..width];
                gather(pixels, self.geometry.channels, self.multiplier, channels.clone(), line);
            }
        }
        gather(self.weights, self.channels(), 1, channels, &mut plane.weights);
    }

    /// One row of the result.
    #[inline(always)]
    fn line<A: Arch>(&mut self, arch: A, plane: &Plane, row: usize, channels: Range<usize>) {
        let bias = match self.epilogue.bias {
            [] => arch.splat(0.0),
            bias => load_padded(arch, &bias[channels.clone()], 0.0),
        };
        match self.geometry.strides[1] {
            1 => self.tiles::<_, 1>(arch, plane, row, channels.clone(), bias),
            2 => self.tiles::<_, 2>(arch, plane, row, channels.clone(), bias),
            _ => self.tiles::<_, 0>(arch, plane, row, channels.clone(), bias),
        }
        if self.epilogue.activation != Activation::None || self.epilogue.residual.is_some() {
            self.finish(arch, row, channels);
        }
    }

    /// Bias and products of a row, in tiles. `STRIDE` is the stride across, 0 for any.
    #[inline(always)]
    fn tiles<A: Arch, const STRIDE: usize>(
        &mut self,
        arch: A,
        plane: &Plane,
        row: usize,
        channels: Range<usize>,
        bias: A::F,
    ) {
        let width = self.geometry.out_width();
        let mut pixel = 0;
        while pixel < width {
            let at = ([row, pixel], channels.clone());
            // Images are often multiples of 7 or 8 wide; registers are few where lanes take more.
            pixel += match (width - pixel, registers::<A::F>()) {
                (7 | 14 | 21 | 28, 1 | 2) => self.tile::<_, 7, STRIDE>(arch, plane, at, bias),
                (8.., 1) => self.tile::<_, 8, STRIDE>(arch, plane, at, bias),
                (4.., _) => self.tile::<_, 4, STRIDE>(arch, plane, at, bias),
                (2.., _) => self.tile::<_, 2, STRIDE>(arch, plane, at, bias),
                _ => self.tile::<_, 1, STRIDE>(arch, plane, at, bias),
            };
        }
    }

    /// A tile of `P` pixels. Gives back `P`.
    #[inline(always)]
    fn tile<A: Arch, const P: usize, const STRIDE: usize>(
        &mut self,
        arch: A,
        plane: &Plane,
        ([row, pixel], channels): ([usize; 2], Range<usize>),
        bias: A::F,
    ) -> usize {
        let Geometry { kernel, strides, dilations, .. } = *self.geometry;
        let stride = if STRIDE == 0 { strides[1] } else { STRIDE };
        let reach = (P - 1) * stride + (kernel[1] - 1) * dilations[1];
        let top = (row - self.rows.start) * strides[0];
        let mut sums = [bias; P];
        for down in 0..kernel[0] {
            let weights = &plane.weights[down * kernel[1]..][..kernel[1]];
            let first = (top + down * dilations[0]) * plane.pitch + pixel * stride;
            let pixels = &plane.pixels[first..=first + reach];
            for (across, weight) in weights.iter().enumerate() {
                let weight = arch.load(weight);
                for (p, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `p < P` and `across < kernel[1]`: not beyond the last, at `reach`.
                    let value = unsafe { pixels.get_unchecked(p * stride + across * dilations[1]) };
                    *sum = arch.load(value).mul_add(weight, *sum);
                }
            }
        }
        let size = self.channels();
        let mut at = self.place([row, pixel], channels.start);
        for sum in &sums {
            store_part(*sum, &mut self.out[at..][..channels.len()]);
            at += size;
        }
        P
    }

    /// Where a channel of a pixel of the result lies in this part of it.
    #[inline(always)]
    fn place(&self, [row, pixel]: [usize; 2], channel: usize) -> usize {
        let row = row - self.rows.start;
        (row * self.geometry.out_width() + pixel) * self.channels() + channel
    }

    /// Activation and residual of a row.
    #[inline(always)]
    fn finish<A: Arch>(&mut self, arch: A, row: usize, channels: Range<usize>) {
        let width = self.geometry.out_width();
        let before = self.rows.start * width * self.channels();
        for pixel in 0..width {
            let at = self.place([row, pixel], channels.start);
            let out = &mut self.out[at..][..channels.len()];
            finish(arch, &self.epilogue, before + at, out);
        }
    }
}

/// Activation and residual of up to sixteen sums of one pixel, which lie `at` in the whole result.
#[inline(always)]
pub(super) fn finish<A: Arch>(arch: A, epilogue: &Epilogue<'_>, at: usize, sums: &mut [f32]) {
    let mut x = load_padded(arch, sums, 0.0);
    let residual = epilogue.residual.map(|residual| &residual[at..][..sums.len()]);
    if let (Some(residual), true) = (residual, epilogue.residual_first) {
        x = x.add(load_padded(arch, residual, 0.0));
    }
    x = epilogue.activation.apply(arch, x);
    if let (Some(residual), false) = (residual, epilogue.residual_first) {
        x = x.add(load_padded(arch, residual, 0.0));
    }
    store_part(x, sums);
}

/// Copies some channels, each of which is `multiplier` times there, of pixels of `size` values.
#[inline(always)]
fn gather(
    pixels: &[f32],
    size: usize,
    multiplier: usize,
    channels: Range<usize>,
    out: &mut [[f32; LANES]],
) {
    for (out, pixel) in out.iter_mut().zip(pixels.chunks_exact(size)) {
        if multiplier == 1 && channels.len() == LANES {
            out.copy_from_slice(&pixel[channels.start..][..LANES]);
        } else {
            for (out, channel) in out.iter_mut().zip(channels.clone()) {
                *out = pixel[channel / multiplier];
            }
        }
    }
}
