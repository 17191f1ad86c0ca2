//! Whom a run is told to while it goes on, without ever waiting for them.

#[cfg(feature = "mqtt")]
pub mod mqtt;
