//! One file a command.

pub mod filter;
pub mod model;
pub mod score;
