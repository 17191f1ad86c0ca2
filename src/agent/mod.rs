//! Commands that run on and on: what serves, what watches, and how they tell of themselves.

#[cfg(feature = "serve")]
pub mod http;
pub mod keys;
pub mod reload;
#[cfg(feature = "serve")]
pub mod serve;
pub mod status;
#[cfg(target_os = "linux")]
pub mod systemd;
pub mod watch;
