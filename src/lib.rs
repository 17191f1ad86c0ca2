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
//! | `mqtt` | status, counters and kept pairs told to an MQTT broker: `sink::mqtt` |

#![cfg_attr(not(any(test, feature = "std")), no_std)]

pub mod config;
pub mod decision;
pub mod error;
pub mod pair;
pub mod policy;
pub mod ring;
pub mod rules;
pub mod stats;
pub mod wire;

#[cfg(feature = "std")]
pub mod capture;
#[cfg(feature = "std")]
pub mod datacomp;
#[cfg(feature = "std")]
pub mod decide;
#[cfg(feature = "std")]
pub mod decode;
#[cfg(feature = "std")]
pub mod disk;
#[cfg(feature = "std")]
pub mod gate;
#[cfg(feature = "std")]
pub mod journal;
#[cfg(feature = "std")]
#[allow(unsafe_code)]
pub mod kernels;
#[cfg(feature = "std")]
pub mod model;
#[cfg(feature = "std")]
pub mod pipeline;
#[cfg(feature = "std")]
pub mod prepare;
#[cfg(feature = "std")]
pub mod printable;
#[cfg(feature = "std")]
pub mod replay;
#[cfg(feature = "std")]
pub mod report;
#[cfg(feature = "std")]
pub mod score_text;
#[cfg(feature = "std")]
pub mod sink;
#[cfg(feature = "std")]
pub mod sketch;
#[cfg(feature = "std")]
pub mod source;
#[cfg(feature = "std")]
pub mod store;
#[cfg(feature = "std")]
mod table;
#[cfg(feature = "std")]
pub mod text;

/// The README's example is compiled with the tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
