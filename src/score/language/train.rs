//! Learning a model of captions.

use super::counts::count;
use super::ngrams::{MAX_ORDER, NGrams};
use super::smoothing::smooth;
use super::words::{MOST, Word, Words};

/// Words of all captions together, where nobody says another number.
const MOST_WORDS: usize = 20_000_000;

/// How a model of captions is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainOptions {
    /// The longest n-grams, in words: 1 to [`MAX_ORDER`].
    pub order: usize,
    /// N-grams of each length that stand in the captions at most so often are left out; the numbers must not
    /// descend, and that of single words is 0.
    pub pruned: [u32; MAX_ORDER],
    /// Most words of all captions together, the ends of each counted: up to 250 bytes are needed for each
    /// while the model is learnt.
    pub most_words: usize,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self { order: 5, pruned: [0, 0, 1, 1, 1, 1], most_words: MOST_WORDS }
    }
}

/// Why a model cannot be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The options or the vocabulary are none.
    #[error("{0}")]
    Options(&'static str),
    /// There are more words than the options allow.
    #[error("the captions have more than {most} words together: learn from a part of them")]
    TooManyWords {
        /// The most.
        most: usize,
    },
    /// There was no caption.
    #[error("there is no caption to learn from")]
    Empty,
}

/// Learns an n-gram model by modified Kneser-Ney smoothing, interpolated, as KenLM's `lmplz` does. The order
/// of the captions does not matter.
#[derive(Debug)]
pub struct Trainer {
    words: Words,
    options: TrainOptions,
    /// All captions, each between its start and its end.
    text: Vec<Word>,
}

impl Trainer {
    /// Nothing learnt yet.
    ///
    /// # Errors
    /// [`TrainError::Options`] if the order, the numbers of what is left out or the vocabulary are none.
    pub fn new(words: Words, options: TrainOptions) -> Result<Self, TrainError> {
        if !(1..=MAX_ORDER).contains(&options.order) {
            return Err(TrainError::Options("the order is not from 1 to 6"));
        }
        if options.pruned[0] > 0 || options.pruned.windows(2).any(|pair| pair[0] > pair[1]) {
            let why = "what is left out must begin with 0 for single words and must not descend";
            return Err(TrainError::Options(why));
        }
        if words.vocabulary >= MOST / 64 {
            return Err(TrainError::Options("the vocabulary has more than 33 million tokens"));
        }
        Ok(Self { words, options, text: Vec::new() })
    }

    /// Adds a caption's token ids.
    ///
    /// # Errors
    /// [`TrainError::TooManyWords`] if there is no room for them; nothing was added then.
    pub fn add(&mut self, tokens: &[i64]) -> Result<(), TrainError> {
        let most = self.options.most_words.min(u32::MAX as usize - 1);
        if self.text.len() + tokens.len() + 2 > most {
            return Err(TrainError::TooManyWords { most });
        }
        self.text.push(self.words.start_word());
        self.text.extend(self.words.of(tokens));
        self.text.push(self.words.end_word());
        Ok(())
    }

    /// The model.
    ///
    /// # Errors
    /// [`TrainError::Empty`] if no caption was added.
    pub fn finish(self) -> Result<NGrams, TrainError> {
        let Self { words, options, text } = self;
        if text.is_empty() {
            return Err(TrainError::Empty);
        }
        let counted = count(&text, options.order, words.start_word(), words.unknown_word());
        drop(text);
        Ok(NGrams::new(words, smooth(words, counted, options.pruned)))
    }
}
