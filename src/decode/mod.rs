//! Image bytes -> [`Rgb8`], under limits.
//!
//! The format is what the bytes say, never what a name says. [`probe`] reads headers only, so that
//! the size rules and the limits answer before a pixel is decoded; [`decode`] follows PIL:
//! orientation is applied, transparency is laid over white, of an animation the first frame is
//! taken, of a TIFF the first page, and 16-bit samples keep their high byte. Damage that the pixels
//! do not need to be whole for, such as that of texts, profiles and checksums, loses no picture.
//!
//! # What is refused
//! - [`Reason::UnknownFormat`]: what is no picture, as far as its first bytes say.
//! - [`Reason::UnsupportedFormat`]: a format that is known and not decoded (HEIC, SVG, JPEG XL and
//!   others), and layouts of TIFF that are not. The log names it.
//! - [`Reason::ImageTooLarge`]: a side, an area or the memory to decode above the limits. The
//!   memory is counted for each format: coefficients of a progressive JPEG, opacity, 16-bit
//!   samples, the second copy of an image that is turned by 90 degrees.
//! - [`Reason::ImageTruncated`]: data that end too early. A JPEG must reach its end-of-image
//!   marker, a WebP the length in its header; a PNG, GIF, BMP or TIFF must hold all its pixels, but
//!   may lack what comes after them. Bytes after the end are ignored. PIL draws the lines at nearly
//!   the same places, and like PIL this does not see that a JPEG's data were cut where someone has since written an end-of-image marker.
//! - [`Reason::Undecodable`]: all other damage, and by choice JPEG other than 8-bit Huffman with
//!   1, 3 or 4 components, and any image that makes its decoder panic.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, ImageFormat, ImageResult, Limits};
use pairgate_core::config::{DecodeMode, ImageLimits};
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use pieces::Pieces;

pub use given::{Samples, admit_size};
pub use part::{Part, Region, Wanted};

#[cfg(all(feature = "avif", not(target_arch = "arm")))]
mod avif;
#[cfg(not(all(feature = "avif", not(target_arch = "arm"))))]
#[path = "no_avif.rs"]
mod avif;
mod gif;
mod given;
mod jpeg;
mod orientation;
mod part;
mod pieces;
mod pixels;
mod png;
mod refused;
mod tags;
mod tiff;
mod webp;

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rgb8 {
    /// Width and height, orientation applied.
    pub size: Size,
    /// `[height, width, 3]`: row-major red, green, blue.
    pub pixels: Vec<u8>,
}

/// What an image file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format that the bytes are in.
    pub format: ImageFormat,
    /// The image's own size in pixels, orientation applied.
    pub size: Size,
    /// How the stored pixels are turned to be shown.
    pub orientation: Orientation,
}

/// Reads the header of an image and holds it against the limits; no pixel is decoded.
///
/// # Errors
/// [`Reason::UnknownFormat`] where the bytes are no picture's, an empty file included;
/// [`Reason::UnsupportedFormat`] where they are one's that is not decoded;
/// [`Reason::ImageTooLarge`] above a limit; [`Reason::ImageTruncated`] where the
/// file is seen to end too early; [`Reason::Undecodable`] for any other damage.
pub fn probe(bytes: &[u8], limits: &ImageLimits) -> Result<Header, Reason> {
    let Some(format) = sniff(bytes) else {
        let name = refused::name(bytes).ok_or(Reason::UnknownFormat)?;
        log::warn!("a picture is {name}, which is not read");
        return Err(Reason::UnsupportedFormat);
    };
    guarded(|| match format {
        ImageFormat::Jpeg => probe_jpeg(bytes, limits),
        ImageFormat::Png => png::probe(bytes, limits),
        ImageFormat::Avif => avif::probe(bytes, limits),
        ImageFormat::Tiff => tiff::probe(bytes, limits),
        _ => probe_other(bytes, format, limits),
    })
}

/// Decodes the image whose [`Header`] was probed under the same limits. `into.pixels` is reused
/// and holds the only copy of the image, except where the decoder itself needs a second one or
/// the image is turned by 90 degrees.
///
/// # Errors
/// As [`probe`]; `into` is then empty.
pub fn decode(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    into: &mut Rgb8,
) -> Result<(), Reason> {
    let mut part = Part { image: std::mem::take(into), ..Part::default() };
    let wanted = Wanted::whole(header.size);
    let outcome = decode_part(bytes, header, limits, &wanted, &mut part);
    *into = part.image;
    outcome
}

