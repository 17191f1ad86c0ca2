//! Whether a caption is English: by what is built in, or by a fastText model.
//!
//! Built in is [`language`]. DataComp asks fastText's `lid.176`, which is not part of
//! this crate: [`fasttext`] reads it.

pub mod fasttext;

use fasttext::{FastText, Scratch};
use pairgate_core::language::Language;

use crate::language;

/// Says whether captions are English.
#[derive(Debug)]
pub enum Identifier {
    /// What is built in.
    BuiltIn,
    /// A fastText model.
    FastText(Box<FastText>),
}

impl Identifier {
    /// Whether `caption` is English; line breaks count as blanks.
    pub fn is_english(&self, caption: &str, scratch: &mut Scratch) -> bool {
        match self {
            Self::BuiltIn => language::of(caption) == Some(Language::English),
            Self::FastText(model) => {
                let best = model.predict(caption, scratch);
                best.is_some_and(|best| best.label == b"__label__en")
            }
        }
    }
}
