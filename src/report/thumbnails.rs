//! Small pictures and captions for the pairs that are shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, RgbImage};
use pairgate_core::config::ImageLimits;

use super::gallery::Gallery;
use crate::decode::{Part, Region, Rgb8, Wanted, decode_part, probe};
use crate::digest::sha256;
use crate::disk::IoError;
use crate::source::Source;

/// Longer side of a thumbnail, in pixels.
const SIDE: u32 = 160;
/// The same of a picture that can be enlarged.
const LARGE_SIDE: u32 = 288;
/// JPEG quality, 1 to 100.
const QUALITY: u8 = 75;
/// Longest caption that is shown, in characters.
const MOST_CAPTION: usize = 2000;

/// Reads `pictures` and gives each pair of `galleries` whose picture is among them a picture and a
/// caption.
///
/// # Errors
/// [`IoError`] if the source cannot be read.
pub(super) fn fill(
    galleries: &mut [&mut Gallery],
    pictures: &mut dyn Source,
) -> Result<(), IoError> {
    while let Some(sample) = pictures.next()? {
        let Some(image) = sample.image() else { continue };
        let content = sha256(image);
        if !galleries.iter().any(|gallery| gallery.has(content)) {
            continue;
        }
        let metadata = sample.metadata();
        let caption = sample.pair(&metadata).caption.map(shown);
        let picture = small(image, &ImageLimits::default(), LARGE_SIDE);
        for gallery in galleries.iter_mut() {
            gallery.show(content, &sample.key, caption.as_deref(), picture.as_deref());
        }
    }
    Ok(())
}

fn shown(caption: &[u8]) -> String {
    String::from_utf8_lossy(caption).trim().chars().take(MOST_CAPTION).collect()
}

/// A small JPEG of at most 160 pixels a side, as a data URL; `None` for what cannot be decoded
/// under `limits`.
pub fn thumbnail(image: &[u8], limits: &ImageLimits) -> Option<String> {
    small(image, limits, SIDE)
}

fn small(image: &[u8], limits: &ImageLimits, side: u32) -> Option<String> {
    let header = probe(image, limits).ok()?;
    let wanted = Wanted { region: Region::whole(header.size), shorter_side: side };
    let mut part = Part::default();
    decode_part(image, &header, limits, &wanted, &mut part).ok()?;
    let Rgb8 { size, pixels } = part.image;
    let whole = DynamicImage::ImageRgb8(RgbImage::from_raw(size.width, size.height, pixels)?);
    let small =
        if size.width.max(size.height) > side { whole.thumbnail(side, side) } else { whole };
    let mut jpeg = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}
