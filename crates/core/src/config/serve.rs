//! Bounds of the service.

use serde::{Deserialize, Serialize};

use super::units;

/// What `pairgate serve` takes at once, and how long it waits. It is in files alone: firmware serves
/// nothing, and a packed config holds none of it. None of it changes a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Pairs that wait for a place in the pipeline; one more is refused with 429.
    pub queue: usize,
    /// Connections at once; one more is answered 503 and closed.
    pub max_connections: usize,
    /// Bytes of all request bodies together that are being read, or wait in the queue; the largest
    /// sample passes all the same.
    #[serde(with = "units::bytes")]
    pub max_bytes: u64,
    /// Tar streams at once.
    pub max_streams: usize,
    /// Answers that are remembered by their uid.
    pub uid_window: usize,
    /// Longest time that a decision waits for its fsync where others wait too; 0: `storage.sync_ms`
    /// alone.
    #[serde(with = "units::milliseconds")]
    pub sync_ms: u64,
    /// Time for a request's head, and for the first byte of a connection.
    #[serde(with = "units::milliseconds")]
    pub header_ms: u64,
    /// Time from one piece of a body to the next, and for a client that does not read its answer.
    #[serde(with = "units::milliseconds")]
    pub body_ms: u64,
    /// Time that a connection may stay without a request.
    #[serde(with = "units::milliseconds")]
    pub idle_ms: u64,
    /// Time for what is in flight when the service is asked to end.
    #[serde(with = "units::milliseconds")]
    pub drain_ms: u64,
}

impl Default for ServeConfig {
    /// 64 pairs waiting, 256 connections, 256 MiB of bodies, 4 streams, 100,000 answers, a sync each
    /// 50 ms.
    fn default() -> Self {
        Self {
            queue: 64,
            max_connections: 256,
            max_bytes: 256 << 20,
            max_streams: 4,
            uid_window: 100_000,
            sync_ms: 50,
            header_ms: 10_000,
            body_ms: 30_000,
            idle_ms: 60_000,
            drain_ms: 30_000,
        }
    }
}
