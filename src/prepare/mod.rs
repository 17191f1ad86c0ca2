//! A decoded image -> the network's input: resize, crop or pad, scale, as the preprocessors do it
//! that CLIP-like models are published with (open_clip, transformers, timm).
//!
//! PIL resizes bytes in two passes, columns first, and rounds and clips to bytes between them. A
//! bicubic kernel overshoots at edges, so a resize with the passes the other way round clips
//! elsewhere and differs by many levels. [`Preparer`] keeps the order of Pillow up to 12.1, which
//! the published networks were trained with, and of torchvision on tensors. (Pillow 13 starts with
//! the rows where it finds that cheaper: in a squash of a tall image, or where the height is more
//! than about twice the width; bicubic levels then differ by up to 9 in noise.)
//!
//! Only what the square shows is computed: neither memory nor time grows with the part that is cut
//! away.

use axis::Axis;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use pairgate_core::pair::Size;
use serde::{Deserialize, Serialize};

use crate::decode::{Part, Region, Rgb8, Wanted};

mod axis;
mod window;

/// How an image of any shape is scaled before its centre is laid over the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// The shorter side is scaled to the size, the aspect kept.
    Shortest,
    /// Both sides are scaled to the size; the aspect is lost.
    Squash,
    /// The longer side is scaled to the size, the aspect kept.
    Longest,
    /// Nothing is scaled.
    Keep,
}

/// The kernel of the resize, always widened to the scale when it shrinks (PIL's antialiasing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The one source pixel at the centre, as PIL's `NEAREST`: no kernel, never widened.
    Nearest,
    /// The mean of the source pixels, as PIL's `BOX`. A source pixel whose centre lies just on the
    /// border of two means may fall to the other one where the image is also cropped.
    Box,
    /// A triangle, as PIL's `BILINEAR`.
    Bilinear,
    /// A triangle sharpened by a Hamming window, as PIL's `HAMMING`.
    Hamming,
    /// Cubic convolution with a = -0.5, as PIL's `BICUBIC`.
    Bicubic,
    /// A windowed sinc over three pixels to each side, as PIL's `LANCZOS`.
    Lanczos,
}

/// How many pixels an odd margin leaves before the crop; the two differ by at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// Half the margin, halves rounded to even: torchvision, open_clip, timm.
    #[default]
    Even,
    /// Half the margin, rounded down: transformers.
    Floor,
}

/// What a model wants done to its images; part of its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// Side of the square input in pixels; not 0.
    pub size: u32,
    /// How an image of any shape is scaled.
    pub resize: Resize,
    /// What sides are scaled to where it is not `size`, in pixels: what is more is cropped, what
    /// is less is padded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize_to: Option<u32>,
    /// The kernel of the resize.
    pub interpolation: Interpolation,
    /// How many pixels an odd margin leaves before the crop.
    #[serde(default)]
    pub crop: Crop,
    /// Red, green and blue of the padding. Of an odd padding, the smaller half comes first.
    #[serde(default)]
    pub fill: [u8; 3],
    /// What levels from 0 to 255 are multiplied with before mean and std.
    #[serde(default = "default_rescale")]
    pub rescale: f64,
    /// Subtracted from red, green and blue after `rescale`.
    pub mean: [f32; 3],
    /// What red, green and blue are then divided by; not 0.
    pub std: [f32; 3],
}

/// [`Preparation::rescale`] where a manifest does not name it: levels become 0 to 1.
pub const fn default_rescale() -> f64 {
    1.0 / 255.0
}

/// Pixels of a reduced image for each of the input's, across and down, at least: scores move less
/// than between two decoders' roundings of chroma at four, and by a few hundredths at one.
const OVERSAMPLING: u32 = 2;

/// What is looked at of an image, in pixels of the reduced image.
struct View<'a> {
    /// The whole image, not reduced.
    whole: Size,
    reduction: u32,
    left: u32,
    top: u32,
    image: &'a Rgb8,
}

impl<'a> View<'a> {
    fn whole(image: &'a Rgb8) -> Self {
        Self { whole: image.size, reduction: 1, left: 0, top: 0, image }
    }

    fn of(part: &'a Part) -> Self {
        let Part { whole, reduction, left, top, image } = part;
        Self { whole: *whole, reduction: *reduction, left: *left, top: *top, image }
    }
}

/// Prepares images one after the other in buffers that it keeps.
#[derive(Debug)]
pub struct Preparer {
    preparation: Preparation,
    /// `(level * rescale - mean) / std` for each level of each colour.
    scaled: [[f32; 256]; 3],
    resizer: Resizer,
    /// The rows that the square shows, already at their final width.
    narrowed: Vec<u8>,
    /// The square, `[S, S, 3]`; until it is padded, the part of it that the image covers.
    square: Vec<u8>,
    /// The image's part while the square is padded.
    shown: Vec<u8>,
}

