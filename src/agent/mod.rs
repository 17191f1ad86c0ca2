//! Commands that run on and on: what serves, what watches, and how they tell of themselves.

pub mod status;
#[cfg(target_os = "linux")]
pub mod systemd;
