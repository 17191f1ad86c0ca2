//! JPEG as TIFF 6.0 had it first: a whole stream that tags point to, or tables that they point to
//! and scan data in the strips. Either becomes a file for the JPEG decoder.

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;

use super::directory::{Directory, List, whole};
use super::jpeg::{END_OF_IMAGE, START_OF_IMAGE, Segments, assemble, decode};
use super::plan::Plan;
use super::raster::stored;
use super::refused;

const BLOCK: u64 = 8;
/// Headers and markers beside the strips.
const SPARE_BYTES: usize = 64 << 10;

/// Fills `into` with the plan's channels.
///
/// # Errors
/// As [`crate::decode::decode`].
pub(super) fn read(
    bytes: &[u8],
    page: &Directory<'_>,
    plan: &Plan,
    limits: &ImageLimits,
    into: &mut [u8],
) -> Result<(), Reason> {
    if plan.tiled || plan.planar {
        return Err(refused("tiles or planes of the first kind of JPEG"));
    }
    let file = match whole_stream(bytes, page) {
        Some(stream) if stream.ends_with(&END_OF_IMAGE) => assemble(&[], stream, true),
        Some(stream) => with_strips(stream, bytes, page, plan)?,
        None => of_tables(bytes, page, plan)?,
    };
    let height = plan.size.height;
    let pixels = decode(&file, plan.size.width, height..=height.next_multiple_of(16), limits)?;
    match plan.channels() {
        1 => {
            let greys = pixels.as_chunks::<3>().0.iter().map(|pixel| pixel[0]);
            into.iter_mut().zip(greys).for_each(|(into, grey)| *into = grey);
        }
        _ => into[..pixels.len()].copy_from_slice(&pixels),
    }
    Ok(())
}

/// The stream that the tags point to, up to its end if it has one.
fn whole_stream<'a>(bytes: &'a [u8], page: &Directory<'_>) -> Option<&'a [u8]> {
    let start = usize::try_from(whole(page.old_jpeg.stream, 0)?).ok()?;
    let rest = bytes.get(start..).filter(|rest| rest.starts_with(&START_OF_IMAGE))?;
    let stated = whole(page.old_jpeg.stream_length, 0).filter(|length| *length > 0);
    let length = stated.and_then(|length| usize::try_from(length).ok()).unwrap_or(rest.len());
    let stream = rest.get(..length).unwrap_or(rest);
    let end = stream.windows(2).rposition(|pair| pair == END_OF_IMAGE);
    Some(end.map_or(stream, |end| &stream[..end + 2]))
}

/// A stream that ends with its header: the scan's data are in the strips.
fn with_strips(
    stream: &[u8],
    bytes: &[u8],
    page: &Directory<'_>,
    plan: &Plan,
) -> Result<Vec<u8>, Reason> {
    let mut segments = Segments { rest: stream };
    segments.by_ref().for_each(drop);
    let header = stream.len() - segments.rest.len();
    let scan = match *segments.rest {
        [0xff, 0xda, high, low, ..] => 2 + usize::from(u16::from_be_bytes([high, low])),
        _ => return of_tables(bytes, page, plan),
    };
    let mut file = stream.get(..header + scan).ok_or(Reason::Undecodable)?.to_vec();
    add_strips(&mut file, bytes, page, plan)?;
    Ok(assemble(&[], &file, true))
}

fn add_strips(
    file: &mut Vec<u8>,
    bytes: &[u8],
    page: &Directory<'_>,
    plan: &Plan,
) -> Result<(), Reason> {
    for index in 0..plan.rows() as usize {
        if index > 0 {
            file.extend_from_slice(&[0xff, 0xd0 + ((index - 1) % 8) as u8]);
        }
        let strip = stored(bytes, page, plan, index)?.bytes;
        // Strips that repeat each other would make more bytes than the file has.
        if file.len() + strip.len() > bytes.len() + SPARE_BYTES {
            return Err(Reason::Undecodable);
        }
        file.extend_from_slice(strip);
    }
    file.extend_from_slice(&END_OF_IMAGE);
    Ok(())
}

