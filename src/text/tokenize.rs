//! Cleaned caption to token ids, framed and cut as the CLIP families do it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

use pairgate_core::config::LONG_CAPTION_BYTES;
use tokenizers::Tokenizer;

use crate::text::clean::{Step, clean};
use crate::text::prefix::{before_space, normalized, splits_at_spaces};

/// Bytes of text that are read first for each token that there is room for, where the tokenizer
/// can do with a part of the text.
const BYTES_PER_TOKEN: usize = 16;

/// What grows most in the normal forms of Unicode, in lower case, and where spaces are written as
/// a character of their own.
const GROWING: [&str; 5] = ["\u{fdfa}", "\u{1d160}", "\u{390}", "\u{130}", "a "];

/// A tokenizer that cannot be loaded, or cannot read a caption.
#[derive(Debug, thiserror::Error)]
#[error("tokenizer: {why}")]
pub struct TokenizerError {
    /// What is wrong.
    pub why: String,
}

/// What a model asks of token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framing {
    /// Cleaning steps, in order.
    pub cleaning: Vec<Step>,
    /// Most tokens, start and end of text included.
    pub context_length: usize,
    /// Start of text, if the model has one.
    pub sot_id: Option<u32>,
    /// End of text, if the model has one.
    pub eot_id: Option<u32>,
}

/// A bundle's tokenizer with the rules around it.
#[derive(Debug)]
pub struct CaptionTokenizer {
    tokenizer: Tokenizer,
    splits_at_spaces: bool,
    framing: Framing,
    /// Held while a long caption is tokenized.
    turn: Mutex<()>,
}

impl CaptionTokenizer {
    /// Reads a `tokenizer.json`. What it says of truncation, padding and special tokens around a
    /// text does not count: `framing` says that.
    ///
    /// # Errors
    /// [`TokenizerError`] if it cannot be read, or does not have the ids that `framing` names.
    pub fn load(json: &[u8], framing: Framing) -> Result<Self, TokenizerError> {
        let mut tokenizer = without_cache(read_tokenizer(json).map_err(failed)?);
        tokenizer.with_truncation(None).map_err(failed)?;
        tokenizer.with_padding(None);
        tokenizer.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        for (key, id) in [("sot_id", framing.sot_id), ("eot_id", framing.eot_id)] {
            if let Some(id) = id.filter(|id| tokenizer.id_to_token(*id).is_none()) {
                return Err(failed(format!("text.{key} = {id} is not in its vocabulary")));
            }
        }
        Ok(Self {
            splits_at_spaces: splits_at_spaces(&tokenizer),
            tokenizer,
            framing,
            turn: Mutex::default(),
        })
    }

    /// Token ids of a caption at its own length, at most the context length: start of text,
    /// tokens, end of text, where the model has these. What is too long is cut and still ends
    /// with end of text, as in open_clip.
    ///
    /// A caption takes hundreds of times its length while it is read, and the allocator keeps that
    /// for the thread. So captions above [`LONG_CAPTION_BYTES`] take turns, on a thread of their own.
    ///
    /// # Errors
    /// [`TokenizerError`] if the tokenizer gives up on the text.
    pub fn tokenize(&self, caption: &str) -> Result<Vec<i64>, TokenizerError> {
        if caption.len() as u64 <= LONG_CAPTION_BYTES {
            return self.read(caption);
        }
        // A turn that ended in a panic leaves nothing behind.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|scope| {
            let read = || self.read(caption);
            let thread = thread::Builder::new().name("caption".into()).spawn_scoped(scope, read);
            let thread = thread.map_err(failed)?;
            thread.join().unwrap_or_else(|_| Err(failed("it gave up with a panic")))
        })
    }

    fn read(&self, caption: &str) -> Result<Vec<i64>, TokenizerError> {
        let Framing { cleaning, context_length, sot_id, eot_id } = &self.framing;
        let text = clean(caption, cleaning);
        let frame = usize::from(sot_id.is_some()) + usize::from(eot_id.is_some());
        let room = context_length.saturating_sub(frame);
        let tokens = self.first_tokens(&text, room)?;
        let ids = sot_id.iter().chain(tokens.iter().take(room)).chain(eot_id);
        Ok(ids.map(|id| i64::from(*id)).collect())
    }

    /// At least the first `count` tokens of a text, or all.
    fn first_tokens(&self, text: &str, count: usize) -> Result<Vec<u32>, TokenizerError> {
        let mut bytes = count.saturating_mul(BYTES_PER_TOKEN);
        while self.splits_at_spaces && bytes > 0 && bytes < text.len() {
            if let Some(part) = before_space(text, bytes) {
                let tokens = self.encode(part)?;
                if tokens.len() >= count {
                    return Ok(tokens);
                }
            }
            bytes = bytes.saturating_mul(4);
        }
        self.encode(text)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encode = || self.tokenizer.encode_fast(text, false);
        let encoding = catch_unwind(AssertUnwindSafe(encode))
            .map_err(|_| failed("it gave up on a caption with a panic"))?
            .map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// How many times longer a caption may become at most before it is cut into tokens: 1 or more.
    pub fn growth(&self) -> f64 {
        let grown = |text: &str| {
            let text = text.repeat(64);
            let cleaned = clean(&text, &self.framing.cleaning);
            let most = normalized(&self.tokenizer, &cleaned).map_or(0, |text| text.len());
            most.max(cleaned.len()) as f64 / text.len() as f64
        };
        GROWING.map(grown).into_iter().fold(1.0, f64::max)
    }

    /// The id of each token by its name.
    pub fn tokens(&self) -> std::collections::HashMap<String, u32> {
        self.tokenizer.get_vocab(true).into_iter().collect()
    }

    /// Rows that the embedding table must have: the largest id, added tokens' too, plus one.
    pub fn vocabulary_size(&self) -> usize {
        let vocabulary = self.tokenizer.get_vocab(true);
        vocabulary.values().max().map_or(0, |id| *id as usize + 1)
    }
}

/// Reads a `tokenizer.json`, whose reader panics at some of what it does not understand.
pub(crate) fn read_tokenizer(json: &[u8]) -> Result<Tokenizer, String> {
    catch_unwind(|| Tokenizer::from_bytes(json).map_err(|why| why.to_string()))
        .unwrap_or_else(|_| Err("its reader gave up on it with a panic".to_owned()))
}

/// The tokenizer without its memory of words, of which each thread has its own and which grows with
/// the text: ten thousand of them, and each keeps the allocator from giving back what lies below it.
fn without_cache(mut tokenizer: Tokenizer) -> Tokenizer {
    let mut model = tokenizer.get_model().clone();
    model.resize_cache(0);
    tokenizer.with_model(model);
    tokenizer
}

fn failed(why: impl ToString) -> TokenizerError {
    TokenizerError { why: why.to_string() }
}
