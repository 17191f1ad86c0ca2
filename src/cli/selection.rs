//! A state that selects among what passes, on recorded embeddings.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::Config;
use pairgate_core::pair::Digest;

use crate::cli::args::ArithmeticArg;
use crate::cli::commands::select::tokens_of;
use crate::cli::session::load_bundle;
use crate::decide::Decider;
use crate::disk::IoError;
use crate::model::bundle::Bundle;
use crate::replay::scores::Surveyed;
use crate::select::State;
use crate::select::embedded::{self, Embedded};
use crate::select::scorers::needs_tokens;
use crate::select::selecting::{First, Selecting};
use crate::store::Step;

/// The state, and the model where its methods read tokens.
pub struct Selection {
    state: Arc<State>,
    path: PathBuf,
    bundle: Option<Bundle>,
}

impl Selection {
    /// The state that a config names, if it names one; `model` outweighs the config's bundle.
    pub fn of(config: &Config, model: Option<&Path>) -> Result<Option<Self>, Box<dyn Error>> {
        if config.select.state.is_empty() {
            return Ok(None);
        }
        let state = Arc::new(State::load(Path::new(config.select.state.as_str()))?);
        Self::with(state, config, model).map(Some)
    }

    /// The same of a state that is loaded already.
    pub fn with(
        state: Arc<State>,
        config: &Config,
        model: Option<&Path>,
    ) -> Result<Self, Box<dyn Error>> {
        let path = PathBuf::from(config.select.state.as_str());
        let reads_tokens = state.slots().iter().any(|slot| needs_tokens(slot.name()));
        let bundle = match reads_tokens {
            true => Some(load_bundle(config, model, ArithmeticArg::Int8)?),
            false => None,
        };
        if let Some(bundle) = &bundle {
            state
                .check_manifest(&bundle.manifest, bundle.digest)
                .map_err(|why| format!("{}: {why}", path.display()))?;
        }
        Ok(Self { state, path, bundle })
    }

    pub fn digest(&self) -> Digest {
        self.state.digest()
    }

    /// The threshold that the state was fitted behind.
    pub fn threshold(&self) -> Option<f32> {
        self.state.about().threshold
    }

    /// Refuses scores of another model or without embeddings.
    pub fn check(&self, runs: &[PathBuf], scores: &Surveyed) -> Result<(), Box<dyn Error>> {
        let about = self.state.about();
        let model = scores.terms.as_ref().map_or(about.model, |terms| terms.model());
        self.state
            .check_model("that of the scores", model, about.dimension as usize)
            .map_err(|why| format!("{}: {why}", self.path.display()))?;
        // Before an output is begun.
        Ok(embedded::open(runs).map(drop)?)
    }

    /// Decides by `first`, and selects among what that keeps; it goes on from what an earlier part of the
    /// run has learnt.
    pub fn decider(
        &self,
        runs: &[PathBuf],
        first: impl Decider + 'static,
        checkpoint: &[u8],
        past: impl IntoIterator<Item = Result<Step, IoError>>,
    ) -> Result<Embedded, Box<dyn Error>> {
        let mut selecting = Selecting::new(First::Other(Box::new(first)), self.state.clone());
        selecting.catch_up(checkpoint, past)?;
        let tokenize = self.bundle.as_ref().map(tokens_of).transpose()?;
        Ok(Embedded::open(runs, &self.state, tokenize, selecting)?)
    }
}
