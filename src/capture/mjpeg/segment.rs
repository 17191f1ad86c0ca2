//! How far a segment goes, whose length may be damaged.
//!
//! A length that is too large, or a picture that is cut within a segment, would make a segment of what
//! are the next pictures. So a picture's start within a segment ends the picture that the segment is
//! of, but where it is the start of a thumbnail.

use super::marker;

/// Where a segment ends that is at the front of the stream, marker and length included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Not known before so many bytes of the stream are seen.
    Needs(usize),
    /// It has so many bytes.
    Whole(usize),
    /// After so many bytes the next picture starts.
    Cut(usize),
}

/// Of a segment at the front of `bytes`, which are all that the stream has where it `is_over`. `in_front`
/// is whether the picture's first scan is still to come: a thumbnail is in front of it.
pub fn extent(bytes: &[u8], in_front: bool, is_over: bool) -> Extent {
    let Some(&[_, code, high, low]) = bytes.first_chunk() else {
        return if is_over { Extent::Whole(bytes.len()) } else { Extent::Needs(4) };
    };
    let end = 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
    // The length itself may be the next start already.
    let start = start_from(bytes, 2, end);
    let is_seen = bytes.len() >= end + marker::LOOK;
    match start {
        // What begins like a start at the end of what is seen may be something else.
        Some(at) if !is_over && at + marker::LOOK > bytes.len() => Extent::Needs(at + marker::LOOK),
        Some(at) if !(in_front && marker::may_hold_picture(code)) => Extent::Cut(at),
        None | Some(_) if !is_seen && !is_over => Extent::Needs(bytes.len() + 1),
        Some(at) => next_picture(bytes, at, end).map_or(Extent::Whole(end), Extent::Cut),
        None => Extent::Whole(end.min(bytes.len())),
    }
}

/// The first start at `from` or behind it, and in front of `end`.
fn start_from(bytes: &[u8], from: usize, end: usize) -> Option<usize> {
    (from..end.min(bytes.len())).find(|&at| marker::starts(&bytes[at..]))
}

/// Where the next picture starts in a segment that ends at `end`; `start` is the first start in it.
/// `None`: all that start in it are thumbnails.
fn next_picture(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    if !goes_on(bytes.get(end..).unwrap_or_default()) {
        return Some(start);
    }
    let mut start = Some(start);
    while let Some(at) = start {
        let next = start_from(bytes, at + 2, end);
        let follows = bytes[..at].ends_with(&[0xFF, marker::END]);
        if follows || !is_thumbnail(&bytes[at..next.unwrap_or(end)], next.is_some()) {
            return Some(at);
        }
        start = next;
    }
    None
}

/// Whether the picture goes on behind a segment in front of its first scan: with a marker, or with
/// fill bytes.
fn goes_on(behind: &[u8]) -> bool {
    matches!(*behind, [0xFF, code, ..] if marker::has_length(code) || code == 0xFF)
}

/// Whether `bytes`, which start like a picture, are a thumbnail: it comes to its pixels, and to its
/// end where another one starts behind it. Pictures of a stream follow directly on each other, and
/// those do not.
fn is_thumbnail(bytes: &[u8], is_followed: bool) -> bool {
    let mut at = 2;
    while let Some(&[0xFF, code]) = bytes.get(at..at + 2) {
        match code {
            0xFF => at += 1,
            marker::SCAN => {
                let end = bytes[at..].windows(2).position(|two| two == [0xFF, marker::END]);
                return if is_followed {
                    end.is_some_and(|end| at + end + 2 < bytes.len())
                } else {
                    true
                };
            }
            code if marker::has_length(code) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
            _ => at += 2,
        }
    }
    // Something else than a marker: these bytes are no picture.
    at < bytes.len() && !is_followed
}
