//! The scan of a baseline file: units of blocks, decoded in their order, row by row.

use libjpeg_turbo_rs::simd::{self, SimdRoutines};
use pairgate_kernels::arch::Arch;
use pairgate_kernels::{Isa, Task};

use super::baseline::{Baseline, Component};
use super::bits::Bits;
use super::blocks::{Block, Decoder};
use super::huffman::Skips;
use super::markers::END_OF_IMAGE;
use super::span::Span;
use super::strip::Strip;
use super::upsample::{Upsampler, Upsampling};

/// Columns of chroma and rows that a pixel depends on, in pixels: one sample of half the resolution
/// to each side.
const MARGIN: usize = 2;

/// Decodes columns and rows of the image, reduced by `8 / side`, to RGB: 3 bytes a pixel, row by row.
/// `None` for a file that is not quite as it should be.
pub(super) fn decode(
    file: &Baseline<'_>,
    side: usize,
    columns: Span,
    rows: Span,
    pixels: &mut Vec<u8>,
) -> Option<()> {
    let length = 3 * columns.length() * rows.length();
    // Of another image's pixels, none is left in the end.
    if pixels.capacity() < length {
        *pixels = Vec::with_capacity(length);
    }
    pixels.resize(length, 0);
    let mut scan = Scan::new(file, side, Wanted { columns, rows })?;
    Isa::chosen()
        .run(Run { scan: &mut scan, pixels: pixels.chunks_exact_mut(3 * columns.length()) })
}

/// The decoding of a scan to rows of pixels: plain Rust, for each instruction set as it does best.
struct Run<'s, 'a, Rows> {
    scan: &'s mut Scan<'a>,
    pixels: Rows,
}

impl<'p, Rows: Iterator<Item = &'p mut [u8]>> Task for Run<'_, '_, Rows> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<A: Arch>(self, _: A) -> Option<()> {
        self.scan.run(self.pixels)
    }
}

/// What is wanted, in pixels of the reduced image.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    columns: Span,
    rows: Span,
}

struct Scan<'a> {
    file: &'a Baseline<'a>,
    kernels: SimdRoutines,
    /// Pixels of a unit across and down.
    unit: (usize, usize),
    /// Units of the image across and down, and those that are transformed.
    units: (usize, usize),
    columns: Span,
    rows: Span,
    height: usize,
    wanted: Wanted,
    planes: Vec<Plane<'a>>,
}

/// A component at work.
struct Plane<'a> {
    component: &'a Component,
    decoder: Decoder<'a>,
    strip: Strip,
    upsampling: Upsampling,
    upsampler: Upsampler,
}

impl<'a> Scan<'a> {
    fn new(file: &'a Baseline<'a>, side: usize, wanted: Wanted) -> Option<Self> {
        let across = file.components.iter().map(|component| component.across).max()?;
        let down = file.components.iter().map(|component| component.down).max()?;
        let unit = (across * side, down * side);
        let reduced = |length: usize| (length * side).div_ceil(8);
        let (width, height) = (reduced(file.width), reduced(file.height));
        let columns = wanted.columns.widened(MARGIN, width).in_units(unit.0);
        let rows = wanted.rows.widened(MARGIN, height).in_units(unit.1);
        let units = (file.width.div_ceil(8 * across), file.height.div_ceil(8 * down));
        let planes = file.components.iter();
        let planes =
            planes.map(|component| Plane::new(file, component, side, (across, down), columns));
        let planes = planes.collect::<Option<Vec<_>>>()?;
        let kernels = simd::detect();
        Some(Self { file, kernels, unit, units, columns, rows, height, wanted, planes })
    }

    #[inline(always)]
    fn run<'p>(&mut self, mut pixels: impl Iterator<Item = &'p mut [u8]>) -> Option<()> {
        let mut bits = Bits::new(self.file.data);
        let mut left = self.file.restart_interval;
        let mut restarts = 0;
        let mut next = self.wanted.rows.start;
        for row in 0..self.units.1 {
            let shown = self.rows.contains(row);
            if shown {
                self.planes.iter_mut().for_each(|plane| plane.strip.advance());
            }
            for column in 0..self.units.0 {
                if self.file.restart_interval > 0 {
                    if left == 0 {
                        restart(&mut bits, restarts)?;
                        restarts = u8::wrapping_add(restarts, 1);
                        left = self.file.restart_interval;
                        self.planes.iter_mut().for_each(|plane| plane.decoder.level = 0);
                    }
                    left -= 1;
                }
                bits.prepare_unit();
                let transformed = shown && self.columns.contains(column);
                for plane in &mut self.planes {
                    plane.read_unit(&mut bits, &self.kernels, transformed.then_some(column))?;
                }
            }
            if shown {
                let end = self.rows_done(row);
                for (y, pixels) in (next..end).zip(&mut pixels) {
                    self.emit(row, y, pixels);
                }
                next = next.max(end);
            }
        }
        let complete = bits.finish() && marker(bits.rest())?.0 == END_OF_IMAGE;
        complete.then_some(())
    }

    /// The end of the wanted rows whose samples are all there after a row of units.
    fn rows_done(&self, row: usize) -> usize {
        let context = self.planes.iter().any(|plane| plane.upsampling.has_context());
        let last = row + 1 == self.units.1;
        let done = (row + 1) * self.unit.1 - usize::from(context && !last);
        done.min(self.wanted.rows.end).min(self.height)
    }

    /// Writes a row of pixels.
    #[inline(always)]
    fn emit(&mut self, row: usize, y: usize, pixels: &mut [u8]) {
        let first = self.columns.start * self.unit.0;
        let Span { start, end } = self.wanted.columns;
        let (start, end) = (start - first, end - first);
        let kernels = &self.kernels;
        match &mut self.planes[..] {
            [luma, blue, red] => {
                let luma = &luma.row(kernels, row, y)[start..end];
                let blue = &blue.row(kernels, row, y)[start..end];
                let red = &red.row(kernels, row, y)[start..end];
                kernels.ycbcr_to_rgb_row(luma, blue, red, pixels, end - start);
            }
            [grey] => {
                let levels = &grey.row(kernels, row, y)[start..end];
                let pixels = pixels.as_chunks_mut::<3>().0;
                pixels.iter_mut().zip(levels).for_each(|(pixel, level)| *pixel = [*level; 3]);
            }
            // Files with other components are not read here.
            _ => {}
        }
    }
}

