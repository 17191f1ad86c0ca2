//! Repairs that need no guess: entities, characters with a plainer form, escapes, NFC.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::encodings::c1_as_windows_1252;
use crate::text::html;

/// Longest name or number of a reference that is replaced, in characters, `#` not counted.
const ENTITY_CHARS: usize = 24;

/// References that end in a semicolon become their characters, also those with a name in capitals
/// (`&EACUTE;`) that HTML does not know. `&copy 2020`, which may be meant so, stays.
pub fn unescape_entities(text: &str) -> Cow<'_, str> {
    let mut fixed = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(at) = text[from..].find('&').map(|at| from + at) {
        from = at + 1;
        let Some(entity) = entity_at(&text[at..]) else { continue };
        from = at + entity.len();
        if let Some(character) = unescape_entity(entity) {
            fixed.push_str(&text[copied..at]);
            fixed.push_str(&character);
            copied = from;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    fixed.push_str(&text[copied..]);
    Cow::Owned(fixed)
}

/// What looks like a reference at the front of `text`, which starts with `&`.
fn entity_at(text: &str) -> Option<&str> {
    let start = if text[1..].starts_with('#') { 2 } else { 1 };
    let name = text[start..].bytes().take(ENTITY_CHARS + 1);
    let length = name.take_while(u8::is_ascii_alphanumeric).count();
    let end = start + length;
    let whole = (1..=ENTITY_CHARS).contains(&length) && text[end..].starts_with(';');
    whole.then(|| &text[..=end])
}

/// The characters that `&...;` stands for, if it is a reference as a whole.
fn unescape_entity(entity: &str) -> Option<String> {
    let unescaped = html::unescape(entity);
    let is_unknown = unescaped == entity && !entity.starts_with("&#");
    if is_unknown && entity == entity.to_ascii_uppercase() {
        let lower = entity.to_ascii_lowercase();
        let known = html::unescape(&lower);
        return is_whole(&lower, &known).then(|| known.to_uppercase());
    }
    is_whole(entity, &unescaped).then(|| unescaped.into_owned())
}

/// Whether all of an entity was unescaped: HTML reads the start of some unknown names, `&notit;`
/// as `¬it;`.
fn is_whole(entity: &str, unescaped: &str) -> bool {
    !unescaped.contains(';') || entity == "&semi;"
}

/// Ligatures, wide and narrow forms, curly quotes and odd line breaks become the plain
/// characters, C1 controls what Windows-1252 has in their place.
pub fn fix_characters(text: &str) -> Cow<'_, str> {
    if !text.chars().any(has_plainer_form) {
        return Cow::Borrowed(text);
    }
    let mut fixed = String::with_capacity(text.len());
    let mut after_return = false;
    for c in text.chars() {
        // A line break of two characters is one: the first was written for both.
        if !(after_return && c == '\n') {
            push_plainer(c, &mut fixed);
        }
        after_return = c == '\r';
    }
    Cow::Owned(fixed)
}

/// Whether [`push_plainer`] might change a character.
fn has_plainer_form(c: char) -> bool {
    matches!(c, '\r' | '\u{80}'..='\u{9f}' | 'Ĳ' | 'ĳ' | 'ŉ' | 'Ǆ'..='ǌ' | 'Ǳ'..='ǳ'
        | '\u{2bc}' | '\u{2018}'..='\u{201f}' | '\u{2028}' | '\u{2029}' | '\u{3000}'
        | '\u{fb00}'..='\u{fb06}' | '\u{ff01}'..='\u{ffef}')
}

fn push_plainer(c: char, fixed: &mut String) {
    let c = c1_as_windows_1252(c);
    match (ligature(c), c) {
        (Some(letters), _) => fixed.push_str(letters),
        (None, '\u{2bc}' | '\u{2018}'..='\u{201b}') => fixed.push('\''),
        (None, '\u{201c}'..='\u{201f}') => fixed.push('"'),
        (None, '\r' | '\u{2028}' | '\u{2029}') => fixed.push('\n'),
        (None, '\u{3000}') => fixed.push(' '),
        (None, '\u{ff01}'..='\u{ffef}') => fixed.extend(std::iter::once(c).nfkc()),
        (None, c) => fixed.push(c),
    }
}

/// The letters of a Latin ligature or digraph, quotes already straight.
fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "'n",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' => "ſt",
        '\u{fb06}' => "st",
        _ => return None,
    })
}

/// ANSI escapes such as those for colours go.
pub fn remove_terminal_escapes(text: &str) -> Cow<'_, str> {
    let Some((before, after)) = text.split_once("\u{1b}[") else { return Cow::Borrowed(text) };
    let mut fixed = before.to_owned();
    for piece in after.split("\u{1b}[") {
        let letter = piece.trim_start_matches(|c| c == ';' || is_decimal_digit(c));
        if letter.starts_with(|c: char| c.is_ascii_alphabetic()) {
            fixed.push_str(&letter[1..]);
        } else {
            fixed.push_str("\u{1b}[");
            fixed.push_str(piece);
        }
    }
    Cow::Owned(fixed)
}

/// Unicode's decimal digits, which Python's `\d` means: these characters and the nine after each.
fn is_decimal_digit(c: char) -> bool {
    #[rustfmt::skip]
    const ZEROS: [u32; 66] = [
        0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
        0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
        0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
        0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0,
        0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0,
        0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
    ];
    let code = u32::from(c);
    let above = ZEROS.partition_point(|zero| *zero <= code);
    above > 0 && code - ZEROS[above - 1] < 10
}

/// Characters without a shape of their own and without a meaning in plain text go; white space,
/// joiners and marks of direction stay.
pub fn remove_control_characters(text: &str) -> Cow<'_, str> {
    if text.contains(is_control) {
        return Cow::Owned(text.replace(is_control, ""));
    }
    Cow::Borrowed(text)
}

fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

/// Unicode normal form C.
pub fn compose(text: &str) -> Cow<'_, str> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}
