//! `pairgate judge`: one pair, asked of a service.

mod args;

#[cfg_attr(not(feature = "serve"), path = "no_http.rs")]
mod ask;

pub use args::JudgeArgs;
pub use ask::run;