impl<'a> Plane<'a> {
    fn new(
        file: &Baseline<'_>,
        component: &'a Component,
        side: usize,
        (across, down): (usize, usize),
        columns: Span,
    ) -> Option<Self> {
        let Component { across: own_across, down: own_down, dc, ac, .. } = component;
        let own = own_side(side, (*own_across, across), (*own_down, down));
        let width = (file.width * own_across * own).div_ceil(8 * across);
        let height = (file.height * own_down * own).div_ceil(8 * down);
        let held = columns.times(own_across * own);
        let strip = Strip::new(own, *own_down, held, width, height);
        let upsampling = Upsampling {
            across: across * side / (own_across * own),
            down: down * side / (own_down * own),
            fancy: side > 1,
        };
        // Of narrow ones libjpeg has rules of their own.
        let narrow = upsampling.across == 2 && strip.held() < 3;
        (!narrow).then_some(())?;
        let all = columns.length() == file.width.div_ceil(8 * across);
        let skips = (side == 1 || !all).then(|| Skips::new(ac));
        let decoder = Decoder { dc, ac, skips, level: 0 };
        Some(Self { component, decoder, strip, upsampling, upsampler: Upsampler::default() })
    }

    /// Row `y` of the image, while the units of row `unit` are at work.
    #[inline(always)]
    fn row(&mut self, kernels: &SimdRoutines, unit: usize, y: usize) -> &[u8] {
        self.upsampler.row(kernels, self.upsampling, &self.strip, unit, y)
    }

    /// Reads a component's blocks of a unit, and transforms them where the unit's column is given.
    #[inline(always)]
    fn read_unit(
        &mut self,
        bits: &mut Bits<'_>,
        kernels: &SimdRoutines,
        column: Option<usize>,
    ) -> Option<()> {
        let Component { across, down, steps, .. } = self.component;
        let side = self.strip.side;
        for y in 0..*down {
            for x in 0..*across {
                let Some(column) = column else {
                    self.decoder.skip(bits)?;
                    continue;
                };
                let mut samples = [0; 64];
                if side == 1 {
                    self.decoder.skip(bits)?;
                    let mut block = [0; 64];
                    block[0] = self.decoder.level as i16;
                    steps.transform(kernels, &block, 1, side, &mut samples);
                    self.strip.put(y * side, (column * across + x) * side, &samples);
                    continue;
                }
                let mut block: Block = [0; 65];
                let places = self.decoder.read(bits, &mut block)?;
                if let Some(block) = block.first_chunk() {
                    steps.transform(kernels, block, places, side, &mut samples);
                }
                self.strip.put(y * side, (column * across + x) * side, &samples);
            }
        }
        Some(())
    }
}

/// Samples of a component's block across and down where the image's are `side`: one of a lower
/// resolution is reduced less, as far as both directions allow. Factors are the component's own and the
/// largest of all, at least 1.
pub(super) fn own_side(side: usize, across: (usize, usize), down: (usize, usize)) -> usize {
    let fits =
        |own: usize, factors: (usize, usize)| (factors.1 * side).is_multiple_of(factors.0 * own);
    let mut own = side;
    while own < 8 && fits(2 * own, across) && fits(2 * own, down) {
        own *= 2;
    }
    own
}

/// Goes on after a restart marker, the next in turn and with nothing before it.
fn restart(bits: &mut Bits<'_>, number: u8) -> Option<()> {
    bits.finish().then_some(())?;
    let (found, rest) = marker(bits.rest())?;
    (found == 0xd0 + number % 8).then(|| bits.restart(rest))
}

/// A marker, fill bytes before it, and what follows.
fn marker(rest: &[u8]) -> Option<(u8, &[u8])> {
    let [0xff, rest @ ..] = rest else { return None };
    let fill = rest.iter().take_while(|&&byte| byte == 0xff).count();
    rest[fill..].split_first().map(|(&marker, rest)| (marker, rest))
}
