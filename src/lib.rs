//! A gate for image-text pairs.
//!
//! pairgate scores each (image, caption) pair with a small data filtering network (DFN: a
//! CLIP-like dual encoder whose cosine says how well the caption fits the image) and lets only
//! good pairs reach storage. Every pair ends as a [`Decision`]: a verdict, a named [`Reason`] and,
//! where the network was asked, the score.
//!
//! # The data path
//! ```text
//! Source -> [bounded queue] -> N workers, each a Gate -> [bounded queue] -> Decider -> Sink
//!                                 |
//!       screen -> decode -> prepare -> score               (inside a Gate: plain calls, no queue)
//! Pair  ------->  Rgb8  ->  pixels  -> Evidence            ->              Decision -> Record
//! ```
//! A gate finds, a decider says: decisions are made where the source's order is restored.
//!
//! # One pair
//! ```no_run
//! use std::sync::Arc;
//! use pairgate::{Arithmetic, Bundle, Examine, Gate, GateSettings, Model, PairRef, Policy};
//!
//! let model = Arc::new(Model::load(&Bundle::embedded()?, Arithmetic::int8())?);
//! let policy = Policy { threshold: model.manifest().recommended_threshold, ..Policy::default() };
//! let mut gate = Gate::new(model, GateSettings::default());
//!
//! let image = std::fs::read("photo.jpg")?;
//! let pair = PairRef { image: Some(&image), caption: Some(b"a dog on a beach"), ..PairRef::default() };
//! let evidence = gate.examine(&[pair])?.remove(0);
//! let decision = policy.decide(evidence.found, evidence.facts);
//! println!("{:?}: {}, score {:?}", decision.verdict, decision.reason, decision.facts.score);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Shards to an output folder
//! What `pairgate filter shards/ -o kept` does, on two workers. The folder is gone on with where an
//! earlier run was stopped; see [`StoreSink`].
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use pairgate::{
//!     Arithmetic, Bundle, Disk, Fixed, Gate, GateSettings, Inputs, Model, PipelineConfig, Policy, Run,
//!     SampleLimits, Signals, StoreOptions, StoreSink, Verdict, pass_over,
//! };
//!
//! let model = Arc::new(Model::load(&Bundle::embedded()?, Arithmetic::int8())?);
//! let threshold = model.manifest().recommended_threshold;
//! let policy = Policy { threshold, ..Policy::default() };
//! let settings = GateSettings { policy, ..GateSettings::default() };
//! let gates = (0..2).map(|_| Gate::new(model.clone(), settings)).collect();
//!
//! let inputs = ["shards/".into()];
//! let options = StoreOptions::of(&model, &settings, &inputs);
//! let (mut sink, resumed) = StoreSink::go_on(&Disk::system(), Path::new("kept"), options)?;
//! let (mut source, signals) = (Inputs::open(&inputs, SampleLimits::default())?, Signals::default());
//! if let Some(place) = &resumed.place {
//!     pass_over(&mut source, place, &signals.stop)?;
//! }
//! let run = Run {
//!     source: Box::new(source),
//!     decider: &mut Fixed(policy),
//!     sink: &mut sink,
//!     config: &PipelineConfig::default(),
//!     signals: &signals,
//!     first_ticket: resumed.next_ticket,
//! };
//! let outcome = run.through(gates, |counts| println!("{} kept", counts.total(Verdict::Kept)));
//! println!("{} read, {} kept", outcome.read, outcome.counts.total(Verdict::Kept));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why a pair was rejected
//! ```no_run
//! use std::path::Path;
//! use pairgate::{JournalReader, Verdict};
//!
//! for record in JournalReader::open(Path::new("kept"))? {
//!     let record = record?;
//!     if record.verdict == Verdict::Rejected {
//!         println!("{}: {} ({:?})", record.key, record.reason, record.facts.score);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Your own source, sink or examiner
//! [`Source`], [`Sink`], [`Decider`] and [`Examine`] are traits of one needed method each.
//! ```
//! use pairgate::{IoError, Judged, RunEnd, Sink, Verdict};
//!
//! /// Prints the keys of what is kept.
//! struct Keys;
//!
//! impl Sink for Keys {
//!     fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
//!         if judged.decision.verdict == Verdict::Kept {
//!             println!("{}", judged.sample.key);
//!         }
//!         Ok(())
//!     }
//!
//!     fn finish(&mut self, _end: RunEnd) -> Result<(), IoError> {
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # Features
//! | feature | gives |
//! |---|---|
//! | none | sources, journals, output folders, the pipeline |
//! | `model` | the network: [`Gate`], [`Model`], [`Bundle`] |
//! | `cli` (default) | the `pairgate` binary, and [`cli::run`] |
//! | `manual` (default) | `pairgate completions` and `pairgate man` |
//! | `parquet` (default) | tables of scores as Parquet; recorded embeddings; DataComp's metadata and filters |
//! | `language` (default) | the languages of captions, for `rules.languages` |
//! | `mqtt` (default) | status, counters and kept pairs told to an MQTT broker |
//! | `mqtts` (default) | the same over TLS |
//! | `serve` (default) | `pairgate serve`; health, metrics and a page over HTTP |
//!
//! What a microcontroller's firmware needs of it is `no_std`, in the crate `pairgate-core`. Modules that
//! are not shown here are for the program and its tests, and change without notice.

#![forbid(unsafe_code)] // it is in `pairgate-kernels` alone

pub use pairgate_core::config::{Config, ImageLimits, PipelineConfig, SampleLimits, StorageConfig};
pub use pairgate_core::decision::{Class, Decision, Facts, Reason, ReasonSet, Verdict};
pub use pairgate_core::error::ConfigError;
pub use pairgate_core::pair::{Digest, PairRef, Position, Size, Uid};
pub use pairgate_core::policy::{OnError, Policy};
pub use pairgate_core::rules::Rules;
pub use pairgate_core::stats::Counts;

pub use config::{ConfigFileError, Layers};
pub use decide::sketch::{ScoreSketch, known_to, sample_size};
pub use decide::{Decider, Examined, Fixed};
pub use decode::{Rgb8, Samples, admit_size};
pub use disk::{Disk, IoError};
#[cfg(feature = "model")]
pub use gate::{EmbedError, Embedder, Gate, Picture, PicturePair};
pub use gate::{Evidence, Examine, ExamineError, GateSettings, Screening};
pub use journal::{Reader as JournalReader, Record};
#[cfg(feature = "model")]
pub use model::{Arithmetic, Model, ModelError, bundle::Bundle};
pub use pipeline::{Outcome, Run, RunError, Signals};
pub use source::{
    Captions, InputOptions, Inputs, Member, Metadata, Sample, Source, pair_uid, pass_over,
    read_image,
};
pub use store::{Judged, Resumed, RunEnd, Sink, StoreOptions, StoreSink, shard_name};

#[cfg(feature = "cli")]
pub mod cli;

/// Selection by more than one pair's score: states that are fitted once, and decide over a pool or in a stream.
///
/// ```no_run
/// use std::path::Path;
/// use std::sync::Arc;
/// use pairgate::selection::{First, Selecting, State};
/// use pairgate::{Fixed, Policy};
///
/// let state = Arc::new(State::load(Path::new("a.pgsel"))?);
/// // A gate that is `measuring(state.measures())` finds what this decider decides by.
/// let decider = Selecting::new(First::Fixed(Fixed(Policy::default())), state);
/// # Ok::<(), pairgate::IoError>(())
/// ```
pub mod selection {
    pub use pairgate_kernels::Team;

    pub use crate::journal::Choice;
    pub use crate::select::fit::{Step, Work, frozen};
    #[cfg(all(feature = "model", feature = "parquet"))]
    pub use crate::select::resources::ResourceFiles;
    #[cfg(all(feature = "model", feature = "parquet"))]
    pub use crate::select::runs::{Fitting, Runs, RunsError};
    pub use crate::select::selecting::First;
    pub use crate::select::sources::By;
    pub use crate::select::{
        About, Applied, Fit, Pool, PoolPair, SEED, SelectError, Selecting, State, StateError, apply,
    };
}

// For the program and its tests.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod agent;
#[doc(hidden)]
pub mod capture;
#[doc(hidden)]
pub mod compare;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod datacomp;
#[doc(hidden)]
pub mod decide;
#[doc(hidden)]
pub mod decode;
#[doc(hidden)]
pub mod digest;
#[doc(hidden)]
pub mod disk;
#[doc(hidden)]
pub mod embeddings;
#[doc(hidden)]
pub mod gate;
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod language;
#[cfg(feature = "model")]
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod notify;
#[doc(hidden)]
pub mod pipeline;
#[doc(hidden)]
pub mod plan;
#[cfg(feature = "model")]
#[doc(hidden)]
pub mod prepare;
#[doc(hidden)]
pub mod printable;
#[doc(hidden)]
pub mod recorded;
#[doc(hidden)]
pub mod replay;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod score;
#[doc(hidden)]
pub mod score_text;
#[doc(hidden)]
pub mod select;
#[doc(hidden)]
pub mod sink;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod spool;
#[doc(hidden)]
pub mod store;
mod table;
#[cfg(feature = "model")]
#[doc(hidden)]
pub mod text;

/// The README's example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
