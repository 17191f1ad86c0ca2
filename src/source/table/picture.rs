//! Pictures within a cell, and what their first bytes say.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::source::is_image;

/// Characters of the shortest text that is taken for a picture: no picture has fewer bytes.
const SHORTEST: usize = 40;

/// The extension of a picture, by its first bytes; `None` where they are no picture's.
pub(in crate::source) fn extension_of(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => "tiff",
        [b'B', b'M', rest @ ..] if is_bmp(rest) => "bmp",
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => "jxl",
        [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..] => "jp2",
        [b'<', b's', b'v', b'g', b' ' | b'>', ..] => "svg",
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
            b"avif" | b"avis" => "avif",
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => "heic",
            _ => return None,
        },
        _ => return None,
    })
}

/// Whether a bitmap's second header follows its first two letters, which begin texts too.
fn is_bmp(rest: &[u8]) -> bool {
    matches!(rest.get(12..16), Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

/// The extension of a sample's member that is its picture: the path's where it is an image's, else
/// one by the first bytes, because the table says that it is an image and a sample's image is found
/// by its extension.
pub(in crate::source) fn member_extension(path: &str, image: &[u8]) -> String {
    let extension = std::path::Path::new(path).extension().unwrap_or_default();
    let extension = extension.to_string_lossy().to_lowercase();
    if is_image(&extension) {
        return extension;
    }
    let found = extension_of(image).filter(|extension| is_image(extension));
    found.unwrap_or("jpg").into()
}

/// The picture that a text holds: a `data:` URL, or base64 whose first bytes are a picture's. `None`
/// for all other texts, which are paths.
pub(super) fn within(text: &str) -> Option<Vec<u8>> {
    if let Some(url) = text.strip_prefix("data:") {
        let (kind, data) = url.split_once(',')?;
        return kind.ends_with(";base64").then(|| decode(data)).flatten();
    }
    if text.len() < SHORTEST || !seems_to_begin_one(text) {
        return None;
    }
    decode(text).filter(|bytes| extension_of(bytes).is_some())
}

/// Whether the first characters are those of a picture: most texts are known for paths by them.
fn seems_to_begin_one(text: &str) -> bool {
    text.get(..24).and_then(decode).is_some_and(|bytes| extension_of(&bytes).is_some())
}

/// Base64 of either alphabet, padded or not, in lines or in one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let engine = GeneralPurpose::new(&alphabet, lenient);
    if text.contains(|c: char| c.is_ascii_whitespace()) {
        let joined: String = text.split_ascii_whitespace().collect();
        return engine.decode(joined).ok();
    }
    engine.decode(text).ok()
}
