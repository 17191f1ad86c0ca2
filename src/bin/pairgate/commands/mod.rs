//! One file a command.

pub mod filter;
pub mod score;