impl Preparation {
    /// Preparation whose sides are scaled to `size` and whose levels range from 0 to 1 before
    /// `mean` and `std`: what torchvision does where it is told no more than this.
    pub fn new(
        size: u32,
        resize: Resize,
        interpolation: Interpolation,
        mean: [f32; 3],
        std: [f32; 3],
    ) -> Self {
        Self {
            size,
            resize,
            resize_to: None,
            interpolation,
            crop: Crop::default(),
            fill: [0; 3],
            rescale: default_rescale(),
            mean,
            std,
        }
    }

    /// The columns and the rows of an image that become the square.
    fn axes(&self, image: Size) -> (Axis, Axis) {
        let to = self.resize_to.unwrap_or(self.size).max(1);
        let (wide, high) = self.resize.resized(image, to);
        let axis = |side, resized| Axis::centre(side, resized, self.size, self.crop);
        (axis(image.width, wide), axis(image.height, high))
    }
}

impl Preparer {
    /// Preparer for one model's images.
    pub fn new(preparation: Preparation) -> Self {
        let Preparation { rescale, mean, std, .. } = preparation;
        let scaled = std::array::from_fn(|colour| {
            let value = |level| (f64::from(level as u32) * rescale) as f32;
            std::array::from_fn(|level| (value(level) - mean[colour]) / std[colour])
        });
        Self {
            preparation,
            scaled,
            resizer: Resizer::new(),
            narrowed: Vec::new(),
            square: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// What is done to the images.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// What of an image of this size the square shows, and what the kernel needs around that.
    pub fn wanted(&self, image: Size) -> Wanted {
        let Preparation { resize, size, interpolation, .. } = self.preparation;
        let (columns, rows) = self.preparation.axes(image);
        let span = |axis: &Axis| match interpolation.filter() {
            Some(_) => axis.support(interpolation.radius()),
            None => axis.support(0.0),
        };
        let ((left, right), (top, bottom)) = (span(&columns), span(&rows));
        let region = Region { left, top, size: Size::new(right - left, bottom - top) };
        let to = self.preparation.resize_to.unwrap_or(size);
        let shorter_side = match resize {
            Resize::Keep => u32::MAX,
            _ => to.saturating_mul(OVERSAMPLING),
        };
        Wanted { region, shorter_side }
    }

    /// Writes the model's input for `image` to `out`: `[3, S, S]` f32,
    /// `(level * rescale - mean) / std`.
    ///
    /// # Panics
    /// If `out` is not `3 * S * S` long, or `image` is empty or has not `width * height * 3` bytes.
    pub fn prepare(&mut self, image: &Rgb8, out: &mut [f32]) {
        self.fill_square(&View::whole(image));
        self.scale(out);
    }

    /// The same for a part of an image that holds what is [`wanted`](Self::wanted) of it.
    ///
    /// # Panics
    /// As [`prepare`](Self::prepare), and where the part holds less than is wanted.
    pub fn prepare_part(&mut self, part: &Part, out: &mut [f32]) {
        self.fill_square(&View::of(part));
        self.scale(out);
    }

    fn scale(&self, out: &mut [f32]) {
        let plane = self.square.len() / 3;
        assert_eq!(out.len(), 3 * plane, "the input is [3, S, S]");
        for ((plane, scaled), colour) in out.chunks_exact_mut(plane).zip(&self.scaled).zip(0..) {
            for (value, pixel) in plane.iter_mut().zip(self.square.chunks_exact(3)) {
                *value = scaled[usize::from(pixel[colour])];
            }
        }
    }

    /// The image resized, cropped and padded: `[S, S, 3]` bytes, not yet in the model's range.
    ///
    /// # Panics
    /// If `image` is empty or has not `width * height * 3` bytes.
    pub fn square(&mut self, image: &Rgb8) -> &[u8] {
        self.fill_square(&View::whole(image));
        &self.square
    }

    fn fill_square(&mut self, view: &View<'_>) {
        let size = self.preparation.size;
        let (columns, rows) = self.preparation.axes(view.whole);
        // The square is placed by the whole image, whose sides a reduction rounds up.
        let (columns, rows) = (columns.reduced(view.reduction), rows.reduced(view.reduction));
        match self.preparation.interpolation.filter() {
            Some(filter) => self.convolve(view, &columns, &rows, filter),
            None => self.pick(view, &columns, &rows),
        }
        if columns.length < size || rows.length < size {
            self.pad(&columns, &rows);
        }
    }

    /// The image's part of the square by PIL's two passes.
    fn convolve(&mut self, view: &View<'_>, columns: &Axis, rows: &Axis, filter: FilterType) {
        let (first, end) = rows.support(self.preparation.interpolation.radius());
        let height = end - first;
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));

        let (left, above) = (columns.start() - f64::from(view.left), first - view.top);
        let across = options.crop(left, above.into(), columns.stretch(), height.into());
        let source = pixels(&view.image.pixels, view.image.size);
        let narrow = Size::new(columns.length, height);
        pass(&mut self.resizer, &source, &mut self.narrowed, narrow, &across);

        let top = rows.start() - f64::from(first);
        let down = options.crop(0.0, top, columns.length.into(), rows.stretch());
        let narrowed = pixels(&self.narrowed, narrow);
        let shown = Size::new(columns.length, rows.length);
        pass(&mut self.resizer, &narrowed, &mut self.square, shown, &down);
    }

