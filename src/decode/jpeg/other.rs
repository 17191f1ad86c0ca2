//! All JPEGs that are not read here: progressive ones, those in several scans, with other samplings
//! or colours, and damaged ones, of which libjpeg-turbo-rs says whether they can be decoded.

use libjpeg_turbo_rs::{
    ColorSpace, DecodeLimits, Decoder, Image, JpegError, PixelFormat, RestartResyncStrategy,
    ResyncAction, ScalingFactor, read_coefficients,
};
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::MAX_SCANS;
use super::blocks::natural_order;
use super::islow;
use super::markers::{Markers, START_OF_SCAN};
use super::span::Span;
use crate::decode::part::Region;

/// Columns beside those that are wanted, in pixels: where columns are cut away, two more are not as
/// in the whole image.
const MARGIN: usize = 8;

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
    if !is_within_range(bytes) {
        return Err(Reason::Undecodable);
    }
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
    // As libjpeg does where bits of coefficients are missing.
    decoder.set_block_smoothing(true);
    // Cut columns are exact of these colours alone.
    let is_cut = decoder.jpeg_color_space() == ColorSpace::YCbCr;
    let columns = if is_cut { columns } else { Span { start: 0, end: decoder.output_width() } };
    let across = decoder.header().components.iter().map(|c| c.horizontal_sampling).max();
    let unit = usize::from(across.unwrap_or(1)) * side;
    let width = decoder.output_width();
    let columns = columns.widened(MARGIN, width).in_units(unit.max(1)).times(unit);
    let columns = columns.widened(0, width);
    decoder.set_crop(columns.start, columns.length());
    decoder.decode_image().map(|image| (columns.start, image))
}

/// Whether all processors decode the file to the same pixels: none of them cuts anything off in a block's
/// transform. Damage alone makes blocks in which they do, and the crate's kernels differ in how.
fn is_within_range(bytes: &[u8]) -> bool {
    // It takes the same data as the decoder; what it does not take has no pixels that can be relied on.
    let Ok(image) = read_coefficients(bytes) else { return false };
    image.components.iter().all(|component| {
        let steps = image.quant_tables.get(usize::from(component.quant_table_index));
        let in_natural_order = |block: &[i16; 64]| {
            let mut natural = [0; 64];
            natural_order().zip(block).for_each(|(place, level)| natural[place] = *level);
            natural
        };
        steps.is_some_and(|steps| {
            component
                .blocks
                .iter()
                .all(|block| islow::is_within_range(&in_natural_order(block), steps))
        })
    })
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
