//! A pool that runs have recorded: their pairs that rules and a threshold let pass, with embeddings.

use std::path::PathBuf;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, Uid};
use serde_json::Value;

use super::fit::SelectError;
use super::pool::{Pool, PoolPair};
use crate::digest::sha256;
use crate::disk::IoError;
use crate::embeddings::Covers;
use crate::recorded::{ReadAs, RecordedRow, RecordedRun};
use crate::score::PairEmbeddings;
use crate::source::{InputOptions, Inputs, Sample, Source, caption_of};

/// From a caption to token ids.
pub type Tokenize = Box<dyn Fn(&str) -> Vec<i64> + Send>;

/// What is read, and how.
#[derive(Default)]
pub struct RecordedPool {
    runs: Vec<PathBuf>,
    read: ReadAs,
    threshold: Option<f32>,
    sources: Vec<PathBuf>,
    options: InputOptions,
    limits: SampleLimits,
    tokenize: Option<Tokenize>,
    about: Opened,
}

/// What the runs are, as they were opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opened {
    /// The model that gave scores and embeddings, where that is told.
    pub model: Option<Digest>,
    /// Values of an embedding.
    pub dimension: usize,
}

impl RecordedPool {
    /// The pairs of `runs` whose score reaches `threshold`. `for_fit`: refuses runs that hold kept pairs
    /// alone.
    ///
    /// # Errors
    /// [`SelectError::Pool`] where they have no embeddings, or not those of all pairs;
    /// [`IoError::Read`] where one cannot be read.
    pub fn open(
        runs: Vec<PathBuf>,
        read: ReadAs,
        threshold: Option<f32>,
        for_fit: bool,
    ) -> Result<Self, SelectError> {
        let run = RecordedRun::open(&runs, &read)?;
        let refuse = |why: &str| Err(SelectError::Pool { method: "select", why: why.into() });
        let Some(covers) = run.embeddings() else {
            return refuse("the runs hold no embeddings: score the pairs with --embeddings");
        };
        if for_fit && (covers == Covers::Kept || run.rows() == Covers::Kept) {
            return refuse(
                "the runs hold embeddings of kept pairs alone, which are no pool: score the pairs with \
                 --embeddings, or filter them with --embeddings all",
            );
        }
        let about = Opened { model: run.model(), dimension: run.dimension().unwrap_or(0) };
        if about.dimension == 0 {
            return refuse("the runs' embeddings have no values");
        }
        Ok(Self { runs, read, threshold, about, ..Self::default() })
    }

    /// The same with the pairs' own files, which tell captions and metadata.
    pub fn with_sources(
        self,
        sources: Vec<PathBuf>,
        options: InputOptions,
        limits: SampleLimits,
    ) -> Self {
        Self { sources, options, limits, ..self }
    }

    /// The same with captions as a model's token ids.
    pub fn with_tokens(self, tokenize: Tokenize) -> Self {
        Self { tokenize: Some(tokenize), ..self }
    }

    /// What the runs are.
    pub fn about(&self) -> Opened {
        self.about
    }

    /// Whether a pair comes to selection at all.
    pub fn passes(&self, row: &RecordedRow) -> bool {
        passes(row, self.threshold)
    }
}

/// Whether rules and a threshold let a recorded pair pass.
pub fn passes(row: &RecordedRow, threshold: Option<f32>) -> bool {
    let is_open = |reason: Reason| reason == Reason::LowSimilarity || reason.is_of_selection();
    row.reason.is_none_or(is_open)
        && row
            .score
            .is_some_and(|score| score.is_finite() && threshold.is_none_or(|least| score >= least))
}

impl Pool for RecordedPool {
    fn read(
        &mut self,
        each: &mut dyn FnMut(PoolPair) -> Result<(), SelectError>,
    ) -> Result<(), SelectError> {
        let mut run = RecordedRun::open(&self.runs, &self.read)?;
        let mut beside = match self.sources.is_empty() {
            true => None,
            false => Some(Beside::open(&self.sources, &self.options, self.limits)?),
        };
        while let Some(row) = run.next()? {
            if !self.passes(&row) {
                continue;
            }
            let told = beside.as_mut().map(|beside| beside.find(&row)).transpose()?;
            let (caption, metadata) = match told {
                Some(told) => (told.caption, told.metadata),
                None => (row.caption.clone(), None),
            };
            let embeddings = row.embeddings.ok_or_else(|| missing(&row.key, &row.uid))?;
            if !is_finite(&embeddings) {
                continue;
            }
            let tokens = match (&self.tokenize, &caption) {
                (Some(tokenize), Some(caption)) => tokenize(caption),
                _ => Vec::new(),
            };
            each(PoolPair {
                uid: row.uid,
                key: row.key,
                shard: row.shard,
                score: row.score.unwrap_or_default(),
                embeddings,
                caption,
                tokens,
                metadata,
            })?;
        }
        Ok(())
    }
}

fn is_finite(embeddings: &PairEmbeddings) -> bool {
    let both = embeddings.image.iter().chain(&embeddings.text);
    both.into_iter().all(|value| value.is_finite())
}

fn missing(key: &str, uid: &Uid) -> SelectError {
    let why = format!(
        "{key:?} ({uid}) passes and has no embeddings: the run was made without --embeddings, or with \
         --embeddings kept"
    );
    SelectError::Pool { method: "select", why }
}

/// The files of the pairs, in the runs' order.
struct Beside {
    inputs: Inputs,
}

/// What a pair's files tell.
struct Told {
    caption: Option<String>,
    metadata: Option<Value>,
}

impl Beside {
    fn open(
        paths: &[PathBuf],
        options: &InputOptions,
        limits: SampleLimits,
    ) -> Result<Self, IoError> {
        Ok(Self { inputs: Inputs::open_with(options.clone(), paths, limits)? })
    }

    /// Goes on to the files of a recorded pair.
    fn find(&mut self, row: &RecordedRow) -> Result<Told, SelectError> {
        while let Some(sample) = self.inputs.next()? {
            if !row.key.is_empty() && sample.key != row.key {
                continue;
            }
            let metadata = sample.metadata();
            if uid_of(&sample) == row.uid {
                let caption = caption_of(&sample.members, &metadata);
                let json = sample.member("json");
                let metadata = json.and_then(|json| serde_json::from_slice(json).ok());
                return Ok(Told { caption, metadata });
            }
        }
        let why = format!(
            "{:?} ({}) is recorded, and not in --source behind the pair before it: name the same \
             shards in the same order",
            row.key, row.uid
        );
        Err(SelectError::Pool { method: "select", why })
    }
}

fn uid_of(sample: &Sample) -> Uid {
    let metadata = sample.metadata();
    match metadata.uid {
        Some(uid) => uid,
        None => {
            let content = sample.image().map(sha256).unwrap_or_default();
            sample.uid(&metadata, content)
        }
    }
}
