//! One file a command.

pub mod capture;
pub mod config;
pub mod filter;
pub mod model;
pub mod score;
