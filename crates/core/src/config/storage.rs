//! How kept pairs reach the disk, and what becomes of them when it is full.

use serde::{Deserialize, Serialize};

use super::{in_files, units};

/// What a full disk means: [`StorageConfig::max_bytes`] or [`StorageConfig::min_free`] is passed, or the
/// system has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFullDisk {
    /// The run ends, with an error that says so: nothing that was stored is taken away.
    #[default]
    Stop,
    /// The oldest finished shards are removed, and counted, until there is room.
    DropOldest,
}

/// How kept pairs reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Kept pairs a shard.
    pub shard_pairs: u64,
    /// Age at which a shard is closed though it is not full; 0: at no age.
    #[serde(with = "units::milliseconds")]
    pub shard_age_ms: u64,
    /// Kept pairs after which the open shard is brought to disk (fsync): so many may be lost when
    /// the power fails. 0: only when the shard is closed.
    pub sync_pairs: u64,
    /// Longest time that a decision waits for the disk; 0: as long as it takes.
    #[serde(with = "units::milliseconds")]
    pub sync_ms: u64,
    /// Bytes that the output folder's shards may come to; what happens then says `on_full`. 0: what
    /// the disk holds.
    #[serde(with = "units::bytes")]
    pub max_bytes: u64,
    /// What happens where there is no room. Not in a packed config, as all that follows.
    #[serde(with = "in_files")]
    pub on_full: OnFullDisk,
    /// Bytes that stay free on the output folder's file system; what happens below that says
    /// `on_full`. 0: none.
    #[serde(with = "units::bytes_in_files")]
    pub min_free: u64,
    /// Days after which a finished shard is removed, full disk or not; 0: it stays.
    #[serde(with = "in_files")]
    pub keep_days: u32,
    /// Whether segments of the journal go whose shards were all removed.
    #[serde(with = "in_files")]
    pub drop_journal: bool,
}

impl StorageConfig {
    /// The most pairs that a shard may be asked to hold.
    pub const MOST_SHARD_PAIRS: u64 = 9_999_999;
}

impl Default for StorageConfig {
    /// 10,000 pairs a shard, brought to disk when it is closed, no bound, nothing removed.
    fn default() -> Self {
        Self {
            shard_pairs: 10_000,
            shard_age_ms: 0,
            sync_pairs: 0,
            sync_ms: 0,
            max_bytes: 0,
            on_full: OnFullDisk::Stop,
            min_free: 0,
            keep_days: 0,
            drop_journal: false,
        }
    }
}
