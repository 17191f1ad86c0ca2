//! A decoded image -> the network's input: resize, crop, scale, all as torchvision does it on a
//! PIL image.
//!
//! PIL resizes bytes in two passes, columns first, and rounds and clips to bytes between them. A
//! bicubic kernel overshoots at edges, so a resize with the passes the other way round clips
//! elsewhere and differs by many levels. [`Preparer`] keeps the order of PIL up to 12.1, which the
//! published networks were trained with (later versions start with the rows where the height
//! shrinks much more than the width: only a squash of a tall image can tell). It computes only
//! what the centre crop shows: neither memory nor time grows with the part that is cut away.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use crate::decode::Rgb8;
use crate::pair::Size;

/// How an image of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// The shorter side is scaled to the size, the aspect kept, and the centre is cut out.
    Shortest,
    /// Both sides are scaled to the size; the aspect is lost.
    Squash,
}

/// The kernel of the resize, always widened to the scale when it shrinks (PIL's antialiasing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Cubic convolution with a = -0.5, as PIL's `BICUBIC`.
    Bicubic,
    /// A triangle, as PIL's `BILINEAR`.
    Bilinear,
}

/// What a model wants done to its images; part of its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// Side of the square input in pixels.
    pub size: u32,
    /// How an image of any shape becomes a square.
    pub resize: Resize,
    /// The kernel of the resize.
    pub interpolation: Interpolation,
    /// Subtracted from red, green and blue, which range from 0 to 1.
    pub mean: [f32; 3],
    /// What red, green and blue are then divided by.
    pub std: [f32; 3],
}

/// Prepares images one after the other in buffers that it keeps.
#[derive(Debug)]
pub struct Preparer {
    preparation: Preparation,
    /// `(level / 255 - mean) / std` for each level of each colour.
    scaled: [[f32; 256]; 3],
    resizer: Resizer,
    /// The rows that the crop needs, already at their final width.
    narrowed: Vec<u8>,
    /// The square, `[S, S, 3]`.
    square: Vec<u8>,
}

impl Preparer {
    /// Preparer for one model's images.
    pub fn new(preparation: Preparation) -> Self {
        let Preparation { mean, std, .. } = preparation;
        let scaled = std::array::from_fn(|colour| {
            std::array::from_fn(|level| (level as f32 / 255.0 - mean[colour]) / std[colour])
        });
        Self {
            preparation,
            scaled,
            resizer: Resizer::new(),
            narrowed: Vec::new(),
            square: Vec::new(),
        }
    }

    /// What is done to the images.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// Writes the model's input for `image` to `out`: `[3, S, S]` f32, `(x / 255 - mean) / std`.
    ///
    /// # Panics
    /// If `out` is not `3 * S * S` long, or `image` is empty or has not `width * height * 3` bytes.
    pub fn prepare(&mut self, image: &Rgb8, out: &mut [f32]) {
        self.square(image);
        let plane = self.square.len() / 3;
        assert_eq!(out.len(), 3 * plane, "the input is [3, S, S]");
        for ((plane, scaled), colour) in out.chunks_exact_mut(plane).zip(&self.scaled).zip(0..) {
            for (value, pixel) in plane.iter_mut().zip(self.square.chunks_exact(3)) {
                *value = scaled[usize::from(pixel[colour])];
            }
        }
    }

    /// The image resized and cropped: `[S, S, 3]` bytes, not yet scaled to the model's range.
    ///
    /// # Panics
    /// If `image` is empty or has not `width * height * 3` bytes.
    pub fn square(&mut self, image: &Rgb8) -> &[u8] {
        let Preparation { size, resize, interpolation, .. } = self.preparation;
        let (columns, rows) = resize.crop(image.size, size);
        let (first, end) = rows.support(interpolation.radius(), image.size.height);
        let height = end - first;

        let across = interpolation.options().crop(
            columns.start,
            first.into(),
            columns.length,
            height.into(),
        );
        let whole = view(&image.pixels, image.size);
        pass(&mut self.resizer, &whole, &mut self.narrowed, Size::new(size, height), &across);

        let top = rows.start - f64::from(first);
        let down = interpolation.options().crop(0.0, top, size.into(), rows.length);
        let narrowed = view(&self.narrowed, Size::new(size, height));
        pass(&mut self.resizer, &narrowed, &mut self.square, Size::new(size, size), &down);
        &self.square
    }
}

impl Resize {
    /// The columns and the rows of an image that become the square of side `size`.
    fn crop(self, image: Size, size: u32) -> (Span, Span) {
        let Size { width, height } = image;
        let (wide, high) = match self {
            Self::Squash => (size.into(), size.into()),
            Self::Shortest if width <= height => (size.into(), scaled(size, height, width)),
            Self::Shortest => (scaled(size, width, height), size.into()),
        };
        (Span::centre(width, wide, size), Span::centre(height, high, size))
    }
}

/// The longer side once the shorter one is `size`: truncated, as torchvision does.
fn scaled(size: u32, long: u32, short: u32) -> u64 {
    u64::from(size) * u64::from(long) / u64::from(short)
}

/// A stretch of columns or rows, in source pixels and fractions of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    start: f64,
    length: f64,
    /// Source pixels for each resulting one.
    scale: f64,
}

impl Span {
    /// What the middle `size` pixels show of a side that is resized from `side` to `resized`.
    fn centre(side: u32, resized: u64, size: u32) -> Self {
        let offset = ((resized - u64::from(size)) as f64 / 2.0).round_ties_even();
        let scale = f64::from(side) / resized as f64;
        let start = offset * scale;
        // Rounding must not carry the stretch past the side.
        let length = (f64::from(size) * scale).min(f64::from(side) - start);
        Self { start, length, scale }
    }

    /// First pixel and end of what a kernel of `radius` touches, on a side of `side` pixels. A
    /// pixel of slack does no harm: its weight is zero.
    fn support(&self, radius: f64, side: u32) -> (u32, u32) {
        let reach = radius * self.scale.max(1.0) + 1.0;
        let first = (self.start - reach).floor().max(0.0);
        let end = (self.start + self.length + reach).ceil().min(side.into());
        (first as u32, end as u32)
    }
}

impl Interpolation {
    /// Half the kernel's width at scale 1, in pixels.
    fn radius(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Bilinear => 1.0,
        }
    }

    fn options(self) -> ResizeOptions {
        let filter = match self {
            Self::Bicubic => FilterType::CatmullRom,
            Self::Bilinear => FilterType::Bilinear,
        };
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter))
    }
}

fn view(pixels: &[u8], size: Size) -> TypedImageRef<'_, U8x3> {
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
