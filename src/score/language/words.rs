//! The words of a model of captions: the network's token ids, and three more.

/// A word: a token id, or one of those behind them.
pub type Word = u32;

/// Token ids below 2^31 make a vocabulary.
pub(super) const MOST: u32 = 1 << 31;

/// A vocabulary, and what frames a caption's token ids in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// Token ids: from 0 to below this.
    pub vocabulary: u32,
    /// The token that starts a text, where there is one.
    pub start: Option<u32>,
    /// The token that ends a text, where there is one.
    pub end: Option<u32>,
    /// The token for what the tokenizer does not know, where there is one.
    pub unknown: Option<u32>,
}

impl Words {
    /// The word that stands for all that a model has not seen, `<unk>`.
    pub fn unknown_word(self) -> Word {
        self.vocabulary
    }

    /// The word before a caption, `<s>`.
    pub fn start_word(self) -> Word {
        self.vocabulary + 1
    }

    /// The word behind a caption, `</s>`.
    pub fn end_word(self) -> Word {
        self.vocabulary + 2
    }

    /// How many words there are.
    pub fn count(self) -> u32 {
        self.vocabulary + 3
    }

    /// The words of a caption's token ids, without what frames them.
    pub fn of(self, tokens: &[i64]) -> impl Iterator<Item = Word> + '_ {
        let is = |token: Option<&i64>, wanted: Option<u32>| match (token, wanted) {
            (Some(token), Some(wanted)) => *token == i64::from(wanted),
            _ => false,
        };
        let tokens = if is(tokens.first(), self.start) { &tokens[1..] } else { tokens };
        let within = if is(tokens.last(), self.end) { &tokens[..tokens.len() - 1] } else { tokens };
        within.iter().map(move |token| self.word(*token))
    }

    fn word(self, token: i64) -> Word {
        let known = u32::try_from(token).ok().filter(|id| *id < self.vocabulary);
        known.filter(|id| Some(*id) != self.unknown).unwrap_or(self.unknown_word())
    }
}
