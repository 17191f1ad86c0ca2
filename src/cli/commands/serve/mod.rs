//! `pairgate serve`: pairs by HTTP, until it is stopped.

mod args;

#[cfg_attr(not(feature = "serve"), path = "no_http.rs")]
mod service;

pub use args::ServeArgs;
pub use service::run;
