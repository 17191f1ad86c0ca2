//! The cheap rules: they answer before the model is asked, the caption's before the image's.

use serde::{Deserialize, Serialize};

use crate::config::in_files;
use crate::decision::Reason;
use crate::language::Languages;
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
    /// Most words; 0 to 1,000,000; 0 turns the rule off. It is in files alone, as `languages` are: a
    /// packed config holds neither.
    #[serde(with = "in_files")]
    pub max_words: u32,
    /// Languages that captions may be in; none turns the rule off. The gate asks it: these rules know
    /// no languages.
    #[serde(with = "in_files")]
    pub languages: Languages,
}

impl Default for Rules {
    fn default() -> Self {
        Self::BASIC
    }
}

impl Rules {
    /// DataComp's basic rules, without language.
    pub const BASIC: Self =
        Self { min_words: 3, min_chars: 6, min_side: 200, max_aspect: 3.0, ..Self::NONE };

    /// No rule at all: every pair goes to the model.
    pub const NONE: Self = Self {
        min_words: 0,
        min_chars: 0,
        min_side: 0,
        max_aspect: 1e9,
        max_words: 0,
        languages: Languages::ANY,
    };

    /// The rule that the caption breaks, if any.
    pub fn caption_fault(&self, caption: &str) -> Option<Reason> {
        self.caption_faults(caption).next()
    }

    /// The rule that the image's size breaks, if any.
    pub fn size_fault(&self, size: Size) -> Option<Reason> {
        self.size_faults(size).next()
    }

    /// The rules that the caption breaks, the one that answers first; not that of languages.
    pub fn caption_faults(&self, caption: &str) -> impl Iterator<Item = Reason> + use<> {
        let (least, most) = (self.min_words as usize, self.max_words as usize);
        let words = python_words(caption).take(least.max(most.saturating_add(1))).count();
        let chars = caption.chars().take(self.min_chars as usize).count();
        let few = (words < least).then_some(Reason::CaptionTooFewWords);
        let many = (most > 0 && words > most).then_some(Reason::CaptionTooManyWords);
        let short = (chars < self.min_chars as usize).then_some(Reason::CaptionTooShort);
        few.into_iter().chain(short).chain(many)
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
