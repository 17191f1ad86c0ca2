//! All integration tests, in one binary: one module a subject.

mod bits;
mod blend;
#[cfg(unix)]
mod browser;
mod calibrate;
mod calibrate_from;
mod capture;
mod cli;
mod compare;
mod config;
mod cut;
mod decode;
#[cfg(feature = "parquet")]
mod embeddings;
mod forms;
mod frames;
mod full_size;
mod gate;
mod import;
mod int8;
mod jpeg;
#[cfg(feature = "language")]
mod languages;
mod manifest_paths;
mod mcu;
mod memory;
mod model;
mod model_files;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "parquet")]
mod numpy;
mod one_to_one;
mod operators;
mod pictures;
mod pipeline;
mod plan;
mod prepare;
mod printable;
#[cfg(unix)]
mod reload;
mod replay;
mod report;
mod rooms;
mod score_text;
#[cfg(feature = "parquet")]
mod select;
#[cfg(feature = "parquet")]
mod select_behind;
#[cfg(feature = "serve")]
mod serve;
mod settings;
mod share;
mod source;
#[cfg(all(unix, feature = "serve"))]
mod status;
mod storage;
mod strangers;
#[cfg(feature = "parquet")]
mod subset;
mod support;
mod text;
mod tracker;
mod watch;
