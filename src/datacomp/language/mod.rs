//! Whether a caption is English: by what is built in, or by a fastText model.
//!
//! Built in is `whichlang`, a linear model over n-grams for 16 languages, in front of which captions
//! without Latin letters are told apart. DataComp asks fastText's `lid.176`, which is not part of
//! this crate: [`fasttext`] reads it.

pub mod fasttext;

use fasttext::{FastText, Scratch};
use whichlang::Lang;

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
            Self::BuiltIn => is_latin(caption) && whichlang::detect_language(caption) == Lang::Eng,
            Self::FastText(model) => {
                let best = model.predict(caption, scratch);
                best.is_some_and(|best| best.label == b"__label__en")
            }
        }
    }
}

/// Whether at least half of the letters are those of the Latin alphabet, accents among them, and
/// there is one: the languages that `whichlang` does not know would be taken for some that it does.
fn is_latin(caption: &str) -> bool {
    let mut letters = [0_usize; 2];
    for c in caption.chars().filter(|c| c.is_alphabetic()) {
        letters[usize::from(c <= '\u{24f}')] += 1;
    }
    letters[1] > 0 && letters[1] >= letters[0]
}
