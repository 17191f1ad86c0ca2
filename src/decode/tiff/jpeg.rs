//! Strips and tiles that are JPEG: put together with the page's tables to whole files, for the
//! JPEG decoder.

use std::ops::RangeInclusive;

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;

use super::codec::Stored;
use super::directory::Directory;
use super::plan::Plan;
use super::refused;
use crate::decode::{Region, jpeg};

pub(super) const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
pub(super) const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
const START_OF_SCAN: u8 = 0xda;

/// Samples `[rows, width, together]` of one strip or tile.
///
/// # Errors
/// As [`crate::decode::decode`]; [`Reason::Undecodable`] also where its sides are not the tags'.
pub(super) fn samples(
    stored: Stored<'_>,
    rows: u32,
    page: &Directory<'_>,
    plan: &Plan,
    limits: &ImageLimits,
) -> Result<Vec<u8>, Reason> {
    if plan.bits != 8 {
        return Err(refused("JPEG of other than 8 bits"));
    }
    let is_luma_and_chroma = page.photometric == Some(6);
    match plan.together() {
        1 if plan.planar && is_luma_and_chroma => return Err(refused("JPEG of chroma in planes")),
        1 | 3 => {}
        _ => return Err(refused("JPEG of two or four samples")),
    }
    let tables = page.jpeg_tables.and_then(|list| list.data).unwrap_or_default();
    let file = assemble(tables, stored.bytes, is_luma_and_chroma);
    let mut pixels = decode(&file, plan.segment.width, rows..=plan.segment.height, limits)?;
    if plan.together() == 1 {
        pixels = pixels.as_chunks::<3>().0.iter().map(|pixel| pixel[0]).collect();
    }
    Ok(pixels)
}

/// RGB of a picture that is `width` wide and as high as `heights` permits: of the fewest rows.
pub(super) fn decode(
    file: &[u8],
    width: u32,
    heights: RangeInclusive<u32>,
    limits: &ImageLimits,
) -> Result<Vec<u8>, Reason> {
    let outline = jpeg::outline(file)?;
    let height = outline.stored.height;
    if outline.stored.width != width || !heights.contains(&height) {
        return Err(Reason::Undecodable);
    }
    let layout = outline.layout();
    if layout.working.saturating_add(layout.extra) > limits.max_decode_bytes {
        return Err(Reason::ImageTooLarge);
    }
    let row = 3 * width as usize;
    let mut pixels = Vec::new();
    let whole = (Region::whole(outline.stored), 1);
    jpeg::decode(file, limits, outline.stored, whole, &mut pixels)?;
    pixels.truncate(row * *heights.start() as usize);
    Ok(pixels)
}

/// A whole file of a stream that may lack tables. What its segments say of colours does not count:
/// the tags do.
pub(super) fn assemble(tables: &[u8], stream: &[u8], is_luma_and_chroma: bool) -> Vec<u8> {
    let mut file = START_OF_IMAGE.to_vec();
    file.extend_from_slice(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
    file.push(u8::from(is_luma_and_chroma));
    for segment in (Segments { rest: tables }) {
        keep(&mut file, segment);
    }
    let mut segments = Segments { rest: stream };
    for segment in &mut segments {
        keep(&mut file, segment);
    }
    file.extend_from_slice(segments.rest);
    if !file.ends_with(&END_OF_IMAGE) {
        file.extend_from_slice(&END_OF_IMAGE);
    }
    file
}

fn keep(file: &mut Vec<u8>, segment: &[u8]) {
    if !matches!(segment[1], 0xe0..=0xef) {
        file.extend_from_slice(segment);
    }
}

/// The segments before the first scan, each with its marker; what is left begins with the scan.
pub(super) struct Segments<'a> {
    pub rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            match *self.rest {
                [0xff, 0xd8 | 0x01 | 0xff, ..] => {
                    let length = if self.rest[1] == 0xff { 1 } else { 2 };
                    self.rest = &self.rest[length..];
                }
                [0xff, marker @ 0xc0..=0xfe, high, low, ..]
                    if marker != START_OF_SCAN && marker != END_OF_IMAGE[1] =>
                {
                    let length = usize::from(u16::from_be_bytes([high, low])).max(2) + 2;
                    let (segment, rest) = self.rest.split_at_checked(length)?;
                    self.rest = rest;
                    return Some(segment);
                }
                _ => return None,
            }
        }
    }
}
