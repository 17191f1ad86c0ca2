//! One pair while its frames arrive, and the sample that becomes of it.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use pairgate_core::wire::pairs::{Format, Frame, PairCrc, Start, Time};
use serde::Serialize;

use crate::source::Sample;
use crate::source::builder::SampleBuilder;

/// A pair of which the start has arrived, and the image up to somewhere.
pub(super) struct Picture {
    /// With caption and metadata.
    sample: SampleBuilder,
    format: Format,
    size: Size,
    bytes: u32,
    image: Vec<u8>,
    crc: PairCrc,
}

/// The `.json` member.
#[derive(Serialize)]
struct Described<'a> {
    node: &'a str,
    number: u32,
    format: &'static str,
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_ms: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    place: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    sensor: &'a str,
}

impl Picture {
    /// Begins with `start`, which `frame` holds.
    ///
    /// # Errors
    /// The sample with its fault, where the start's own values rule the pair out.
    pub fn begin(
        mut sample: SampleBuilder,
        frame: &Frame<'_>,
        start: &Start<'_>,
    ) -> Result<Self, Sample> {
        if let Some(caption) = start.caption
            && sample.admits("txt", caption.len() as u64)
        {
            sample.push("txt".into(), caption.as_bytes().to_vec());
        }
        let json = described(start, frame.number);
        if sample.admits("json", json.len() as u64) {
            sample.push("json".into(), json);
        }
        let Start { format, size, bytes, .. } = *start;
        if !format.fits(size, bytes) {
            sample.note(Reason::MetadataInvalid);
        }
        if !sample.admits(extension(format), full_bytes(format, bytes)) {
            log::warn!("{} is above the limit", sample.key());
        }
        let crc = PairCrc::of(frame.payload);
        let picture = Self { sample, format, size, bytes, image: Vec::new(), crc };
        if picture.sample.is_sound() { Ok(picture) } else { Err(picture.sample.finish()) }
    }

    /// Takes a part of the image; whether it is the next one.
    pub fn push(&mut self, offset: u32, bytes: &[u8]) -> bool {
        let left = self.bytes as usize - self.image.len();
        if offset as usize != self.image.len() || bytes.len() > left {
            return false;
        }
        self.crc.update(bytes);
        self.image.extend_from_slice(bytes);
        true
    }

    /// The pair, whose end says `crc`.
    pub fn finish(mut self, crc: u32) -> Sample {
        if self.image.len() != self.bytes as usize || self.crc.value() != crc {
            self.sample.note(Reason::FrameTorn);
            return self.sample.finish();
        }
        match encoded(self.format, self.size, self.image) {
            // A raw picture may be a little larger as a file.
            Some(image) if self.sample.admits(extension(self.format), image.len() as u64) => {
                self.sample.push(extension(self.format).into(), image);
            }
            Some(_) => {}
            None => self.sample.note(Reason::Undecodable),
        }
        self.sample.finish()
    }

    /// What there is of the pair, which nothing more comes of.
    pub fn torn(self) -> Sample {
        self.broken(Reason::FrameTorn)
    }

    /// What there is of the pair, without the image.
    pub fn broken(mut self, fault: Reason) -> Sample {
        self.sample.note(fault);
        self.sample.finish()
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} of {} bytes", self.sample.key(), self.image.len(), self.bytes)
    }
}

fn described(start: &Start<'_>, number: u32) -> Vec<u8> {
    let (unix_ms, boot_ms) = match start.time {
        Time::Unknown => (None, None),
        Time::SinceBoot(ms) => (None, Some(ms)),
        Time::Unix(ms) => (Some(ms), None),
    };
    let &Start { node, place, sensor, size: Size { width, height }, .. } = start;
    let format = start.format.name();
    let described =
        Described { node, number, format, width, height, unix_ms, boot_ms, place, sensor };
    serde_json::to_vec(&described).unwrap_or_default()
}

const fn extension(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "jpg",
        Format::Grey8 | Format::Rgb565 | Format::Rgb8 => "png",
    }
}

/// Bytes of an image as it is held at the end, before it is a file.
fn full_bytes(format: Format, bytes: u32) -> u64 {
    let bytes = u64::from(bytes);
    if format == Format::Rgb565 { bytes / 2 * 3 } else { bytes }
}

/// The image as a file: raw pixels become a PNG that holds each of them exactly.
fn encoded(format: Format, size: Size, image: Vec<u8>) -> Option<Vec<u8>> {
    let (pixels, color) = match format {
        Format::Jpeg => return Some(image),
        Format::Grey8 => (image, ExtendedColorType::L8),
        Format::Rgb565 => (widened(&image), ExtendedColorType::Rgb8),
        Format::Rgb8 => (image, ExtendedColorType::Rgb8),
    };
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive)
        .write_image(&pixels, size.width, size.height, color)
        .ok()?;
    Some(file)
}

/// RGB565 as 8 bits a channel. The upper bits are repeated below, so that full is full, and the
/// upper bits alone are the pixel that was sent.
fn widened(pixels: &[u8]) -> Vec<u8> {
    let word = |pixel: &[u8; 2]| u16::from_le_bytes(*pixel);
    let five = |bits: u16| (bits << 3 | bits >> 2) as u8;
    let six = |bits: u16| (bits << 2 | bits >> 4) as u8;
    let (pixels, _) = pixels.as_chunks::<2>();
    let wide = |p: u16| [five(p >> 11), six(p >> 5 & 63), five(p & 31)];
    pixels.iter().map(word).flat_map(wide).collect()
}
