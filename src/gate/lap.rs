//! The time between the steps of a pair's way.

use std::time::{Duration, Instant};

use super::{Stage, Stages};

/// Takes the time between two steps; asks no clock where nobody counts.
#[derive(Debug)]
pub(super) struct Lap(Option<Instant>);

impl Lap {
    pub(super) fn start(stages: Option<&Stages>) -> Self {
        Self(stages.map(|_| Instant::now()))
    }

    /// The time since the lap began, or since the last call.
    pub(super) fn take(&mut self) -> Duration {
        let Some(since) = &mut self.0 else { return Duration::ZERO };
        let now = Instant::now();
        now.duration_since(std::mem::replace(since, now))
    }

    /// Counts that time for `stage`.
    pub(super) fn end(&mut self, stages: Option<&Stages>, stage: Stage) {
        if let Some(stages) = stages {
            stages.of(stage).observe(self.take());
        }
    }
}