/// A file of tables that the tags point to, each by itself, and the strips.
fn of_tables(bytes: &[u8], page: &Directory<'_>, plan: &Plan) -> Result<Vec<u8>, Reason> {
    let components = plan.samples;
    let mut file = START_OF_IMAGE.to_vec();
    let quantisation = tables(bytes, page.old_jpeg.quantisation, components, |_| Some(64))?;
    let dc = tables(bytes, page.old_jpeg.dc, components, huffman_length)?;
    let ac = tables(bytes, page.old_jpeg.ac, components, huffman_length)?;
    for (marker, class, tables) in [(0xdb, 0, &quantisation), (0xc4, 0, &dc), (0xc4, 0x10, &ac)] {
        for (number, table) in tables.distinct.iter().enumerate() {
            add_segment(&mut file, marker, &[&[class | number as u8], *table].concat());
        }
    }
    let (across, down) = subsampling(page, components);
    let [w1, w0] = (plan.size.width as u16).to_be_bytes();
    let [h1, h0] = (plan.size.height as u16).to_be_bytes();
    let mut frame = vec![8, h1, h0, w1, w0, components as u8];
    let mut scan = vec![components as u8];
    for index in 0..components {
        let factors = if index == 0 { (across << 4 | down) as u8 } else { 0x11 };
        frame.extend_from_slice(&[index as u8 + 1, factors, quantisation.of[index]]);
        scan.extend_from_slice(&[index as u8 + 1, dc.of[index] << 4 | ac.of[index]]);
    }
    scan.extend_from_slice(&[0, 63, 0]);
    add_segment(&mut file, 0xc0, &frame);
    if let Some(interval) = restart_interval(page, plan, across, down) {
        add_segment(&mut file, 0xdd, &interval.to_be_bytes());
    }
    add_segment(&mut file, 0xda, &scan);
    add_strips(&mut file, bytes, page, plan)?;
    Ok(assemble(&[], &file, true))
}

fn add_segment(file: &mut Vec<u8>, marker: u8, data: &[u8]) {
    file.extend_from_slice(&[0xff, marker]);
    file.extend_from_slice(&(data.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(data);
}

/// Each strip begins anew, as after a restart marker.
fn restart_interval(page: &Directory<'_>, plan: &Plan, across: u64, down: u64) -> Option<u16> {
    if plan.rows() == 1 {
        return u16::try_from(whole(page.old_jpeg.restart_interval, 0)?).ok();
    }
    let units = u64::from(plan.size.width).div_ceil(BLOCK * across)
        * u64::from(plan.segment.height).div_ceil(BLOCK * down);
    u16::try_from(units).ok()
}

fn subsampling(page: &Directory<'_>, components: usize) -> (u64, u64) {
    let factor = |index| whole(page.ycbcr_subsampling, index).unwrap_or(2).clamp(1, 4);
    if components == 1 { (1, 1) } else { (factor(0), factor(1)) }
}

/// Tables of one kind, and which one each component has.
struct Tables<'a> {
    distinct: Vec<&'a [u8]>,
    of: Vec<u8>,
}

fn tables<'a>(
    bytes: &'a [u8],
    offsets: List<'_>,
    components: usize,
    length: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Tables<'a>, Reason> {
    let mut found = Tables { distinct: Vec::new(), of: Vec::new() };
    for index in 0..components {
        let offset = whole(offsets, index).ok_or(Reason::Undecodable)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
        let rest = rest.ok_or(Reason::ImageTruncated)?;
        let length = length(rest).ok_or(Reason::ImageTruncated)?;
        let table = rest.get(..length).ok_or(Reason::ImageTruncated)?;
        let known = found.distinct.iter().position(|known| *known == table);
        found.of.push(known.unwrap_or(found.distinct.len()) as u8);
        if known.is_none() {
            found.distinct.push(table);
        }
    }
    Ok(found)
}

/// How many codes of each length there are, then their values.
fn huffman_length(table: &[u8]) -> Option<usize> {
    let counts = table.get(..16)?;
    Some(16 + counts.iter().map(|&count| usize::from(count)).sum::<usize>())
}
