//! JPEG: the pixels that libjpeg-turbo decodes, bit for bit, and those that are needed alone.
//!
//! [`outline`] walks the file from marker to marker, which finds a missing end for certain, and says
//! what memory decoding takes. [`decode`] reads the entropy-coded data by itself of files without faults
//! and of the usual samplings, which nearly all photos are, baseline or progressive, and transforms,
//! upsamples and colours what is wanted of them, with the kernels of libjpeg-turbo-rs. All other files go
//! through that crate's own decoder.
//!
//! ```text
//! markers -> header -> scan: bits -> blocks (huffman) ----------> planes: transform -> strip -> upsample -> RGB
//!         |        \-> held: all scans, bits -> bands (huffman) ->
//!         \-> other: libjpeg-turbo-rs, whole
//! ```

use image::metadata::Orientation;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::Layout;
use super::orientation::Carriers;
use super::part::Region;
use header::Header;
use markers::{END_OF_IMAGE, Markers, START_OF_SCAN};
use planes::{Planes, Wanted};
use span::Span;

mod band;
mod bits;
mod blocks;
mod header;
mod held;
mod huffman;
mod islow;
mod markers;
mod other;
mod planes;
mod scan;
mod span;
mod strip;
mod transform;
mod upsample;

/// More scans than encoders make of an image; each takes time for all of it.
const MAX_SCANS: usize = 512;

/// EXIF, or XMP.
const APP1: u8 = 0xe1;

/// What the markers say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    pub stored: Size,
    pub orientation: Orientation,
    /// Bytes of the coefficients that have to be held until the last scan; 0 where there is one.
    pub coefficients: u64,
    /// Samples of all components, those included that fill up the last units.
    pub samples: u64,
    /// The end-of-image marker was found.
    pub complete: bool,
}

impl Outline {
    pub fn layout(&self) -> Layout {
        // Of a single scan's file, a row of units is held at a time.
        let samples = if self.coefficients > 0 { self.samples } else { 0 };
        Layout { working: self.rgb(), extra: self.coefficients + samples }
    }

    /// Bytes that it takes to decode the file by libjpeg-turbo-rs, which holds all samples, and to look at
    /// its coefficients.
    fn whole(&self) -> u64 {
        self.rgb().saturating_add(3 * self.samples)
    }

    fn rgb(&self) -> u64 {
        self.stored.pixels().saturating_mul(3)
    }
}

/// The frame header's part that counts.
struct Frame<'a> {
    size: Size,
    /// Whether coefficients may be held until the last scan, whatever the first one has.
    is_held: bool,
    /// 3 bytes each: id, sampling factors, quantisation table.
    components: &'a [u8],
}

/// Walks the markers up to the end of the image; nothing after it is looked at.
///
/// # Errors
/// [`Reason::ImageTruncated`] where the file ends before the first scan, [`Reason::Undecodable`]
/// where it is no JPEG that can be decoded.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline, Reason> {
    let markers = Markers::new(bytes);
    let (mut frame, mut held, mut carriers) = (None, None, Carriers::default());
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
            APP1 if held.is_none() => carriers.add_app1(segment),
            START_OF_SCAN if held.is_none() => {
                let frame = frame.as_ref().ok_or(Reason::Undecodable)?;
                held = Some((frame.coefficients(segment), frame.samples()));
                // What follows is looked at for its end alone, which is nearly always the file's.
                if bytes.ends_with(&[0xff, END_OF_IMAGE]) {
                    complete = true;
                    break;
                }
            }
            _ => {}
        }
    }
    match (frame, held) {
        (Some(Frame { size: stored, .. }), Some((coefficients, samples))) => {
            let orientation = carriers.orientation();
            Ok(Outline { stored, orientation, coefficients, samples, complete })
        }
        _ if complete => Err(Reason::Undecodable),
        _ => Err(Reason::ImageTruncated),
    }
}

/// Decodes the region of an image of the size `stored`, reduced by `reduction`, to RGB rows in
/// `pixels`; says which region that is, at the reduced resolution: the one asked for, or more.
///
/// # Errors
/// [`Reason::Undecodable`] for damage, [`Reason::ImageTooLarge`] for a file that takes more memory
/// than it may in libjpeg-turbo-rs.
pub(super) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
    stored: Size,
    (region, reduction): (Region, u32),
    pixels: &mut Vec<u8>,
) -> Result<Region, Reason> {
    let side = (8 / reduction) as usize;
    let span = |start: u32, length: u32| Span {
        start: (start / reduction) as usize,
        end: (start + length).div_ceil(reduction) as usize,
    };
    let columns = span(region.left, region.size.width);
    let rows = span(region.top, region.size.height);
    if read_here(bytes, stored, side, Wanted { columns, rows }, pixels).is_some() {
        let size = Size::new(columns.length() as u32, rows.length() as u32);
        return Ok(Region { left: columns.start as u32, top: rows.start as u32, size });
    }
    if outline(bytes)?.whole() > limits.max_decode_bytes {
        return Err(Reason::ImageTooLarge);
    }
    other::decode(bytes, limits, side, columns, pixels)
}

/// Decodes what is wanted of a file that is as nearly all are; `None` for any other, and for one that is
/// not quite as it should be.
fn read_here(
    bytes: &[u8],
    stored: Size,
    side: usize,
    wanted: Wanted,
    pixels: &mut Vec<u8>,
) -> Option<()> {
    let header = Header::read(bytes)?;
    (header.width == stored.width as usize).then_some(())?;
    let planes = Planes::new(&header, side, wanted)?;
    let row = 3 * wanted.columns.length();
    let length = row * wanted.rows.length();
    // Of another image's pixels, none is left in the end.
    if pixels.capacity() < length {
        *pixels = Vec::with_capacity(length);
    }
    pixels.resize(length, 0);
    let rows = pixels.chunks_exact_mut(row);
    if header.is_progressive || header.scan.coded.len() < header.components.len() {
        held::decode(bytes, header, planes, rows)
    } else {
        scan::decode(&header, planes, rows)
    }
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
        Ok(Self { size, is_held: marker > 0xc1, components })
    }

    /// Bytes of the coefficients held at once, given the first scan: two each.
    fn coefficients(&self, scan: &[u8]) -> u64 {
        let count = self.components.len() / 3;
        if !self.is_held && scan.first().is_some_and(|&n| usize::from(n) == count) {
            return 0;
        }
        2 * self.samples()
    }

    /// Samples of all components, padded to whole units of the largest sampling factor.
    fn samples(&self) -> u64 {
        let factors = || {
            self.components.chunks_exact(3).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)))
        };
        let across = factors().map(|(h, _)| h).max().unwrap_or(1).max(1);
        let down = factors().map(|(_, v)| v).max().unwrap_or(1).max(1);
        let units = u64::from(self.size.width).div_ceil(8 * across)
            * u64::from(self.size.height).div_ceil(8 * down);
        factors().map(|(h, v)| units * h * v * 64).sum()
    }
}
