//! Embeddings of images and captions by themselves, by the way that a gate takes to scores.

use std::sync::Arc;

use pairgate_core::config::{ImageLimits, SampleLimits};
use pairgate_core::decision::Reason;

use super::picture::{Lens, Picture};
use crate::model::{Model, ModelError, Scorer};

/// Why there is no embedding.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// Something is wrong with the image or the caption.
    #[error("{0}")]
    Unreadable(Reason),
    /// The model does not work.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<Reason> for EmbedError {
    fn from(reason: Reason) -> Self {
        Self::Unreadable(reason)
    }
}

/// Embeds images and captions on the calling thread. It owns its buffers; rules are not asked.
#[derive(Debug)]
pub struct Embedder {
    image: ImageLimits,
    sample: SampleLimits,
    lens: Lens,
    scorer: Scorer,
}

impl Embedder {
    /// An embedder on `model`, under these limits.
    pub fn new(model: Arc<Model>, image: ImageLimits, sample: SampleLimits) -> Self {
        let lens = Lens::new(model.manifest().image.preparation());
        Self { image, sample, lens, scorer: Scorer::new(model) }
    }

    /// The unit-length embedding of an image, `[embedding_size]`.
    ///
    /// # Errors
    /// [`EmbedError::Unreadable`] with what a gate would say of the image, [`EmbedError::Model`].
    pub fn embed_image(&mut self, picture: Picture<'_>) -> Result<&[f32], EmbedError> {
        let probed = picture.probe(&self.image)?;
        self.lens.decode(&probed, &self.image)?;
        Ok(self.scorer.embed_image(self.lens.prepare(&probed))?)
    }

    /// The unit-length embeddings of captions, `[captions, embedding_size]`. Each is what the caption has
    /// by itself.
    ///
    /// # Errors
    /// The place of the first caption that has none, with [`EmbedError::Unreadable`] and what a gate would
    /// say of it; [`EmbedError::Model`] with the place 0.
    pub fn embed_captions(&mut self, captions: &[&[u8]]) -> Result<&[f32], (usize, EmbedError)> {
        let ids = captions.iter().enumerate().map(|(place, caption)| {
            self.tokenize(caption).map_err(|reason| (place, EmbedError::Unreadable(reason)))
        });
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<_> = ids.iter().map(Vec::as_slice).collect();
        self.scorer.embed_captions(&ids).map_err(|error| (0, error.into()))
    }

    fn tokenize(&self, caption: &[u8]) -> Result<Vec<i64>, Reason> {
        if caption.len() as u64 > self.sample.max_caption_bytes {
            return Err(Reason::CaptionTooLong);
        }
        let caption = std::str::from_utf8(caption).map_err(|_| Reason::CaptionNotUtf8)?;
        self.scorer.tokenize(caption).map_err(|_| Reason::CaptionUntokenizable)
    }
}
