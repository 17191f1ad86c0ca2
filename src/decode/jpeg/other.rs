//! All JPEGs that are not read here: progressive ones, those in several scans, with other samplings
//! or colours, and damaged ones, of which libjpeg-turbo-rs says whether they can be decoded.

use libjpeg_turbo_rs::{
    DecodeLimits, Decoder, Image, JpegError, PixelFormat, RestartResyncStrategy, ResyncAction,
    ScalingFactor,
};
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::markers::{Markers, START_OF_SCAN};
use super::span::Span;
use crate::decode::part::Region;

/// Columns beside those that are wanted, in pixels: where columns are cut away, two more are not as
/// in the whole image.
const MARGIN: usize = 8;

/// More scans than encoders make of an image; each takes time for all of it.
const MAX_SCANS: usize = 512;

/// Decodes at least the columns of the image, reduced by `8 / side`.
///
/// # Errors
/// [`Reason::Undecodable`] for damage, [`Reason::ImageTooLarge`] above the limits.
pub(super) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
    side: usize,
    columns: Span,
    pixels: &mut Vec<u8>,
) -> Result<Region, Reason> {
    let bounds = DecodeLimits {
        max_width: limits.max_side as usize,
        max_height: limits.max_side as usize,
        max_pixels: limits.max_pixels,
        max_scans: MAX_SCANS,
        // Counted before.
        max_memory: None,
    };
    // The last image's memory must not be held beside this one's.
    *pixels = Vec::new();
    let decoded = match Decoder::new_with_limits(bytes, bounds) {
        Ok(decoder) => run(decoder, side, columns),
        // A segment that decoding does not need may be broken.
        Err(_) => {
            let essential = essential(bytes).ok_or(Reason::Undecodable)?;
            Decoder::new_with_limits(&essential, bounds)
                .and_then(|decoder| run(decoder, side, columns))
        }
    };
    let (left, image) = decoded.map_err(|error| reason(&error))?;
    let size = Size::new(image.width as u32, image.height as u32);
    if image.data.len() as u64 != 3 * size.pixels() {
        return Err(Reason::Undecodable);
    }
    *pixels = image.data;
    Ok(Region { left: left as u32, top: 0, size })
}

/// Decodes whole units of columns, and says which one is the first.
fn run(mut decoder: Decoder<'_>, side: usize, columns: Span) -> Result<(usize, Image), JpegError> {
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_scale(ScalingFactor::try_new(1, 8 / side as u32)?);
    decoder.set_resync_strategy(Strict);
    let across = decoder.header().components.iter().map(|c| c.horizontal_sampling).max();
    let unit = usize::from(across.unwrap_or(1)) * side;
    let width = decoder.output_width();
    let columns = columns.widened(MARGIN, width).in_units(unit.max(1)).times(unit);
    let columns = columns.widened(0, width);
    decoder.set_crop(columns.start, columns.length());
    decoder.decode_image().map(|image| (columns.start, image))
}

/// Gives up where a restart marker is not where it should be: something is missing there.
#[derive(Debug)]
struct Strict;

impl RestartResyncStrategy for Strict {
    fn on_desync(&mut self, _: u8, _: Option<u8>) -> ResyncAction {
        ResyncAction::Abort
    }
}

fn reason(error: &JpegError) -> Reason {
    match error {
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => {
            Reason::ImageTooLarge
        }
        _ => Reason::Undecodable,
    }
}

/// The file with those segments alone, before the first scan, that say how it is decoded.
fn essential(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = bytes.get(..2)?.to_vec();
    let mut markers = Markers::new(bytes);
    while let Some((marker, segment)) = markers.next() {
        // Metadata and comments; of the former, JFIF's and Adobe's tell colours.
        if !matches!(marker, 0xe1..=0xed | 0xef | 0xfe) {
            let length = u16::try_from(segment.len() + 2).ok()?;
            kept.extend([0xff, marker]);
            kept.extend(length.to_be_bytes());
            kept.extend(segment);
        }
        if marker == START_OF_SCAN {
            kept.extend(markers.rest());
            return Some(kept);
        }
    }
    None
}
