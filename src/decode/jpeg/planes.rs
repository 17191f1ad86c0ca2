//! From the coefficients of blocks to rows of pixels: of the blocks that are wanted alone.

use libjpeg_turbo_rs::simd::{self, SimdRoutines};

use super::header::{Component, Header};
use super::span::Span;
use super::strip::Strip;
use super::upsample::{Upsampler, Upsampling};

/// Columns of chroma and rows that a pixel depends on, in pixels: one sample of half the resolution
/// to each side.
const MARGIN: usize = 2;

/// What is wanted, in pixels of the reduced image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub columns: Span,
    pub rows: Span,
}

/// All components, a row of units at a time.
pub(super) struct Planes {
    kernels: SimdRoutines,
    /// Pixels of a unit across and down.
    unit: (usize, usize),
    /// Units that are transformed, and how many the image has down.
    pub columns: Span,
    pub rows: Span,
    down: usize,
    height: usize,
    wanted: Wanted,
    /// The next row of pixels that is wanted.
    next: usize,
    planes: Vec<Plane>,
}

/// A component at work.
pub(super) struct Plane {
    component: Component,
    strip: Strip,
    upsampling: Upsampling,
    upsampler: Upsampler,
}

impl Planes {
    /// The planes of an image that is reduced by `8 / side`; `None` for what is not read here.
    pub fn new(header: &Header<'_>, side: usize, wanted: Wanted) -> Option<Self> {
        let (across, down) = header.factors();
        let unit = (across * side, down * side);
        let reduced = |length: usize| (length * side).div_ceil(8);
        let (width, height) = (reduced(header.width), reduced(header.height));
        let columns = wanted.columns.widened(MARGIN, width).in_units(unit.0);
        let rows = wanted.rows.widened(MARGIN, height).in_units(unit.1);
        let planes = header.components.iter();
        let planes = planes.map(|component| Plane::new(header, component, side, columns));
        let planes = planes.collect::<Option<Vec<_>>>()?;
        let (kernels, down, next) = (simd::detect(), header.units().1, wanted.rows.start);
        Some(Self { kernels, unit, columns, rows, down, height, wanted, next, planes })
    }

    /// Samples of a component's block across and down.
    pub fn side(&self, component: usize) -> usize {
        self.planes[component].side()
    }

    /// Begins a row of units that is among [`rows`](Self::rows).
    pub fn begin_row(&mut self) {
        self.planes.iter_mut().for_each(|plane| plane.strip.advance());
    }

    /// The components, and what blocks are put with.
    #[inline(always)]
    pub fn parts(&mut self) -> (&SimdRoutines, &mut [Plane]) {
        (&self.kernels, &mut self.planes)
    }

    /// Ends the row of units `row`, and writes the pixels whose samples are all there.
    #[inline(always)]
    pub fn end_row<'p>(&mut self, row: usize, pixels: &mut impl Iterator<Item = &'p mut [u8]>) {
        let end = self.rows_done(row);
        for y in self.next..end {
            let Some(pixels) = pixels.next() else { return };
            self.emit(row, y, pixels);
        }
        self.next = self.next.max(end);
    }

    /// The end of the wanted rows whose samples are all there after a row of units.
    fn rows_done(&self, row: usize) -> usize {
        let context = self.planes.iter().any(|plane| plane.upsampling.has_context());
        let last = row + 1 == self.down;
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

impl Plane {
    fn new(header: &Header<'_>, component: &Component, side: usize, columns: Span) -> Option<Self> {
        let (across, down) = header.factors();
        let own = own_side(side, (component.across, across), (component.down, down));
        let width = (header.width * component.across * own).div_ceil(8 * across);
        let height = (header.height * component.down * own).div_ceil(8 * down);
        let held = columns.times(component.across * own);
        let strip = Strip::new(own, component.down, held, width, height);
        let upsampling = Upsampling {
            across: across * side / (component.across * own),
            down: down * side / (component.down * own),
            fancy: side > 1,
        };
        // Of narrow ones libjpeg has rules of their own.
        let narrow = upsampling.across == 2 && strip.held() < 3;
        (!narrow).then(|| Self {
            component: component.clone(),
            strip,
            upsampling,
            upsampler: Upsampler::default(),
        })
    }

    /// Samples of a block across and down.
    #[inline(always)]
    pub fn side(&self) -> usize {
        self.strip.side
    }

    /// Puts a block: its column within the component, its row within the row of units. `places` is how
    /// many positions of the zigzag may hold something else than zero.
    #[inline(always)]
    pub fn put(
        &mut self,
        kernels: &SimdRoutines,
        (column, row): (usize, usize),
        block: &[i16; 64],
        places: usize,
    ) {
        let (mut samples, side) = ([0; 64], self.side());
        self.component.steps.transform(kernels, block, places, side, &mut samples);
        self.strip.put(row * side, column * side, &samples);
    }

    /// Row `y` of the image, while the units of row `unit` are at work.
    #[inline(always)]
    fn row(&mut self, kernels: &SimdRoutines, unit: usize, y: usize) -> &[u8] {
        self.upsampler.row(kernels, self.upsampling, &self.strip, unit, y)
    }
}

/// Samples of a component's block across and down where the image's are `side`: one of a lower
/// resolution is reduced less, as far as both directions allow. Factors are the component's own and the
/// largest of all, at least 1.
fn own_side(side: usize, across: (usize, usize), down: (usize, usize)) -> usize {
    let fits =
        |own: usize, factors: (usize, usize)| (factors.1 * side).is_multiple_of(factors.0 * own);
    let mut own = side;
    while own < 8 && fits(2 * own, across) && fits(2 * own, down) {
        own *= 2;
    }
    own
}
