//! How long the steps of a pair's way take, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of a latency's buckets, in seconds; what takes longer is in one more.
pub const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A step of a pair's way through a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The picture's digest, the rules on captions and on the picture's header.
    Screen,
    /// Encoded bytes to pixels.
    Decode,
    /// Pixels to the network's square.
    Prepare,
    /// The network: the picture, and the pair's part of the batch's captions.
    Score,
}

impl Stage {
    /// All of them, in the order of a pair's way.
    pub const ALL: [Self; 4] = [Self::Screen, Self::Decode, Self::Prepare, Self::Score];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Decode => "decode",
            Self::Prepare => "prepare",
            Self::Score => "score",
        }
    }
}

/// A histogram of durations that many threads add to.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Latency {
    /// Counts one duration.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|end| *end < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Durations in each bucket, not summed up, and the sum of all durations in seconds.
    pub fn counts(&self) -> ([u64; BUCKETS.len() + 1], f64) {
        let counts = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        (counts, self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9)
    }
}

/// The latencies of all stages, of all gates that were given it.
#[derive(Debug, Default)]
pub struct Stages([Latency; Stage::ALL.len()]);

impl Stages {
    /// The latency of one stage.
    pub fn of(&self, stage: Stage) -> &Latency {
        &self.0[stage as usize]
    }
}
