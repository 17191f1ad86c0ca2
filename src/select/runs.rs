//! Selection on recorded runs: what a state is fitted on, and what it is applied to.

use std::path::PathBuf;

use pairgate_core::config::SampleLimits;

use super::fit::{Fit, SelectError, Work, fit};
use super::pool::{Pool, SamePairs};
use super::recorded::RecordedPool;
use super::refresh::Again;
use super::resources::{self, ResourceFiles, tokens_of};
use super::scorers::needs_tokens;
use super::state::{About, State, StateError};
use super::{Expression, SEED};
use crate::disk::IoError;
use crate::embeddings::Names;
use crate::model::ModelError;
use crate::model::bundle::Bundle;
use crate::recorded::ReadAs;
use crate::source::InputOptions;

/// Why runs cannot be selected from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// No method can be fitted or applied.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The model cannot be had, or does not work.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What was asked for, or a file that was named, is not what it should be.
    #[error("{0}")]
    Refused(String),
}

impl RunsError {
    /// What is not as it should be, and what would be.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl From<IoError> for RunsError {
    fn from(error: IoError) -> Self {
        Self::Select(error.into())
    }
}

impl From<StateError> for RunsError {
    fn from(error: StateError) -> Self {
        Self::Select(error.into())
    }
}

/// Recorded runs with embeddings, and the files of their pairs.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    /// The runs, in the order of their pairs.
    pub paths: Vec<PathBuf>,
    /// What their arrays are called; as pairgate has written them where nothing is said.
    pub names: Option<Names>,
    /// The column of scores, where it has another name.
    pub score: Option<String>,
    /// The pairs' own shards, in the same order: captions and metadata are read there.
    pub sources: Vec<PathBuf>,
    /// How these are read.
    pub options: InputOptions,
}

impl Runs {
    /// The pairs whose score reaches `threshold`; `for_fit` as of [`RecordedPool::open`].
    ///
    /// # Errors
    /// Those of [`RecordedPool::open`].
    pub fn open(&self, threshold: Option<f32>, for_fit: bool) -> Result<RecordedPool, SelectError> {
        let (names, score) = (self.names.clone(), self.score.clone());
        let read = ReadAs { names, score, ..ReadAs::default() };
        let pool = RecordedPool::open(self.paths.clone(), read, threshold, for_fit)?;
        let (sources, options) = (self.sources.clone(), self.options.clone());
        Ok(pool.with_sources(sources, options, SampleLimits::default()))
    }

    /// The pool that a state is applied to: pairs from the score on that it was fitted from, or from
    /// `threshold` on. `bundle` is asked for the state's model where a method reads tokens.
    ///
    /// # Errors
    /// [`StateError`] where the runs or the bundle are of another model; those of [`open`](Self::open) and of
    /// `bundle`.
    pub fn open_for<E: From<RunsError>>(
        &self,
        state: &State,
        threshold: Option<f32>,
        bundle: impl FnOnce() -> Result<Bundle, E>,
    ) -> Result<RecordedPool, E> {
        let refused = |error: RunsError| E::from(error);
        let threshold = threshold.or(state.about().threshold);
        let pool = self.open(threshold, false).map_err(|error| refused(error.into()))?;
        let about = pool.about();
        let model = about.model.unwrap_or(state.about().model);
        let checked = state.check_model("that of the runs", model, about.dimension);
        checked.map_err(|error| refused(error.into()))?;
        if !state.slots().iter().any(|slot| needs_tokens(slot.name())) {
            return Ok(pool);
        }
        let bundle = bundle()?;
        let checked = state.check_manifest(&bundle.manifest, bundle.digest);
        checked.map_err(|error| refused(error.into()))?;
        Ok(pool.with_tokens(tokens_of(&bundle).map_err(refused)?))
    }
}

/// What is fitted.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// The methods, as an expression.
    pub method: String,
    /// The least score of the pool; the model's own where nothing is said.
    pub threshold: Option<f32>,
    /// What all that is drawn is drawn by.
    pub seed: u64,
    /// What the methods are fitted with beside the runs.
    pub files: ResourceFiles,
    /// The state that is fitted again under another model, where one is.
    pub again: Option<Again>,
}

impl Default for Fitting {
    fn default() -> Self {
        let (method, files) = (String::new(), ResourceFiles::default());
        Self { method, threshold: None, seed: SEED, files, again: None }
    }
}

impl Fitting {
    /// Fits the methods on `runs`, whose model is that of `bundle`.
    ///
    /// # Errors
    /// [`RunsError`]: the expression, the runs or a file are not what they should be, or of another model.
    pub fn fit(&self, runs: &Runs, bundle: &Bundle, work: Work<'_>) -> Result<Fit, RunsError> {
        let expression =
            Expression::parse(&self.method).map_err(|why| RunsError::refused(why.to_string()))?;
        let manifest = &bundle.manifest;
        let threshold = self.threshold.or(manifest.recommended_threshold);
        let has = |method: &str| expression.atoms().iter().any(|atom| atom.method == method);
        if has("clusters") && threshold.is_none_or(|threshold| threshold <= -1.0) {
            return Err(RunsError::refused(
                "clusters keep the farthest of each, outliers among them: never without a score \
                 filter. Give --threshold",
            ));
        }
        if self.again.as_ref().is_some_and(|again| again.model == bundle.digest) {
            return Err(RunsError::refused(format!(
                "the state was fitted on {} {} already: name the new model, --model",
                manifest.name, manifest.version
            )));
        }
        // Pairs that are told by uid are taken whatever their scores are now.
        let pool = runs.open(threshold.filter(|_| self.again.is_none()), true)?;
        let found = pool.about();
        check_pool(&pool, bundle)?;
        let entries = self.again.as_ref().and_then(|again| again.entries.clone());
        let (resources, tokenizer) =
            resources::of(&self.files, entries, runs.names.as_ref(), &expression, bundle)?;
        let pool = match tokenizer {
            // What cannot be tokenized has no tokens, and no perplexity.
            Some(tokenizer) => {
                pool.with_tokens(Box::new(move |text| tokenizer.tokenize(text).unwrap_or_default()))
            }
            None => pool,
        };
        let mut pool: Box<dyn Pool> = match &self.again {
            Some(again) => Box::new(SamePairs { pool, uids: again.uids.clone() }),
            None => Box::new(pool),
        };
        let dimension = u32::try_from(found.dimension);
        let about = About {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            model_name: format!("{} {}", manifest.name, manifest.version),
            model: bundle.digest,
            dimension: dimension.map_err(|why| RunsError::refused(why.to_string()))?,
            seed: self.seed,
            calibration: Default::default(),
            pairs: 0,
            threshold,
            expression: expression.to_string(),
        };
        Ok(fit(&mut *pool, about, &resources, work)?)
    }
}

/// Refuses runs of another model than the bundle's.
fn check_pool(pool: &RecordedPool, bundle: &Bundle) -> Result<(), RunsError> {
    let (about, manifest) = (pool.about(), &bundle.manifest);
    if let Some(model) = about.model.filter(|model| *model != bundle.digest) {
        return Err(RunsError::refused(format!(
            "the runs are of the model with the digest {model}, and {} {} has {}: give --model",
            manifest.name, manifest.version, bundle.digest
        )));
    }
    if about.dimension != manifest.embedding_size {
        return Err(RunsError::refused(format!(
            "the runs' embeddings have {} values, and those of {} {} have {}: give --model",
            about.dimension, manifest.name, manifest.version, manifest.embedding_size
        )));
    }
    Ok(())
}
