//! A gate for image-text pairs.
//!
//! pairgate scores each (image, caption) pair with a small data filtering network (DFN: a
//! CLIP-like dual encoder whose cosine says how well the caption fits the image) and lets only
//! good pairs reach storage. Every pair ends as a [`Decision`](decision::Decision): a verdict, a
//! named reason and, where the network was asked, the score.
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
//! # Features
//! | feature | gives |
//! |---|---|
//! | none | the `no_std` core: [`pair`], [`decision`], [`policy`], [`rules`], [`config`], [`wire`], [`ring`], [`stats`], [`error`] |
//! | `std` | decoding, inference through tract, sources, sinks, the pipeline |
//! | `cli` (default) | the `pairgate` binary |
//! | `parquet` (default) | tables of scores as Parquet: [`sink::table`]; DataComp's metadata and filters: most of [`datacomp`] |
//! | `mqtt` | status, counters and kept pairs told to an MQTT broker: `notify::mqtt` |

#![forbid(unsafe_code)] // it is in `pairgate-kernels` alone
#![warn(missing_docs)]

pub mod config;

pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod datacomp;
pub mod decide;
pub mod decode;
pub mod digest;
pub mod disk;
pub mod gate;
pub mod journal;
#[cfg(feature = "model")]
pub mod model;
pub mod notify;
pub mod pipeline;
#[cfg(feature = "model")]
pub mod prepare;
pub mod printable;
pub mod replay;
pub mod report;
pub mod score_text;
pub mod sink;
pub mod source;
pub mod store;
mod table;
#[cfg(feature = "model")]
pub mod text;

/// The README's example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