/// Decodes what is wanted of an image, or more. Where [`ImageLimits::decode`] allows it, the image is
/// reduced as far as `wanted` allows. Of a JPEG, nothing else is transformed or coloured, and the
/// part's pixels are those of the whole image, decoded at the same reduction; all other formats are
/// decoded whole.
///
/// # Errors
/// As [`probe`]; `into` is then empty.
pub fn decode_part(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    wanted: &Wanted,
    into: &mut Part,
) -> Result<(), Reason> {
    let outcome = guarded(|| match header.format {
        ImageFormat::Jpeg => decode_jpeg(bytes, header, limits, wanted, into),
        _ => decode_whole(bytes, header, limits, into),
    });
    match outcome {
        Ok(()) => pixels::turn(&mut into.image, header.orientation),
        Err(_) => *into = Part::default(),
    }
    outcome
}

/// A buffer above this size is given back before an image that needs less is decoded.
const KEPT_BYTES: usize = 32 << 20;

/// The memory that one image takes to decode, in bytes.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// The buffer that the pixels are decoded to and become RGB in.
    working: u64,
    /// What the decoder holds beside it.
    extra: u64,
}

impl Layout {
    /// The header of an image of `stored` size, if it is within the limits.
    fn admit(
        self,
        format: ImageFormat,
        stored: Size,
        orientation: Orientation,
        limits: &ImageLimits,
    ) -> Result<Header, Reason> {
        let swapped = pixels::swaps_sides(orientation);
        let turned = if swapped { stored.pixels().saturating_mul(3) } else { 0 };
        let peak = self.working.saturating_add(self.extra.max(turned));
        if stored.width.max(stored.height) > limits.max_side
            || stored.pixels() > limits.max_pixels
            || peak > limits.max_decode_bytes
        {
            return Err(Reason::ImageTooLarge);
        }
        let size = if swapped { Size::new(stored.height, stored.width) } else { stored };
        Ok(Header { format, size, orientation })
    }
}

/// The format that the first bytes say; only formats that are decoded.
fn sniff(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(ImageFormat::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ImageFormat::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(ImageFormat::Gif),
        [b'B', b'M', ..] => Some(ImageFormat::Bmp),
        _ if avif::is_avif(bytes) => Some(ImageFormat::Avif),
        _ if tags::Tagged::open(bytes).is_some() => Some(ImageFormat::Tiff),
        _ => None,
    }
}

/// Runs a decoder; a panic in it is the image's fault, not the gate's.
fn guarded<T>(run: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(Reason::Undecodable))
}

fn probe_jpeg(bytes: &[u8], limits: &ImageLimits) -> Result<Header, Reason> {
    let outline = jpeg::outline(bytes)?;
    let header =
        outline.layout().admit(ImageFormat::Jpeg, outline.stored, outline.orientation, limits)?;
    if outline.complete { Ok(header) } else { Err(Reason::ImageTruncated) }
}

fn decode_jpeg(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    wanted: &Wanted,
    into: &mut Part,
) -> Result<(), Reason> {
    let stored = stored_size(header);
    let reduction = match limits.decode {
        DecodeMode::Exact => 1,
        DecodeMode::Scaled => wanted.reduction(header.size),
    };
    // A kernel's reach is rounded to pixels of the reduced image.
    let margin = if reduction > 1 { 2 * reduction } else { 0 };
    let region = wanted.region.widened(margin, header.size);
    let region = region.stored(header.size, header.orientation);
    if into.image.pixels.capacity() > KEPT_BYTES {
        into.image.pixels = Vec::new();
    }
    let pixels = &mut into.image.pixels;
    let region = jpeg::decode(bytes, limits, stored, (region, reduction), pixels)?;
    into.image.size = region.size;
    let reduced = Size::new(stored.width.div_ceil(reduction), stored.height.div_ceil(reduction));
    let Region { left, top, .. } = region.shown(reduced, header.orientation);
    let image = std::mem::take(&mut into.image);
    *into = Part { whole: header.size, reduction, left, top, image };
    Ok(())
}

fn decode_whole(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    into: &mut Part,
) -> Result<(), Reason> {
    let mut image = std::mem::take(&mut into.image);
    match header.format {
        ImageFormat::Png => png::decode(bytes, header, limits, &mut image)?,
        ImageFormat::Avif => avif::decode(bytes, header, limits, &mut image)?,
        ImageFormat::Tiff => tiff::decode(bytes, header, limits, &mut image)?,
        _ => decode_other(bytes, header, limits, &mut image)?,
    }
    *into = Part { whole: header.size, image, ..Part::default() };
    Ok(())
}

fn probe_other(bytes: &[u8], format: ImageFormat, limits: &ImageLimits) -> Result<Header, Reason> {
    let file = Screened::of(bytes, format)?;
    let ended = Cell::new(false);
    let (decoder, layout) = open(&file, format, &ended)?;
    layout.admit(format, dimensions(&*decoder), file.orientation(), limits)
}

