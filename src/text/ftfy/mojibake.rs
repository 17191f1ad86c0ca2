//! Text that was UTF-8 and was read in another encoding becomes what it was.

use std::borrow::Cow;

use super::Work;
use super::badness::is_bad;
use super::damage::{replace_lossy, restore_no_break_spaces};
use super::encodings::{Encoding, Role, c1_as_windows_1252, decode_utf8};

/// Reads mojibake again, as often as it was misread.
pub fn fix_encoding<'a>(text: &'a str, work: &mut Work) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    while let Some(fixed) = fix_once(&text, work) {
        text = Cow::Owned(fixed);
    }
    text
}

/// `None` if nothing is to be changed.
fn fix_once(text: &str, work: &mut Work) -> Option<String> {
    if !work.spend(text.len()) || text.is_ascii() || !is_bad(text) {
        return None;
    }
    let fixed = reread(text).or_else(|| reread_parts(text, work)).or_else(|| without_c1(text));
    fixed.filter(|fixed| fixed != text)
}

/// The whole text as UTF-8, by the first encoding whose bytes are that.
fn reread(text: &str) -> Option<String> {
    Encoding::all_of(text).find_map(|encoding| {
        let mut bytes = encoding.encode(text);
        if encoding.may_lose_no_break_space() {
            bytes = restore_no_break_spaces(&bytes);
        }
        if encoding.has_replacement() {
            bytes = replace_lossy(&bytes);
        }
        decode_utf8(&bytes)
    })
}

/// The text with each part that looks like UTF-8 read again by itself: pieces of different
/// origin, joined.
fn reread_parts(text: &str, work: &mut Work) -> Option<String> {
    let mut fixed = String::with_capacity(text.len());
    let mut rest = text;
    // Behind what may be the middle of a garbled character, a start is not taken for one.
    let mut in_garble = false;
    while let Some(c) = rest.chars().next() {
        let length = if in_garble { 0 } else { sequences_len(rest) };
        let (part, after) = rest.split_at(length.max(c.len_utf8()));
        let is_whole = part.len() == text.len();
        if length > 0 && !is_whole && is_bad(part) {
            fixed.push_str(&fix_encoding(part, work));
        } else {
            fixed.push_str(part);
        }
        in_garble = part.chars().next_back().is_some_and(|c| Role::of(c).is_strict_continuation());
        rest = after;
    }
    (fixed != text).then_some(fixed)
}

/// Bytes of the longest run of UTF-8 sequences, as one-byte encodings show them, at the front.
fn sequences_len(text: &str) -> usize {
    let mut chars = text.chars();
    let mut length = 0;
    while let Some(count) = chars.next().and_then(|c| Role::of(c).continuations()) {
        let whole = chars.by_ref().take(count).filter(|c| Role::of(*c).is_continuation()).count();
        if whole < count {
            break;
        }
        length = text.len() - chars.as_str().len();
    }
    length
}

/// The text with Windows-1252's characters for C1 controls, if it has any.
fn without_c1(text: &str) -> Option<String> {
    let has_c1 = text.contains(|c| ('\u{80}'..='\u{9f}').contains(&c));
    has_c1.then(|| text.chars().map(c1_as_windows_1252).collect())
}
