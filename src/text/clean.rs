//! What a bundle does to a caption before it is tokenized. The steps and their order are the
//! bundle's, because a network must see text as it did in training.
//!
//! | family | steps |
//! |---|---|
//! | CLIP, open_clip `lower` | ftfy, html_unescape, html_unescape, strip, collapse_whitespace, lowercase |
//! | open_clip `whitespace` | the same without lowercase |
//! | SigLIP, open_clip `canonicalize` | ftfy, html_unescape, html_unescape, strip, underscores_to_spaces, remove_punctuation, lowercase, collapse_whitespace |

use std::borrow::Cow;

use pairgate_core::rules::{is_python_space, python_words};
use serde::{Deserialize, Serialize};

use super::{ftfy, html};

/// One step of cleaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Mojibake, entities, ligatures, widths, quotes, line breaks and control characters are
    /// repaired and the text is NFC, as `ftfy.fix_text` of Python's ftfy 6 does it.
    Ftfy,
    /// HTML5 character references become characters, as Python's `html.unescape` does it.
    HtmlUnescape,
    /// White space at the ends goes: Python's `str.strip()`.
    Strip,
    /// Runs of white space become one space, those at the ends go: Python's
    /// `" ".join(text.split())`.
    CollapseWhitespace,
    /// Unicode lower case, as Python's `str.lower`.
    Lowercase,
    /// `_` becomes a space.
    UnderscoresToSpaces,
    /// The characters of Python's `string.punctuation` go: all ASCII punctuation.
    RemovePunctuation,
}

/// Applies `steps` in their order.
pub fn clean<'a>(caption: &'a str, steps: &[Step]) -> Cow<'a, str> {
    steps.iter().fold(Cow::Borrowed(caption), |text, step| match text {
        Cow::Borrowed(text) => step.apply(text),
        Cow::Owned(text) => match step.apply(&text) {
            Cow::Owned(changed) => Cow::Owned(changed),
            // A part of what was owned, often all of it.
            Cow::Borrowed(part) if part.len() < text.len() => Cow::Owned(part.to_owned()),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    })
}

impl Step {
    fn apply<'a>(self, text: &'a str) -> Cow<'a, str> {
        match self {
            Self::Ftfy => ftfy::fix_text(text),
            Self::HtmlUnescape => html::unescape(text),
            Self::Strip => Cow::Borrowed(text.trim_matches(is_python_space)),
            Self::CollapseWhitespace => Cow::Owned(collapse_whitespace(text)),
            Self::Lowercase => Cow::Owned(text.to_lowercase()),
            Self::UnderscoresToSpaces if !text.contains('_') => Cow::Borrowed(text),
            Self::UnderscoresToSpaces => Cow::Owned(text.replace('_', " ")),
            Self::RemovePunctuation => {
                Cow::Owned(text.replace(|c: char| c.is_ascii_punctuation(), ""))
            }
        }
    }
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
