//! How a spool is kept.

use std::time::Duration;

/// When pairs are brought to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Each before it counts as taken.
    Always,
    /// All that came since the first one that waits so long: so much may be lost with the power.
    Interval(Duration),
}

/// How a spool is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolOptions {
    /// Bytes that its segments never pass together.
    pub max_bytes: u64,
    /// Bytes from which a segment is not gone on with: space comes free in such portions.
    pub segment_bytes: u64,
    /// When pairs are brought to disk.
    pub sync: SyncPolicy,
}

/// The largest segment that is begun by itself.
const SEGMENT_BYTES: u64 = 16 << 20;
/// Segments that a spool has room for, at least.
const SEGMENTS: u64 = 8;

impl SpoolOptions {
    /// Segments of 16 MiB, or an eighth of `max_bytes` where that is less.
    pub fn new(max_bytes: u64, sync: SyncPolicy) -> Self {
        Self { max_bytes, segment_bytes: SEGMENT_BYTES.min(max_bytes / SEGMENTS), sync }
    }
}
