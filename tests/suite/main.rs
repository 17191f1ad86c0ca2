//! All integration tests, in one binary: one module a subject.

mod capture;
mod cli;
mod config;
mod core;
mod decode;
mod full_size;
mod gate;
mod import;
mod int8;
mod kernels;
mod memory;
mod model;
#[cfg(feature = "mqtt")]
mod mqtt;
mod operators;
mod pipeline;
mod prepare;
mod sink;
mod source;
mod support;
mod text;
mod wire;
