//! What a model says of golden pairs: pictures made or decoded, prepared and embedded.

use std::path::Path;
use std::sync::Arc;

use pairgate_core::pair::Size;

use super::golden::Picture;
use crate::decode::Rgb8;
use crate::model::ModelError;
use crate::model::{Model, Scorer};
use crate::prepare::Preparer;

/// A scorer with what it takes to get from a golden picture to an embedding.
pub(in crate::model) struct Witness {
    /// For captions.
    pub(in crate::model) scorer: Scorer,
    preparer: Preparer,
    rgb: Rgb8,
    pixels: Vec<f32>,
}

impl Witness {
    /// A witness of `model`.
    pub(in crate::model) fn new(model: Arc<Model>) -> Self {
        let preparation = model.manifest().image.preparation();
        let side = preparation.size as usize;
        Self {
            scorer: Scorer::new(model),
            preparer: Preparer::new(preparation),
            rgb: Rgb8::default(),
            pixels: vec![0.0; 3 * side * side],
        }
    }

    /// The embedding of a picture, of unit length; files lie in `folder`.
    ///
    /// # Errors
    /// As [`Picture::load`] and [`Scorer::embed_image`].
    pub(in crate::model) fn embed(
        &mut self,
        picture: &Picture,
        folder: &Path,
    ) -> Result<&[f32], ModelError> {
        picture.load(folder, &mut self.rgb)?;
        self.preparer.prepare(&self.rgb, &mut self.pixels);
        self.scorer.embed_image(&self.pixels)
    }

    /// The embedding of a picture that is at hand.
    ///
    /// # Errors
    /// As [`Scorer::embed_image`].
    pub(in crate::model) fn embed_picture(&mut self, rgb: &Rgb8) -> Result<&[f32], ModelError> {
        self.preparer.prepare(rgb, &mut self.pixels);
        self.scorer.embed_image(&self.pixels)
    }

    /// Whether the last picture was of the input's own size, so that nothing was resized.
    pub(in crate::model) fn was_exact(&self) -> bool {
        let side = self.preparer.preparation().size;
        self.rgb.size == Size::new(side, side)
    }
}
