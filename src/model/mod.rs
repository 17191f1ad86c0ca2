//! The data filtering network: a [`Model`] that all workers share, and a [`Scorer`] for each.
//!
//! No type of the inference engine leaves this folder.

pub mod bundle;
mod onnx;

use std::sync::Arc;

use tract_onnx::prelude::Datum;

use crate::error::ModelError;
use crate::text::tokenize::CaptionTokenizer;
use bundle::{Attention, Bundle, Manifest};
use onnx::{Tower, TowerState};

/// Lengths in tokens that captions are padded to. A caption costs what its own length costs, and
/// the plans stay few.
const TEXT_BUCKETS: [usize; 6] = [8, 16, 24, 32, 48, 64];

/// A loaded bundle: immutable, shared by all workers.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    digest: crate::pair::Digest,
    tokenizer: CaptionTokenizer,
    image: Tower,
    text: Tower,
    /// Caption lengths that the text tower is planned for, ascending.
    text_lengths: Vec<usize>,
}

impl Model {
    /// Builds the towers of a bundle and checks them against its manifest.
    ///
    /// # Errors
    /// [`ModelError`] that names the file and what does not fit.
    pub fn load(bundle: &Bundle) -> Result<Self, ModelError> {
        let manifest = bundle.manifest.clone();
        let side = manifest.image.size as usize;
        let image = Tower::load(
            &manifest.image.file,
            &bundle.image,
            f32::datum_type(),
            &[vec![1, 3, side, side]],
            manifest.embedding_size,
        )?;
        let text_lengths = text_lengths(manifest.text.context_length, manifest.text.attention);
        let text = Tower::load(
            &manifest.text.file,
            &bundle.text,
            i64::datum_type(),
            &text_lengths.iter().map(|length| vec![1, *length]).collect::<Vec<_>>(),
            manifest.embedding_size,
        )?;
        let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, &manifest.text)?;
        Ok(Self { manifest, digest: bundle.digest, tokenizer, image, text, text_lengths })
    }

    /// The bundle's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest that names the model in journals.
    pub fn digest(&self) -> crate::pair::Digest {
        self.digest
    }
}

fn text_lengths(context_length: usize, attention: Attention) -> Vec<usize> {
    let buckets: &[usize] = if attention == Attention::Full { &[] } else { &TEXT_BUCKETS };
    let shorter = buckets.iter().copied().filter(|length| *length < context_length);
    shorter.chain([context_length]).collect()
}

/// One worker's hold on the model: its working memory and buffers.
pub struct Scorer {
    model: Arc<Model>,
    image: Vec<TowerState>,
    text: Vec<TowerState>,
    image_embedding: Vec<f32>,
    text_embedding: Vec<f32>,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorer").field("model", &self.model.manifest.name).finish_non_exhaustive()
    }
}

impl Scorer {
    /// A scorer on `model`.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine cannot make its working memory.
    pub fn new(model: Arc<Model>) -> Result<Self, ModelError> {
        Ok(Self {
            image: model.image.states()?,
            text: model.text.states()?,
            model,
            image_embedding: Vec::new(),
            text_embedding: Vec::new(),
        })
    }

    /// The model that is scored with.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The unit-length embedding of one prepared image, `[3, size, size]` f32 to
    /// `[embedding_size]`.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn embed_image(&mut self, pixels: &[f32]) -> Result<&[f32], ModelError> {
        let side = self.model.manifest.image.size as usize;
        self.image[0].embed(&[1, 3, side, side], pixels, &mut self.image_embedding)?;
        Ok(&self.image_embedding)
    }

    /// Token ids of a caption, at its own length; see [`CaptionTokenizer::tokenize`].
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer gives up.
    pub fn tokenize(&self, caption: &str) -> Result<Vec<i64>, ModelError> {
        self.model.tokenizer.tokenize(caption)
    }

    /// The unit-length embedding of token ids, which are padded to the next planned length;
    /// ids beyond the context length are ignored.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn embed_tokens(&mut self, ids: &[i64]) -> Result<&[f32], ModelError> {
        let lengths = &self.model.text_lengths;
        let place = lengths.partition_point(|length| *length < ids.len()).min(lengths.len() - 1);
        let mut padded = ids.to_vec();
        padded.resize(lengths[place], i64::from(self.model.manifest.text.pad_id));
        self.text[place].embed(&[1, padded.len()], &padded, &mut self.text_embedding)?;
        Ok(&self.text_embedding)
    }

    /// The score of a pair: the cosine of its two embeddings, -1 to 1.
    ///
    /// # Errors
    /// [`ModelError`] if tokenizer or engine fail.
    pub fn score(&mut self, pixels: &[f32], caption: &str) -> Result<f32, ModelError> {
        let ids = self.tokenize(caption)?;
        self.embed_tokens(&ids)?;
        self.embed_image(pixels)?;
        let pairs = self.image_embedding.iter().zip(&self.text_embedding);
        Ok(pairs.map(|(image, text)| image * text).sum())
    }
}