fn decode_other(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    into: &mut Rgb8,
) -> Result<(), Reason> {
    let file = Screened::of(bytes, header.format)?;
    let ended = Cell::new(false);
    let reason = |error| reason(&error, &ended);
    let (mut decoder, layout) = open(&file, header.format, &ended)?;
    let stored = dimensions(&*decoder);
    if stored != stored_size(header) {
        return Err(Reason::Undecodable);
    }
    let rest = limits.max_decode_bytes.saturating_sub(layout.working);
    decoder.set_limits(decoder_limits(limits, rest)).map_err(reason)?;
    into.size = stored;
    empty(&mut into.pixels, layout.working)?;
    let colour = decoder.color_type();
    let decoded = usize::try_from(decoder.total_bytes()).map_err(|_| Reason::ImageTooLarge)?;
    decoder.read_image_boxed(&mut into.pixels[..decoded]).map_err(reason)?;
    pixels::to_rgb(&mut into.pixels, colour, stored.pixels() as usize)
}

/// What is known of a file before a decoder of `image` sees it.
enum Screened<'a> {
    Gif(gif::Outline<'a>),
    WebP(webp::Outline<'a>),
    Whole(&'a [u8]),
}

impl<'a> Screened<'a> {
    /// # Errors
    /// The reason why it must not see it.
    fn of(bytes: &'a [u8], format: ImageFormat) -> Result<Self, Reason> {
        Ok(match format {
            ImageFormat::Gif => Self::Gif(gif::outline(bytes)?),
            ImageFormat::WebP => Self::WebP(webp::outline(bytes)?),
            _ => Self::Whole(bytes),
        })
    }

    /// What the decoder sees.
    fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::Gif(outline) => outline.parts(),
            Self::WebP(outline) => outline.parts(),
            Self::Whole(bytes) => vec![bytes],
        }
    }

    fn orientation(&self) -> Orientation {
        match self {
            Self::WebP(outline) => outline.carriers.orientation(),
            _ => Orientation::NoTransforms,
        }
    }

    /// Sides of the largest picture in the file, and bytes for each pixel that the decoder holds
    /// beside the image.
    fn cost(&self) -> (Size, u64) {
        match self {
            Self::WebP(outline) => (outline.largest, outline.extra),
            _ => (Size::default(), 0),
        }
    }
}

/// The size before the orientation is applied.
fn stored_size(header: &Header) -> Size {
    let Size { width, height } = header.size;
    if pixels::swaps_sides(header.orientation) { Size::new(height, width) } else { header.size }
}

/// Makes `pixels` `length` zeros, without the spare memory of a much larger image before, and
/// without a copy of a smaller one beside it.
fn empty(pixels: &mut Vec<u8>, length: u64) -> Result<(), Reason> {
    let length = usize::try_from(length).map_err(|_| Reason::ImageTooLarge)?;
    if pixels.capacity() > length.max(KEPT_BYTES) || pixels.capacity() < length {
        *pixels = Vec::new();
    }
    pixels.clear();
    pixels.reserve_exact(length);
    pixels.resize(length, 0);
    Ok(())
}

/// The decoder of `image` for the format, its header read, and the memory that it will take.
fn open<'a>(
    file: &'a Screened<'_>,
    format: ImageFormat,
    ended: &'a Cell<bool>,
) -> Result<(Box<dyn ImageDecoder + 'a>, Layout), Reason> {
    let decoder = open_screened(Pieces::new(file.parts(), ended), format)
        .map_err(|error| reason(&error, ended))?;
    let stored = dimensions(&*decoder);
    let (largest, extra) = file.cost();
    let larger = largest.width > stored.width || largest.height > stored.height;
    if stored.pixels() == 0 || larger {
        return Err(Reason::Undecodable);
    }
    let extra = stored.pixels().saturating_mul(extra);
    let working = decoder.total_bytes().max(stored.pixels().saturating_mul(3));
    Ok((decoder, Layout { working, extra }))
}

fn open_screened<'a>(
    reader: Pieces<'a>,
    format: ImageFormat,
) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    Ok(match format {
        ImageFormat::WebP => Box::new(codecs::webp::WebPDecoder::new(reader)?),
        ImageFormat::Gif => Box::new(codecs::gif::GifDecoder::new(reader)?),
        _ => Box::new(codecs::bmp::BmpDecoder::new(reader)?),
    })
}

fn dimensions(decoder: &dyn ImageDecoder) -> Size {
    let (width, height) = decoder.dimensions();
    Size::new(width, height)
}

/// `image` bounds no side by default.
fn decoder_limits(limits: &ImageLimits, max_bytes: u64) -> Limits {
    let mut bounds = Limits::no_limits();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    bounds.max_alloc = Some(max_bytes);
    bounds
}

/// What a decoder's error says of the image, and whether the bytes had ended says of the error.
fn reason(error: &ImageError, ended: &Cell<bool>) -> Reason {
    match error {
        ImageError::Limits(_) => Reason::ImageTooLarge,
        _ if ended.get() => Reason::ImageTruncated,
        _ => Reason::Undecodable,
    }
}
