//! HTML5 character references, as Python's `html.unescape` reads them.

use std::borrow::Cow;

/// The text with references as characters, with or without their semicolon.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(htmlize::unescape(without_invalid_references(text)).into_owned())
}

/// The text without numeric references to characters that HTML forbids (`&#1;`, `&#xFFFE;`). The
/// HTML standard, and `htmlize` with it, keeps such characters; Python's `html.unescape` drops
/// them.
fn without_invalid_references(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("&#") {
        let (before, reference) = rest.split_at(start);
        kept.push_str(before);
        let length = invalid_reference(reference);
        // What is not dropped is copied, at least its "&#", so that the search goes on behind it.
        kept.push_str(if length == 0 { "&#" } else { "" });
        rest = &reference[length.max(2)..];
    }
    kept.push_str(rest);
    kept
}

/// Bytes of the reference at the front of `text`, which starts with `&#`, if it names a character
/// that Python drops; else 0.
fn invalid_reference(text: &str) -> usize {
    let hex = text[2..].starts_with(['x', 'X']);
    let (start, radix) = if hex { (3, 16) } else { (2, 10) };
    let digits = text[start..].bytes().take_while(|b| (*b as char).is_digit(radix)).count();
    let end = start + digits;
    let code = u32::from_str_radix(&text[start..end], radix);
    match code {
        Ok(code) if is_dropped(code) => end + usize::from(text[end..].starts_with(';')),
        _ => 0,
    }
}

/// The code points of Python's `html._invalid_codepoints` that it does not map to others first.
fn is_dropped(code: u32) -> bool {
    let control = matches!(code, 0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f);
    let noncharacter = matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe;
    control || noncharacter && code <= 0x10_ffff
}
