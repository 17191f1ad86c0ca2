//! Small pictures and captions for the pairs that are shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, RgbImage};
use pairgate_core::config::ImageLimits;

use super::Chosen;
use crate::decode::{Part, Region, Rgb8, Wanted, decode_part, probe};
use crate::digest::sha256;
use crate::disk::IoError;
use crate::source::Source;

/// Longer side of a thumbnail, in pixels.
const SIDE: u32 = 160;
/// JPEG quality of a thumbnail, 1 to 100.
const QUALITY: u8 = 75;
/// Longest caption that is shown, in characters.
const MOST_CAPTION: usize = 400;

/// Reads `pictures` and gives each chosen pair whose picture is among them a thumbnail and a caption.
///
/// # Errors
/// [`IoError`] if the source cannot be read.
pub(super) fn fill(chosen: &mut Chosen, pictures: &mut dyn Source) -> Result<(), IoError> {
    while let Some(sample) = pictures.next()? {
        let Some(image) = sample.image() else { continue };
        let content = sha256(image);
        if !chosen.has(content) {
            continue;
        }
        let metadata = sample.metadata();
        let caption = sample.pair(&metadata).caption.map(shown);
        let thumbnail = thumbnail(image, &ImageLimits::default());
        // The same picture may come with several captions: the key tells them apart, where it can.
        let several = chosen.of_picture(content).count() > 1;
        for card in chosen.of_picture(content) {
            if !several || card.key == sample.key {
                card.caption.clone_from(&caption);
            }
            card.thumbnail.clone_from(&thumbnail);
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
    let header = probe(image, limits).ok()?;
    let wanted = Wanted { region: Region::whole(header.size), shorter_side: SIDE };
    let mut part = Part::default();
    decode_part(image, &header, limits, &wanted, &mut part).ok()?;
    let Rgb8 { size, pixels } = part.image;
    let whole = DynamicImage::ImageRgb8(RgbImage::from_raw(size.width, size.height, pixels)?);
    let small =
        if size.width.max(size.height) > SIDE { whole.thumbnail(SIDE, SIDE) } else { whole };
    let mut jpeg = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}
