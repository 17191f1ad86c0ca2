//! Pictures of formats that are known and not decoded, told by their first bytes.

/// Bytes in which the first element of an SVG is looked for.
const SVG_BYTES: usize = 4096;

/// The name of the format, where it is one of those.
pub(super) fn name(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => return of_media(bytes),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', 13, 10, 0x87, 10, ..] => "JPEG XL",
        [0xff, 0x4f, 0xff, 0x51, ..]
        | [0, 0, 0, 12, b'j', b'P', b' ', b' ', 13, 10, 0x87, 10, ..] => "JPEG 2000",
        [b'I', b'I', 0xbc, 1, ..] => "JPEG XR",
        [b'8', b'B', b'P', b'S', 0, 1 | 2, ..] => "Photoshop",
        [b'g', b'i', b'm', b'p', b' ', b'x', b'c', b'f', ..] => "GIMP",
        [0, 0, 1 | 2, 0, 1..=64, 0, ..] => "ICO",
        [b'P', b'1'..=b'7', b'\n' | b'\r' | b' ' | b'\t' | b'#', ..] => "PNM",
        [b'q', b'o', b'i', b'f', ..] => "QOI",
        [0x76, 0x2f, 0x31, 1, ..] => "OpenEXR",
        [b'#', b'?', b'R' | b'r', ..] => "Radiance HDR",
        [b'D', b'D', b'S', b' ', 124, 0, 0, 0, ..] => "DDS",
        [b'F', b'U', b'J', b'I', b'F', b'I', b'L', b'M', ..]
        | [b'I', b'I', b'R', b'O' | b'S', ..]
        | [b'M', b'M', b'O', b'R', ..]
        | [b'I', b'I', b'U', 0, ..] => "camera raw",
        [b'B', b'P', b'G', 0xfb, ..] => "BPG",
        [0x1f, 0x8b, 8, ..] => return is_svgz(bytes).then_some("SVG"),
        _ => return is_svg(bytes).then_some("SVG"),
    })
}

/// Pictures in boxes, as films are: the brands say what they are.
fn of_media(bytes: &[u8]) -> Option<&'static str> {
    let length = bytes.get(..4)?.iter().fold(0, |v, &byte| v << 8 | usize::from(byte));
    let bytes = bytes.get(8..length.min(bytes.len()).min(SVG_BYTES)).unwrap_or_default();
    let brands = bytes.as_chunks::<4>().0;
    let is = |known: &[&[u8; 4]]| brands.iter().any(|brand| known.contains(&brand));
    if is(&[b"avif", b"avis"]) {
        Some("AVIF")
    } else if is(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Some("HEIC")
    } else if is(&[b"crx "]) {
        Some("camera raw")
    } else {
        None
    }
}

/// Whether the text begins as an SVG does: what may stand before its first element, and that.
fn is_svg(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = &bytes[..bytes.len().min(SVG_BYTES)];
    let text = start.trim_ascii_start();
    let element = |name: &[u8]| text.windows(name.len()).any(|w| w.eq_ignore_ascii_case(name));
    let is_xml = [&b"<?xml"[..], b"<!--", b"<!DOCTYPE svg"].iter().any(|s| text.starts_with(s));
    text.starts_with(b"<svg") || is_xml && element(b"<svg") && !element(b"<html")
}

fn is_svgz(bytes: &[u8]) -> bool {
    let mut start = Vec::new();
    let inflated = flate2::read::GzDecoder::new(bytes);
    // What there is of a damaged file says enough.
    let _ = std::io::Read::read_to_end(
        &mut std::io::Read::take(inflated, SVG_BYTES as u64),
        &mut start,
    );
    is_svg(&start)
}
