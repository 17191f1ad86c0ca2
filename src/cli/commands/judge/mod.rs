//! `pairgate judge`: one pair, asked of a service.

#[cfg_attr(not(feature = "serve"), allow(dead_code))] // said, and then refused
mod args;

#[cfg_attr(not(feature = "serve"), path = "no_http.rs")]
mod ask;

pub use args::JudgeArgs;
pub use ask::run;
