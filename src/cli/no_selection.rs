//! What stands for selection in builds that read no recorded embeddings.

use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::Config;
use pairgate_core::pair::Digest;

use crate::decide::{Decider, Fixed};
use crate::disk::IoError;
use crate::replay::scores::Surveyed;
use crate::select::State;
use crate::store::Step;

/// There is none.
pub struct Selection(Infallible);

impl Selection {
    /// Refuses a config that names a state.
    pub fn of(config: &Config, _model: Option<&Path>) -> Result<Option<Self>, Box<dyn Error>> {
        match config.select.state.is_empty() {
            true => Ok(None),
            false => Err(
                "this build of pairgate reads no recorded embeddings: it lacks the feature parquet"
                    .into(),
            ),
        }
    }

    /// Refuses the state.
    pub fn with(
        _state: Arc<State>,
        config: &Config,
        model: Option<&Path>,
    ) -> Result<Self, Box<dyn Error>> {
        Self::of(config, model)?.ok_or_else(|| "no state is named".into())
    }

    pub fn digest(&self) -> Digest {
        match self.0 {}
    }

    pub fn threshold(&self) -> Option<f32> {
        match self.0 {}
    }

    pub fn check(&self, _runs: &[PathBuf], _scores: &Surveyed) -> Result<(), Box<dyn Error>> {
        match self.0 {}
    }

    pub fn decider(
        &self,
        _runs: &[PathBuf],
        _first: impl Decider + 'static,
        _checkpoint: &[u8],
        _past: impl IntoIterator<Item = Result<Step, IoError>>,
    ) -> Result<Fixed, Box<dyn Error>> {
        match self.0 {}
    }
}
