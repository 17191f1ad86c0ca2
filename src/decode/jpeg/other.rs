//! All JPEGs that are not read here: progressive ones, those in several scans, with other samplings
//! or colours, and damaged ones, of which libjpeg-turbo-rs says whether they can be decoded.

use libjpeg_turbo_rs::{
    ColorSpace, DecodeLimits, Decoder, Image, JpegError, PixelFormat, RestartResyncStrategy,
    ResyncAction, ScalingFactor,
};
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::markers::{END_OF_IMAGE, Markers, START_OF_SCAN};
use super::scan::own_side;
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
    let fewer = fewer_scans(bytes, side);
    let bytes = fewer.as_deref().unwrap_or(bytes);
    let decoded = match Decoder::new_with_limits(bytes, bounds) {
        Ok(decoder) => run(decoder, side, columns, fewer.is_some()),
        // A segment that decoding does not need may be broken.
        Err(_) => {
            let essential = essential(bytes).ok_or(Reason::Undecodable)?;
            Decoder::new_with_limits(&essential, bounds)
                .and_then(|decoder| run(decoder, side, columns, fewer.is_some()))
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
fn run(
    mut decoder: Decoder<'_>,
    side: usize,
    columns: Span,
    is_short: bool,
) -> Result<(usize, Image), JpegError> {
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_scale(ScalingFactor::try_new(1, 8 / side as u32)?);
    decoder.set_resync_strategy(Strict);
    // A scan that was left out is not missing.
    decoder.set_block_smoothing(!is_short);
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

/// A progressive file without the scans of coefficients that a reduction to one sample a block does not
/// look at; `None` where there are none, and where the file has not all bits of all coefficients: what
/// is missing there, libjpeg guesses from neighbouring blocks.
fn fewer_scans(bytes: &[u8], side: usize) -> Option<Vec<u8>> {
    if side > 1 {
        return None;
    }
    let mut components: Vec<Progress> = Vec::new();
    let (mut kept, mut from, mut is_left_out) = (Vec::new(), 0, false);
    let mut markers = Markers::new(bytes);
    while let Some((marker, segment)) = markers.next() {
        let length = if marker == END_OF_IMAGE { 2 } else { segment.len() + 4 };
        let start = bytes.len() - markers.rest().len() - length;
        if std::mem::take(&mut is_left_out) {
            from = start;
        }
        match (marker, segment) {
            (END_OF_IMAGE, _) => break,
            (0xc2, _) => components = Progress::of(segment)?,
            (START_OF_SCAN, [count, scan @ ..]) => {
                let (chosen, rest) = scan.split_at_checked(2 * usize::from(*count))?;
                let [first, last, bits] = *rest else { return None };
                let chosen = chosen.as_chunks::<2>().0.iter().map(|[id, _]| *id);
                let is_of_scan =
                    |component: &&mut Progress| chosen.clone().any(|id| id == component.id);
                let mut is_needed = first == 0;
                for component in components.iter_mut().filter(is_of_scan) {
                    component.missing.get_mut(first.into()..=last.into())?.fill(bits & 15);
                    is_needed |= component.side > 1;
                }
                if !is_needed {
                    kept.extend(&bytes[from..start]);
                    is_left_out = true;
                }
            }
            _ => {}
        }
    }
    let is_complete = components.iter().all(|component| component.missing == [0; 64]);
    let found = is_complete && !kept.is_empty() && !is_left_out;
    found.then(|| [&kept, &bytes[from..]].concat())
}

/// How far a component of a progressive file has come.
struct Progress {
    id: u8,
    /// Samples that are left of a block, across and down.
    side: usize,
    /// Bits of each coefficient, in zigzag order, that no scan has given yet.
    missing: [u8; 64],
}

impl Progress {
    /// The components of a frame header, of which one sample a block is left.
    fn of(frame: &[u8]) -> Option<Vec<Self>> {
        let components = frame.get(6..)?.as_chunks::<3>().0;
        let factors =
            |factors: u8| (usize::from(factors >> 4).max(1), usize::from(factors & 15).max(1));
        let across = components.iter().map(|c| factors(c[1]).0).max()?;
        let down = components.iter().map(|c| factors(c[1]).1).max()?;
        let begin = |&[id, own, _]: &[u8; 3]| {
            let (own_across, own_down) = factors(own);
            let side = own_side(1, (own_across, across), (own_down, down));
            Self { id, side, missing: [u8::MAX; 64] }
        };
        Some(components.iter().map(begin).collect())
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
