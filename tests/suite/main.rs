//! All integration tests, in one binary: one module a subject.

mod bits;
mod cli;
mod config;
mod core;
mod decode;
mod full_size;
mod gate;
mod import;
mod int8;
mod kernels;
mod model;
mod operators;
mod pipeline;
mod prepare;
mod sink;
mod source;
mod support;
mod text;
mod wire;
