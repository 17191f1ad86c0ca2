//! What a bundle does to a caption before it is tokenized. The steps and their order are the
//! bundle's, because a network must see text as it did in training.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::rules::python_words;

/// One step of cleaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// HTML5 character references become characters, as Python's `html.unescape` does it.
    HtmlUnescape,
    /// Runs of white space become one space, those at the ends go: Python's
    /// `" ".join(text.split())`.
    CollapseWhitespace,
    /// Unicode lower case, as Python's `str.lower`.
    Lowercase,
}

/// Applies `steps` in their order.
pub fn clean<'a>(caption: &'a str, steps: &[Step]) -> Cow<'a, str> {
    steps.iter().fold(Cow::Borrowed(caption), |text, step| match step {
        Step::HtmlUnescape if !text.contains('&') => text,
        Step::HtmlUnescape => {
            Cow::Owned(htmlize::unescape(without_invalid_references(&text)).into_owned())
        }
        Step::CollapseWhitespace => Cow::Owned(collapse_whitespace(&text)),
        Step::Lowercase => Cow::Owned(text.to_lowercase()),
    })
}

fn collapse_whitespace(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in python_words(text) {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
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
