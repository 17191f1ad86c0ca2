//! Pooling: sums and means over an axis, windows of an image.

use std::ops::Range;

use super::arch::{Arch, LANES, Lanes};
use super::convolve::Geometry;
use super::disjoint::split_rows;
use super::norm::{load_padded, scale, store_part, sum_of_row};
use super::{Isa, Task, Team};

/// Sums over the middle axis: `x` is `[outer, count, inner]`, `out` `[outer, inner]`. A sum starts
/// at 0 and runs in ascending order; with `inner` 1, in lanes as the sums of
/// [`norm`](super::norm).
///
/// # Panics
/// Where the sizes do not fit together.
pub fn sum(
    isa: Isa,
    team: &Team,
    x: &[f32],
    outer: usize,
    count: usize,
    inner: usize,
    out: &mut [f32],
) {
    axis(isa, team, x, [outer, count, inner], 1.0, out);
}

/// [`sum`], then times `1 / count`; NaN where `count` is 0.
///
/// # Panics
/// Where the sizes do not fit together.
pub fn mean(
    isa: Isa,
    team: &Team,
    x: &[f32],
    outer: usize,
    count: usize,
    inner: usize,
    out: &mut [f32],
) {
    axis(isa, team, x, [outer, count, inner], (count as f32).recip(), out);
}

fn axis(
    isa: Isa,
    team: &Team,
    x: &[f32],
    [outer, count, inner]: [usize; 3],
    factor: f32,
    out: &mut [f32],
) {
    assert_eq!(x.len(), outer * count * inner, "the values");
    assert_eq!(out.len(), outer * inner, "the sums");
    split_rows(team, out, inner, 1, |part, out| {
        let size = count * inner;
        let x = &x[part.start * size..part.end * size];
        isa.run(Axis { x, count, inner, factor, out });
    });
}

struct Axis<'a> {
    x: &'a [f32],
    count: usize,
    inner: usize,
    factor: f32,
    out: &'a mut [f32],
}

impl Task for Axis<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        for (i, out) in self.out.chunks_exact_mut(self.inner).enumerate() {
            let size = self.count * self.inner;
            let x = &self.x[i * size..][..size];
            if self.inner == 1 {
                out[0] = sum_of_row(arch, x);
            } else {
                out.fill(0.0);
                for row in x.chunks_exact(self.inner) {
                    combine::<_, Add>(arch, out, row);
                }
            }
            scale(arch, out, self.factor);
        }
    }
}

/// How two values become one.
trait Combine {
    /// Both in one.
    fn both<F: Lanes>(so_far: F, x: F) -> F;
}

struct Add;

struct Greater;

impl Combine for Add {
    #[inline(always)]
    fn both<F: Lanes>(so_far: F, x: F) -> F {
        so_far.add(x)
    }
}

impl Combine for Greater {
    #[inline(always)]
    fn both<F: Lanes>(so_far: F, x: F) -> F {
        so_far.max(x)
    }
}

/// `out = both(out, x)`, value by value.
#[inline(always)]
fn combine<A: Arch, C: Combine>(arch: A, out: &mut [f32], x: &[f32]) {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (out, out_rest) = out.as_chunks_mut::<LANES>();
    for (out, x) in out.iter_mut().zip(x) {
        C::both(arch.load(out), arch.load(x)).store(out);
    }
    if !x_rest.is_empty() {
        let both = C::both(load_padded(arch, out_rest, 0.0), load_padded(arch, x_rest, 0.0));
        store_part(both, out_rest);
    }
}

/// The greatest value of each window and channel of an image `[height, width, channels]`; `out` is
/// `[out height, out width, channels]`. Pixels outside the image do not count; a window of nothing
/// else gives minus infinity. A value that is not a number counts or not, alike on all machines.
///
/// # Panics
/// Where the sizes do not fit together.
pub fn max_pool(isa: Isa, team: &Team, x: &[f32], geometry: &Geometry, out: &mut [f32]) {
    windows(isa, team, x, geometry, Kind::Greatest, out);
}

