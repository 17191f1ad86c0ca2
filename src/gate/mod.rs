//! What is found of a pair: [`Evidence`], by whatever can [`Examine`] one.

#[cfg(feature = "model")]
mod digest;
#[cfg(feature = "model")]
mod embedder;
mod evidence;
#[cfg(feature = "model")]
mod lap;
#[cfg(feature = "model")]
mod network;
#[cfg(feature = "model")]
mod picture;
mod settings;
mod stages;

use std::error::Error;

use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::{Digest, PairRef};

use crate::digest::sha256;

#[cfg(feature = "model")]
pub use embedder::{EmbedError, Embedder};
pub use evidence::Evidence;
#[cfg(feature = "model")]
pub use network::Gate;
#[cfg(feature = "model")]
pub use picture::{Picture, PicturePair};
pub use settings::{FrameSettings, GateSettings, Screening};
pub use stages::{BUCKETS, Latency, Stage, Stages};

/// Why an examiner cannot go on. A gate's is a `ModelError`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ExamineError(Box<dyn Error + Send + Sync>);

impl ExamineError {
    /// The error of an examiner.
    pub fn new(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(why.into())
    }
}

#[cfg(feature = "model")]
impl From<crate::model::ModelError> for ExamineError {
    fn from(why: crate::model::ModelError) -> Self {
        Self::new(why)
    }
}

/// Examines pairs. A pipeline's worker owns one.
pub trait Examine: Send {
    /// What is found of each pair, in their order.
    ///
    /// # Errors
    /// [`ExamineError`] if the examiner does not work; never for what is wrong with a pair.
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError>;
}

/// Finds nothing but the digest of each image: for pairs whose evidence is recorded already, which
/// must be the same pairs.
#[derive(Debug, Clone, Copy, Default)]
pub struct DigestOnly;

impl Examine for DigestOnly {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        let facts = |pair| Facts { content: content_digest(pair), ..Facts::default() };
        Ok(pairs.iter().map(|pair| Evidence::new(Reason::Passed, facts(pair))).collect())
    }
}

fn content_digest(pair: &PairRef<'_>) -> Digest {
    pair.image.map(sha256).unwrap_or_default()
}
