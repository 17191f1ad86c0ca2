//! Time, as a run sees it.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// Tells the time. Tests have one that jumps and that runs fast.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day; it may be set back.
    fn now(&self) -> SystemTime;

    /// Time since the clock was made; never runs backwards.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
