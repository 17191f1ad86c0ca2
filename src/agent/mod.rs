//! Commands that run on and on: what serves, what watches, and how they tell of themselves.

#[cfg(feature = "serve")]
pub mod http;
#[cfg(feature = "serve")]
pub mod serve;
pub mod watch;
pub mod status;
#[cfg(target_os = "linux")]
pub mod systemd;
