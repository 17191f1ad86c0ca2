//! `pairgate serve`: pairs by HTTP, until it is stopped.

#[cfg_attr(not(feature = "serve"), allow(dead_code))] // said, and then refused
mod args;

#[cfg_attr(not(feature = "serve"), path = "no_http.rs")]
mod service;

pub use args::ServeArgs;
pub use service::run;
