//! Whether a run makes progress.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its loop has not come round yet.
    Starting,
    /// It takes pairs.
    Running,
    /// It is to end, and finishes what it has.
    Draining,
    /// It is over.
    Ended,
}

impl State {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }
}

/// What stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// For how long.
    pub age: Duration,
    /// Pairs that wait for a decision; where there are none, the loop itself stands still.
    pub waiting: usize,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.age.as_secs();
        match self.waiting {
            0 => write!(f, "the run's loop has not come round for {seconds} s"),
            pairs => write!(f, "{pairs} pairs wait, and none was decided for {seconds} s"),
        }
    }
}

/// When the run was last seen to go on, in milliseconds of its clock.
#[derive(Debug)]
pub(super) struct Progress {
    start: Duration,
    beats: AtomicU64,
    beat_ms: AtomicU64,
    decided_ms: AtomicU64,
    is_over: AtomicBool,
}

impl Progress {
    pub(super) fn new(now: Duration) -> Self {
        let ms = || AtomicU64::new(milliseconds(now));
        let beats = AtomicU64::default();
        Self { start: now, beats, beat_ms: ms(), decided_ms: ms(), is_over: AtomicBool::default() }
    }

    /// Time since the run was set up.
    pub(super) fn uptime(&self, now: Duration) -> Duration {
        now.saturating_sub(self.start)
    }

    pub(super) fn beat(&self, now: Duration) {
        self.beat_ms.store(milliseconds(now), Ordering::Relaxed);
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    pub(super) fn decided(&self, now: Duration) {
        self.decided_ms.store(milliseconds(now), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn state(&self, stopping: bool) -> State {
        if self.is_over.load(Ordering::Relaxed) {
            State::Ended
        } else if stopping {
            State::Draining
        } else if self.beats() == 0 {
            State::Starting
        } else {
            State::Running
        }
    }

    /// Time since the loop came round, or, where `waiting` pairs wait of which the oldest came at
    /// `oldest`, since it has had something to decide and has not; the larger one.
    pub(super) fn age(&self, now: Duration, waiting: usize, oldest: Option<Duration>) -> Stall {
        let since = |ms: &AtomicU64| Duration::from_millis(ms.load(Ordering::Relaxed));
        let beat = now.saturating_sub(since(&self.beat_ms));
        let decided = oldest.map(|oldest| now.saturating_sub(oldest.max(since(&self.decided_ms))));
        match decided {
            Some(age) if age > beat => Stall { age, waiting },
            _ => Stall { age: beat, waiting: 0 },
        }
    }

    pub(super) fn health(
        &self,
        now: Duration,
        limit: Duration,
        waiting: usize,
        oldest: Option<Duration>,
    ) -> Result<(), Stall> {
        let stall = self.age(now, waiting, oldest);
        let is_over = self.is_over.load(Ordering::Relaxed);
        if is_over || stall.age <= limit { Ok(()) } else { Err(stall) }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
