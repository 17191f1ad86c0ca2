//! HTML5 character references, as Python's `html.unescape` reads them. It differs from the standard in
//! that it drops numeric references to characters that HTML forbids.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Characters of a name at most, without its semicolon.
const LONGEST: usize = 32;

/// Names and what they stand for, sorted; `tests/golden/entities.py` wrote them. Those that are read
/// without a semicolon too are there twice.
static NAMED: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let entry = |line: &'static str| {
        let (name, codes) = line.split_once(' ')?;
        let character = |code| char::from_u32(u32::from_str_radix(code, 16).ok()?);
        Some((name, codes.split(' ').map(character).collect::<Option<_>>()?))
    };
    include_str!("entities.txt").lines().filter_map(entry).collect()
});

/// The text with references as characters, with or without their semicolon.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        unescaped.push_str(&rest[..at]);
        let reference = &rest[at + 1..];
        let length = match reference.strip_prefix('#') {
            Some(number) => push_numbered(number, &mut unescaped).map(|length| 1 + length),
            None => push_named(reference, &mut unescaped),
        };
        // What is no reference is copied, at least its "&", so that the search goes on behind it.
        if length.is_none() {
            unescaped.push('&');
        }
        rest = &reference[length.unwrap_or(0)..];
    }
    unescaped.push_str(rest);
    Cow::Owned(unescaped)
}

/// Appends what the name at the front of `text` stands for, and tells its length. The longest name that
/// is known counts: `&notit;` is `¬it;`.
fn push_named(text: &str, to: &mut String) -> Option<usize> {
    let is_within = |c: &char| !matches!(c, '\t' | '\n' | '\x0c' | ' ' | '<' | '&' | '#' | ';');
    let name = text.chars().take(LONGEST).take_while(is_within);
    let mut end: usize = name.map(char::len_utf8).sum();
    end += usize::from(end > 0 && text[end..].starts_with(';'));
    // All names are ASCII, and of two characters or more.
    while end > 1 {
        let named = text.get(..end).and_then(|name| {
            let found = NAMED.binary_search_by_key(&name, |(known, _)| known);
            found.ok().map(|place| &NAMED[place].1)
        });
        if let Some(named) = named {
            to.push_str(named);
            return Some(end);
        }
        end -= 1;
    }
    None
}

/// Appends the character of the number at the front of `text`, which stands behind `&#`, if Python
/// keeps it, and tells the number's length.
fn push_numbered(text: &str, to: &mut String) -> Option<usize> {
    let start = usize::from(text.starts_with(['x', 'X']));
    let radix = if start > 0 { 16 } else { 10 };
    let digits = text[start..].bytes().take_while(|byte| (*byte as char).is_digit(radix)).count();
    if digits == 0 {
        return None;
    }
    let end = start + digits;
    // What 32 bits do not hold is no character either.
    let code = u32::from_str_radix(&text[start..end], radix).unwrap_or(u32::MAX);
    to.extend(character(code));
    Some(end + usize::from(text[end..].starts_with(';')))
}

/// The character that a number stands for; `None` where Python drops it.
fn character(code: u32) -> Option<char> {
    let character = match code {
        0 => char::REPLACEMENT_CHARACTER,
        0x80..=0x9f => WINDOWS_1252[code as usize - 0x80],
        _ if is_dropped(code) => return None,
        _ => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    Some(character)
}

/// The code points of Python's `html._invalid_codepoints` that it does not map to others first.
fn is_dropped(code: u32) -> bool {
    let control = matches!(code, 0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f);
    let noncharacter = matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe;
    control || noncharacter && code <= 0x10_ffff
}

/// What pages mean by the numbers from 0x80 on. Windows gives five of them no character.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];
