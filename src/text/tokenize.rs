//! Cleaned caption to token ids, framed and cut as CLIP does it.

use tokenizers::Tokenizer;

use crate::error::ModelError;
use crate::model::bundle::TextManifest;
use crate::text::clean::{Step, clean};

/// A bundle's tokenizer with the rules around it.
#[derive(Debug)]
pub struct CaptionTokenizer {
    tokenizer: Tokenizer,
    cleaning: Vec<Step>,
    context_length: usize,
    sot_id: u32,
    eot_id: u32,
}

impl CaptionTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if it cannot be read, or does not have the ids that the manifest
    /// names.
    pub fn load(json: &[u8], manifest: &TextManifest) -> Result<Self, ModelError> {
        let tokenizer = Tokenizer::from_bytes(json)
            .map_err(|e| ModelError::Tokenizer { why: e.to_string() })?;
        for (key, id) in [("sot_id", manifest.sot_id), ("eot_id", manifest.eot_id)] {
            if tokenizer.id_to_token(id).is_none() {
                let why = format!("text.{key} = {id} is not in its vocabulary");
                return Err(ModelError::Tokenizer { why });
            }
        }
        Ok(Self {
            tokenizer,
            cleaning: manifest.cleaning.clone(),
            context_length: manifest.context_length,
            sot_id: manifest.sot_id,
            eot_id: manifest.eot_id,
        })
    }

    /// Token ids of a caption at its own length, 2 to the context length: start of text, tokens,
    /// end of text. What is too long is cut and ends with end of text, as in open_clip.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer gives up on the text.
    pub fn tokenize(&self, caption: &str) -> Result<Vec<i64>, ModelError> {
        let text = clean(caption, &self.cleaning);
        let encoding = self
            .tokenizer
            .encode_fast(&*text, false)
            .map_err(|e| ModelError::Tokenizer { why: e.to_string() })?;
        let tokens = encoding.get_ids().iter().take(self.context_length.saturating_sub(2));
        let ids = std::iter::once(&self.sot_id).chain(tokens).chain(std::iter::once(&self.eot_id));
        Ok(ids.map(|id| i64::from(*id)).collect())
    }
}
