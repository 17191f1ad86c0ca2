//! The cheap rules: they answer before the model is asked, the caption's before the image's.

use serde::{Deserialize, Serialize};

use crate::decision::Reason;
use crate::pair::Size;

/// Bounds below which a pair is not worth scoring.
///
/// The default is DataComp's "basic" filter without its language test (`baselines/apply_filter.py`
/// in mlfoundations/datacomp): more than 2 words, more than 5 characters, shorter side at least
/// 200 px, longer side at most 3 times the shorter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Fewest words; 0 to 1,000,000; 0 turns the rule off.
    pub min_words: u32,
    /// Fewest code points; 0 to 1,000,000; 0 turns the rule off.
    pub min_chars: u32,
    /// Shortest side in pixels; 0 to 65,535; 0 turns the rule off.
    pub min_side: u32,
    /// Longer side over shorter side; 1 to 1e9.
    pub max_aspect: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self::BASIC
    }
}

impl Rules {
    /// DataComp's basic rules, without language.
    pub const BASIC: Self = Self { min_words: 3, min_chars: 6, min_side: 200, max_aspect: 3.0 };

    /// No rule at all: every pair goes to the model.
    pub const NONE: Self = Self { min_words: 0, min_chars: 0, min_side: 0, max_aspect: 1e9 };

    /// The rule that the caption breaks, if any.
    pub fn caption_fault(&self, caption: &str) -> Option<Reason> {
        self.caption_faults(caption).next()
    }

    /// The rule that the image's size breaks, if any.
    pub fn size_fault(&self, size: Size) -> Option<Reason> {
        self.size_faults(size).next()
    }

    /// The rules that the caption breaks, the one that answers first.
    pub fn caption_faults(&self, caption: &str) -> impl Iterator<Item = Reason> + use<> {
        let words = python_words(caption).take(self.min_words as usize).count();
        let chars = caption.chars().take(self.min_chars as usize).count();
        let few = (words < self.min_words as usize).then_some(Reason::CaptionTooFewWords);
        let short = (chars < self.min_chars as usize).then_some(Reason::CaptionTooShort);
        few.into_iter().chain(short)
    }

    /// The rules that the image's size breaks, the one that answers first.
    pub fn size_faults(&self, size: Size) -> impl Iterator<Item = Reason> + use<> {
        let (short, long) = (size.width.min(size.height), size.width.max(size.height));
        let within = f64::from(long) / f64::from(short) <= self.max_aspect;
        let small = (short < self.min_side).then_some(Reason::ImageTooSmall);
        let extreme = (!within).then_some(Reason::AspectTooExtreme);
        small.into_iter().chain(extreme)
    }
}

/// Words as Python's `str.split()` finds them, on which DataComp's word count rests.
pub fn python_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_python_space).filter(|word| !word.is_empty())
}

/// Python's `str.isspace()` of one character: Unicode's white space and, beyond Rust's
/// `char::is_whitespace`, the four separators U+001C to U+001F.
pub fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}
