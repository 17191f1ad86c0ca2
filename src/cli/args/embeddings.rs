//! Which embeddings a run records.

use clap::Args as ClapArgs;

use super::SpoolArgs;
use super::headings::OUTPUT;
use crate::embeddings::{Covers, Names, Recording};
use crate::model::Model;
use crate::store::StoreSink;

/// Recorded embeddings of a run that keeps pairs.
#[derive(Debug, Clone, ClapArgs)]
pub struct EmbeddingArgs {
    /// Record the embeddings: kept, all.
    ///
    /// kept: 00000.npz beside each shard, a row for each of its samples. all: embeddings/00000000.npz and
    /// so on beside the journal, a row for each scored pair, which is what selection is fitted on; with
    /// --one-to-one NAME.npz with a row for each record. They are NumPy arrays of 16-bit floats, image and
    /// text, and the uids. Example: --embeddings kept
    #[arg(long, value_name = "WHICH", value_parser = |text: &str| text.parse::<Covers>(), help_heading = OUTPUT)]
    pub embeddings: Option<Covers>,
    #[command(flatten)]
    pub names: EmbeddingNameArgs,
}

/// What the arrays are called.
#[derive(Debug, Clone, ClapArgs)]
pub struct EmbeddingNameArgs {
    /// Names of both arrays.
    ///
    /// Default: image,text. Tools for DataComp look for b32_img,b32_txt (OpenAI's ViT-B/32) or
    /// l14_img,l14_txt (ViT-L/14): say these where the model is that one.
    #[arg(
        long,
        value_name = "IMG,TXT",
        requires = "embeddings",
        hide_short_help = true,
        value_parser = |text: &str| text.parse::<Names>(),
        help_heading = OUTPUT
    )]
    pub embedding_names: Option<Names>,
}

impl EmbeddingArgs {
    /// Bytes of memory that recording takes.
    pub fn memory(&self) -> u64 {
        self.embeddings.map_or(0, |_| StoreSink::EMBEDDINGS_MEMORY)
    }

    /// The same as [`recording`](Self::recording), where no spool stands before the output: decisions that
    /// wait in one have no embeddings any more.
    ///
    /// # Errors
    /// What to leave out.
    pub fn without_spool(
        &self,
        spool: &SpoolArgs,
        model: &Model,
    ) -> Result<Option<Recording>, String> {
        match self.embeddings {
            Some(_) if spool.spool.is_some() => {
                Err("--embeddings: a --spool holds none; leave one of them out".into())
            }
            _ => Ok(self.recording(model)),
        }
    }

    /// What is recorded of a run on this model.
    pub fn recording(&self, model: &Model) -> Option<Recording> {
        self.embeddings.map(|covers| self.names.recording(covers, model))
    }
}

impl EmbeddingNameArgs {
    /// What is recorded of these pairs of a run on this model.
    pub fn recording(&self, covers: Covers, model: &Model) -> Recording {
        let names = self.embedding_names.clone().unwrap_or_default();
        let dimension = model.manifest().embedding_size;
        Recording { covers, names, dimension, model: model.digest() }
    }
}
