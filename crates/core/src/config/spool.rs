//! Where pairs wait on disk.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::units;

/// When pairs in a spool are brought to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolSync {
    /// Each at once.
    Always,
    /// All together that came within `sync_ms`.
    #[default]
    Interval,
}

/// Where pairs wait on disk, where `capture.on_full` says so; and how they do there and in the folder of
/// `--spool`. It is in files alone: a microcontroller has
/// no disk, and a packed config holds none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// Its folder; empty: `spool` in the output folder.
    pub dir: String<256>,
    /// Bytes that it never passes.
    #[serde(with = "units::bytes")]
    pub max_bytes: u64,
    /// When pairs are brought to disk.
    pub sync: SpoolSync,
    /// Longest time that a pair waits for that: so much may be lost when the power fails.
    #[serde(with = "units::milliseconds")]
    pub sync_ms: u64,
}

impl Default for SpoolConfig {
    /// In the output folder, 1 GiB, brought to disk twice a second.
    fn default() -> Self {
        Self { dir: String::new(), max_bytes: 1 << 30, sync: SpoolSync::Interval, sync_ms: 500 }
    }
}
