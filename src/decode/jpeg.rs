//! JPEG: the markers, read here, and the pixels, through zune-jpeg.
//!
//! `image`'s own JPEG decoder hides two things that matter: it fills whatever a cut or damaged
//! file lacks with grey and calls it decoded, and it does not say what memory a progressive file
//! takes. So the file is first walked from marker to marker, which finds a missing end for
//! certain, and the pixels are decoded in strict mode.

use image::metadata::Orientation;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::Layout;
use super::orientation::Carriers;

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
/// EXIF, or XMP.
const APP1: u8 = 0xe1;

/// What the markers say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    pub stored: Size,
    pub orientation: Orientation,
    /// Bytes of the coefficients that have to be held until the last scan; 0 where there is one.
    pub coefficients: u64,
    /// The end-of-image marker was found.
    pub complete: bool,
}

impl Outline {
    pub fn layout(&self) -> Layout {
        Layout { working: self.stored.pixels().saturating_mul(3), extra: self.coefficients }
    }
}

/// The frame header's part that counts.
struct Frame<'a> {
    size: Size,
    progressive: bool,
    /// 3 bytes each: id, sampling factors, quantisation table.
    components: &'a [u8],
}

/// Walks the markers up to the end of the image; nothing after it is looked at.
///
/// # Errors
/// [`Reason::ImageTruncated`] where the file ends before the first scan, [`Reason::Undecodable`]
/// where it is no JPEG that can be decoded.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline, Reason> {
    let markers = Markers { bytes, position: 2 };
    let (mut frame, mut coefficients, mut carriers) = (None, None, Carriers::default());
    let mut complete = false;
    for (marker, segment) in markers {
        match marker {
            END_OF_IMAGE => {
                complete = true;
                break;
            }
            0xc0..=0xc2 if frame.is_none() => frame = Some(Frame::parse(marker, segment)?),
            // Lossless, hierarchical and arithmetic frames; 0xc4, 0xc8 and 0xcc are no frames.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Err(Reason::Undecodable);
            }
            APP1 if coefficients.is_none() => carriers.add_app1(segment),
            START_OF_SCAN if coefficients.is_none() => {
                let frame = frame.as_ref().ok_or(Reason::Undecodable)?;
                coefficients = Some(frame.coefficients(segment));
            }
            _ => {}
        }
    }
    match (frame, coefficients) {
        (Some(Frame { size: stored, .. }), Some(coefficients)) => {
            let orientation = carriers.orientation();
            Ok(Outline { stored, orientation, coefficients, complete })
        }
        _ if complete => Err(Reason::Undecodable),
        _ => Err(Reason::ImageTruncated),
    }
}

/// Decodes to RGB; `pixels` holds 3 bytes for each pixel of the frame.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits, pixels: &mut [u8]) -> Result<(), Reason> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(limits.max_side as usize)
        .set_max_height(limits.max_side as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    // Stray bytes between header segments are common and harmless; in the scans nothing is.
    decoder.decode_headers().map_err(|_| Reason::Undecodable)?;
    decoder.set_options(options.set_strict_mode(true));
    if decoder.output_buffer_size() != Some(pixels.len()) {
        return Err(Reason::Undecodable);
    }
    decoder.decode_into(pixels).map_err(|_| Reason::Undecodable)
}

impl<'a> Frame<'a> {
    fn parse(marker: u8, segment: &'a [u8]) -> Result<Self, Reason> {
        let [8, h1, h0, w1, w0, count, components @ ..] = segment else {
            return Err(Reason::Undecodable);
        };
        let size =
            Size::new(u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into());
        let supported = matches!(count, 1 | 3 | 4) && components.len() == 3 * usize::from(*count);
        if !supported || size.pixels() == 0 {
            return Err(Reason::Undecodable);
        }
        Ok(Self { size, progressive: marker == 0xc2, components })
    }

    /// Bytes of the coefficients held at once, given the first scan: two each, padded to whole
    /// units of the largest sampling factor.
    fn coefficients(&self, scan: &[u8]) -> u64 {
        let count = self.components.len() / 3;
        if !self.progressive && scan.first().is_some_and(|&n| usize::from(n) == count) {
            return 0;
        }
        let factors = || {
            self.components.chunks_exact(3).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)))
        };
        let across = factors().map(|(h, _)| h).max().unwrap_or(1).max(1);
        let down = factors().map(|(_, v)| v).max().unwrap_or(1).max(1);
        let units = u64::from(self.size.width).div_ceil(8 * across)
            * u64::from(self.size.height).div_ceil(8 * down);
        factors().map(|(h, v)| units * h * v * 64 * 2).sum()
    }
}

/// The markers of a JPEG in order, each with its segment; entropy-coded data are passed over.
struct Markers<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Markers<'a> {
    type Item = (u8, &'a [u8]);

    /// `None` where the file ends, or a segment says that it is longer than the file.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.bytes.get(self.position..)?;
            let at =
                rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
            let marker = rest[at + 1];
            self.position += at + 2;
            match marker {
                END_OF_IMAGE => return Some((marker, &[])),
                // TEM, the restart markers and a stray start of image have no segment.
                0x01 | 0xd0..=0xd8 => {}
                _ => {
                    let length = rest.get(at + 2..at + 4)?;
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                    let segment = rest.get(at + 4..at + 2 + length)?;
                    self.position += length;
                    return Some((marker, segment));
                }
            }
        }
    }
}
