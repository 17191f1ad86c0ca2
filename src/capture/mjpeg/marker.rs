//! The second byte of a JPEG marker (ITU-T T.81, table B.1), and where a picture starts.

pub const START: u8 = 0xD8;
pub const END: u8 = 0xD9;
pub const SCAN: u8 = 0xDA;
pub const HUFFMAN: u8 = 0xC4;
/// A baseline frame, the only one of motion JPEG.
pub const BASELINE: u8 = 0xC0;

/// Bytes that tell a start from what looks like one.
pub const LOOK: usize = 4;

/// Markers that a length follows: those of frames, tables, scans, applications and comments.
pub fn has_length(code: u8) -> bool {
    (0xC0..=0xFE).contains(&code) && !(0xD0..=END).contains(&code)
}

/// Markers of an application's data, in which a whole picture may lie: a thumbnail.
pub fn may_hold_picture(code: u8) -> bool {
    (0xE0..=0xEF).contains(&code)
}

/// Whether a picture starts at the front of `bytes`: a start marker, and the first byte of another
/// marker that may follow it. A start marker alone is two bytes that garbage has too. What is there
/// decides where the stream ends before [`LOOK`] bytes.
pub fn starts(bytes: &[u8]) -> bool {
    let follows = |code: u8| has_length(code) || matches!(code, 0xFF | START | END);
    match *bytes {
        [0xFF, START, 0xFF, code, ..] => follows(code),
        [0xFF, START, 0xFF] | [0xFF, START] => true,
        _ => false,
    }
}