    /// The image's part of the square as the source pixels under the centres of its own.
    fn pick(&mut self, view: &View<'_>, columns: &Axis, rows: &Axis) {
        let Rgb8 { size, pixels } = view.image;
        assert_eq!(pixels.len() as u64, 3 * size.pixels(), "3 bytes a pixel");
        let columns = columns.nearest();
        self.square.clear();
        for y in rows.nearest() {
            let row = &pixels[3 * size.width as usize * (y - view.top as usize)..];
            let pixel = |x: &usize| &row[3 * (x - view.left as usize)..][..3];
            self.square.extend(columns.iter().flat_map(pixel));
        }
    }

    /// Moves the image's part into the middle of a square of padding.
    fn pad(&mut self, columns: &Axis, rows: &Axis) {
        let size = self.preparation.size as usize;
        std::mem::swap(&mut self.square, &mut self.shown);
        self.square.clear();
        self.square.extend(self.preparation.fill.iter().cycle().take(3 * size * size));
        let (left, top) = (3 * columns.before as usize, rows.before as usize);
        let width = 3 * columns.length as usize;
        let lines = self.square.chunks_exact_mut(3 * size).skip(top);
        for (line, shown) in lines.zip(self.shown.chunks_exact(width)) {
            line[left..left + width].copy_from_slice(shown);
        }
    }
}

impl Resize {
    /// Width and height of an image once it is scaled to `to`.
    fn resized(self, image: Size, to: u32) -> (u64, u64) {
        let Size { width, height } = image;
        match self {
            Self::Squash => (to.into(), to.into()),
            Self::Shortest if width <= height => (to.into(), longer(to, height, width)),
            Self::Shortest => (longer(to, width, height), to.into()),
            Self::Longest if width <= height => (shorter(to, width, height), to.into()),
            Self::Longest => (to.into(), shorter(to, height, width)),
            Self::Keep => (width.into(), height.into()),
        }
    }
}

/// The longer side once the shorter one is `to`: truncated, as torchvision and transformers do.
fn longer(to: u32, long: u32, short: u32) -> u64 {
    u64::from(to) * u64::from(long) / u64::from(short)
}

/// The shorter side once the longer one is `to`: rounded to the nearest, halves to even, by the
/// divisions of open_clip and timm. Theirs fail where nothing is left of it; here a line remains.
fn shorter(to: u32, short: u32, long: u32) -> u64 {
    let ratio = f64::from(long) / f64::from(to);
    (f64::from(short) / ratio).round_ties_even().max(1.0) as u64
}

impl Interpolation {
    /// The kernel with this number in PIL: `resample` in transformers' preprocessor_config.json.
    pub fn from_pil(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Nearest,
            1 => Self::Lanczos,
            2 => Self::Bilinear,
            3 => Self::Bicubic,
            4 => Self::Box,
            5 => Self::Hamming,
            _ => return None,
        })
    }

    /// The kernel that open_clip uses outside training for an `interpolation` of a preprocess_cfg.
    pub fn from_open_clip(name: &str) -> Option<Self> {
        match name {
            "bilinear" => Some(Self::Bilinear),
            // Which of the two it is is drawn in training only.
            "bicubic" | "random" => Some(Self::Bicubic),
            _ => None,
        }
    }

    /// Half the kernel's width at scale 1, in pixels.
    fn radius(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The kernel; none where pixels are picked.
    fn filter(self) -> Option<FilterType> {
        match self {
            Self::Nearest => None,
            Self::Box => Some(FilterType::Box),
            Self::Bilinear => Some(FilterType::Bilinear),
            Self::Hamming => Some(window::hamming()),
            Self::Bicubic => Some(FilterType::CatmullRom),
            Self::Lanczos => Some(window::lanczos()),
        }
    }
}

fn pixels(pixels: &[u8], size: Size) -> TypedImageRef<'_, U8x3> {
    TypedImageRef::from_buffer(size.width, size.height, pixels).expect("3 bytes a pixel")
}

/// Resizes what `options` cuts out of `from`; `into` becomes `[height, width, 3]`.
fn pass(
    resizer: &mut Resizer,
    from: &TypedImageRef<'_, U8x3>,
    into: &mut Vec<u8>,
    size: Size,
    options: &ResizeOptions,
) {
    into.resize(size.pixels() as usize * 3, 0);
    let mut target =
        TypedImage::<U8x3>::from_buffer(size.width, size.height, into).expect("3 bytes a pixel");
    // Typed: the untyped call would compile every pixel type into the crate.
    resizer.resize_typed(from, &mut target, options).expect("a crop within the image");
}
