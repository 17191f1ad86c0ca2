//! One worker's hold on a model: embeddings and scores.

use std::sync::Arc;

use pairgate_kernels::Team;

use super::tower::{Feed, TowerState};
use super::{Model, ModelError};
use crate::text::tokenize::TokenizerError;

/// One worker's hold on the model: its working memory and buffers.
pub struct Scorer {
    model: Arc<Model>,
    image: TowerState,
    text: TowerState,
    image_embeddings: Vec<f32>,
    text_embeddings: Vec<f32>,
    /// Of one run.
    made: Vec<f32>,
    padded: Vec<i64>,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorer").field("model", &self.model.manifest.name).finish_non_exhaustive()
    }
}

impl Scorer {
    /// A scorer on `model` that works on the calling thread.
    pub fn new(model: Arc<Model>) -> Self {
        Self::on_team(model, Team::ALONE)
    }

    /// A scorer that splits each run over the threads of `team`: a pair takes less time, and many
    /// pairs more than with a scorer on each thread. The scores are the same. In f32 the team has
    /// no effect.
    pub fn on_team(model: Arc<Model>, team: Team) -> Self {
        Self {
            image: TowerState::new(model.image.clone(), team.clone()),
            text: TowerState::new(model.text.clone(), team),
            model,
            image_embeddings: Vec::new(),
            text_embeddings: Vec::new(),
            made: Vec::new(),
            padded: Vec::new(),
        }
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
        self.image.embed(Feed::Pixels { pixels, images: 1 }, &mut self.image_embeddings)?;
        Ok(&self.image_embeddings)
    }

    /// The unit-length embeddings of prepared images, `[images, 3, size, size]` f32 to
    /// `[images, embedding_size]`. Each is what [`Scorer::embed_image`] gives.
    ///
    /// # Errors
    /// As [`Scorer::embed_image`].
    pub fn embed_images(&mut self, pixels: &[f32], images: usize) -> Result<&[f32], ModelError> {
        let size = pixels.len() / images.max(1);
        self.image_embeddings.clear();
        let mut rest = pixels;
        for at_once in groups(images, self.model.images_at_once()) {
            let (pixels, behind) = rest.split_at(at_once * size);
            self.image.embed(Feed::Pixels { pixels, images: at_once }, &mut self.made)?;
            self.image_embeddings.extend(&self.made);
            rest = behind;
        }
        Ok(&self.image_embeddings)
    }

    /// Token ids of a caption, at its own length; see [`CaptionTokenizer::tokenize`](crate::text::tokenize::CaptionTokenizer::tokenize).
    ///
    /// # Errors
    /// [`TokenizerError`] if the tokenizer gives up.
    pub fn tokenize(&self, caption: &str) -> Result<Vec<i64>, TokenizerError> {
        self.model.tokenizer.tokenize(caption)
    }

    /// The unit-length embedding of token ids, which are padded to the next planned length;
    /// ids beyond the context length are ignored.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn embed_tokens(&mut self, ids: &[i64]) -> Result<&[f32], ModelError> {
        self.embed_captions(&[ids])
    }

    /// The unit-length embeddings of captions' token ids, `[captions, embedding_size]` in their
    /// order: captions of like length run together. Each is what [`Scorer::embed_tokens`] gives.
    ///
    /// # Errors
    /// As [`Scorer::embed_tokens`].
    pub fn embed_captions(&mut self, captions: &[&[i64]]) -> Result<&[f32], ModelError> {
        let model = self.model.clone();
        let (lengths, size) = (&model.text_lengths, model.manifest.embedding_size);
        self.text_embeddings.resize(captions.len() * size, 0.0);
        let bucket = |ids: &&[i64]| {
            lengths.partition_point(|length| *length < ids.len()).min(lengths.len() - 1)
        };
        for (place, length) in lengths.iter().enumerate() {
            let here: Vec<usize> =
                (0..captions.len()).filter(|i| bucket(&captions[*i]) == place).collect();
            let mut rest = here.as_slice();
            for at_once in groups(here.len(), model.captions_at_once(*length)) {
                let (these, behind) = rest.split_at(at_once);
                self.embed_padded(these.iter().map(|i| captions[*i]), *length)?;
                for (i, made) in these.iter().zip(self.made.chunks_exact(size)) {
                    self.text_embeddings[i * size..][..size].copy_from_slice(made);
                }
                rest = behind;
            }
        }
        Ok(&self.text_embeddings)
    }

    /// Makes every run that up to `captions` captions at once can ask for, and one image's, so that
    /// the plans and buffers of all of them are there.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn warm(&mut self, captions: usize) -> Result<(), ModelError> {
        let model = self.model.clone();
        let side = model.manifest.image.size as usize;
        self.embed_image(&vec![0.0; 3 * side * side])?;
        for length in &model.text_lengths {
            let most = captions.min(model.captions_at_once(*length).next_power_of_two());
            let ids = vec![0; *length];
            let sizes = std::iter::successors(Some(1), |size| Some(2 * size));
            for size in sizes.take_while(|size| *size <= most) {
                self.embed_captions(&vec![ids.as_slice(); size])?;
            }
        }
        self.text_embeddings.resize(captions * model.manifest.embedding_size, 0.0);
        Ok(())
    }

    /// One run of the text tower on captions padded to `length`.
    fn embed_padded<'a>(
        &mut self,
        captions: impl Iterator<Item = &'a [i64]>,
        length: usize,
    ) -> Result<(), ModelError> {
        let pad = i64::from(self.model.manifest.text.pad_id);
        self.padded.clear();
        let mut tokens = Vec::new();
        for ids in captions {
            let ids = &ids[..ids.len().min(length)];
            tokens.push(ids.len());
            self.padded.extend(ids);
            self.padded.resize(tokens.len() * length, pad);
        }
        self.text.embed(Feed::Tokens { ids: &self.padded, tokens: &tokens }, &mut self.made)
    }

    /// The score of a pair: the cosine of its two embeddings, -1 to 1.
    ///
    /// # Errors
    /// [`ModelError`] if tokenizer or engine fail.
    pub fn score(&mut self, pixels: &[f32], caption: &str) -> Result<f32, ModelError> {
        let ids = self.tokenize(caption)?;
        self.embed_tokens(&ids)?;
        self.embed_image(pixels)?;
        Ok(score(&self.image_embeddings, &self.text_embeddings))
    }
}

/// The score of a pair: the cosine of its two embeddings, each of unit length. Summed in order, so that
/// it is the same everywhere.
pub fn score(image: &[f32], text: &[f32]) -> f32 {
    image.iter().zip(text).map(|(image, text)| image * text).sum()
}

/// Cuts a number of pairs into runs: powers of two, so that plans stay few.
fn groups(pairs: usize, most: usize) -> impl Iterator<Item = usize> {
    let mut left = pairs;
    std::iter::from_fn(move || {
        let next = (left > 0).then(|| (1 << left.ilog2()).min(most))?;
        left -= next;
        Some(next)
    })
}
