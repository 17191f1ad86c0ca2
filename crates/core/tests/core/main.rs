//! The core's tests, in one binary.

mod pairs;
mod policy;
mod ring;
mod rules;
mod wire;