/// The mean of each window and channel, likewise. The sum starts at 0 and goes through the window in
/// raster order. It is divided by the number of pixels in the image or, with `count_include_pad`,
/// in the image and its pads.
///
/// # Panics
/// Where the sizes do not fit together.
pub fn average_pool(
    isa: Isa,
    team: &Team,
    x: &[f32],
    geometry: &Geometry,
    count_include_pad: bool,
    out: &mut [f32],
) {
    windows(isa, team, x, geometry, Kind::Mean { count_include_pad }, out);
}

#[derive(Clone, Copy)]
enum Kind {
    Greatest,
    Mean { count_include_pad: bool },
}

fn windows(isa: Isa, team: &Team, x: &[f32], geometry: &Geometry, kind: Kind, out: &mut [f32]) {
    let Geometry { height, width, channels, .. } = *geometry;
    let line = geometry.out_width() * channels;
    assert_eq!(x.len(), height * width * channels, "the image");
    assert_eq!(out.len(), geometry.out_height() * line, "the result");
    split_rows(team, out, line, 1, |rows, out| {
        isa.run(Windows { x, geometry, kind, rows, out });
    });
}

/// Some rows of a pooled image.
struct Windows<'a> {
    x: &'a [f32],
    geometry: &'a Geometry,
    kind: Kind,
    rows: Range<usize>,
    out: &'a mut [f32],
}

impl Task for Windows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        let width = self.geometry.out_width();
        let pixels = self.out.chunks_exact_mut(self.geometry.channels);
        for (i, out) in pixels.enumerate() {
            let place = [self.rows.start + i / width, i % width];
            let window = Window::new(self.geometry, place);
            match self.kind {
                Kind::Greatest => {
                    out.fill(f32::NEG_INFINITY);
                    window.fold::<_, Greater>(arch, self.x, out);
                }
                Kind::Mean { count_include_pad } => {
                    out.fill(0.0);
                    window.fold::<_, Add>(arch, self.x, out);
                    let pixels = window.pixels(count_include_pad);
                    scale(arch, out, (pixels as f32).recip());
                }
            }
        }
    }
}

/// A window on an image.
struct Window<'a> {
    geometry: &'a Geometry,
    /// Its first tap, down and across, in the padded image.
    start: [usize; 2],
}

impl<'a> Window<'a> {
    fn new(geometry: &'a Geometry, place: [usize; 2]) -> Self {
        let [down, across] = geometry.strides;
        Self { geometry, start: [place[0] * down, place[1] * across] }
    }

    /// Rows (axis 0) or columns (axis 1) of the image that the window takes in, and those of its
    /// pads as numbers beyond the image.
    fn taps(&self, axis: usize) -> impl Iterator<Item = usize> + use<> {
        let Geometry { kernel, dilations, pads, .. } = *self.geometry;
        let start = self.start[axis];
        (0..kernel[axis]).map(move |tap| (start + tap * dilations[axis]).wrapping_sub(pads[axis]))
    }

    #[inline(always)]
    fn fold<A: Arch, C: Combine>(&self, arch: A, image: &[f32], out: &mut [f32]) {
        let Geometry { height, width, channels, .. } = *self.geometry;
        for y in self.taps(0).filter(|y| *y < height) {
            for x in self.taps(1).filter(|x| *x < width) {
                combine::<_, C>(arch, out, &image[(y * width + x) * channels..][..channels]);
            }
        }
    }

    /// How many pixels it takes in, those of the pads too or not. Rows and columns beyond the pads
    /// never count.
    fn pixels(&self, pads_too: bool) -> usize {
        let Geometry { height, width, pads, .. } = *self.geometry;
        let count = |axis: usize, size: usize| {
            let end = size + pads[axis + 2];
            let counts =
                |at: usize| at < size || pads_too && at.wrapping_add(pads[axis]) < end + pads[axis];
            self.taps(axis).filter(|at| counts(*at)).count()
        };
        count(0, height) * count(1, width)
    }
}
