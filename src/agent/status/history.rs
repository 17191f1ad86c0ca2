//! How many pairs were decided in each of the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

/// Seconds that are remembered.
const SECONDS: usize = 120;
/// Seconds that the rate now is taken over.
const NOW: usize = 10;

/// Pairs decided and kept, second by second.
#[derive(Debug)]
pub(super) struct History {
    start: Duration,
    /// The second, since the start, that is being counted.
    second: u64,
    /// The totals when it began.
    before: (u64, u64),
    /// Pairs decided, and kept, in each second before, oldest first.
    seconds: VecDeque<(u64, u64)>,
}

impl History {
    pub(super) fn new(now: Duration) -> Self {
        Self { start: now, second: 0, before: (0, 0), seconds: VecDeque::new() }
    }

    /// Takes the totals as they are `now`. What came since the last call is counted in the second
    /// that is over.
    pub(super) fn note(&mut self, now: Duration, decided: u64, kept: u64) {
        let second = now.saturating_sub(self.start).as_secs();
        let passed = second.saturating_sub(self.second);
        if passed == 0 {
            return;
        }
        let done = (decided - self.before.0.min(decided), kept - self.before.1.min(kept));
        self.seconds.push_back(done);
        // A loop that was stuck has decided nothing meanwhile.
        let idle = (passed - 1).min(SECONDS as u64) as usize;
        self.seconds.extend(std::iter::repeat_n((0, 0), idle));
        self.seconds.drain(..self.seconds.len().saturating_sub(SECONDS));
        (self.second, self.before) = (second, (decided, kept));
    }

    /// Pairs decided, and kept, in each of the last seconds, oldest first; `now` tells how many of
    /// them were idle.
    pub(super) fn seconds(&self, now: Duration) -> Vec<(u64, u64)> {
        let second = now.saturating_sub(self.start).as_secs();
        let idle = second.saturating_sub(self.second + 1).min(SECONDS as u64) as usize;
        let all = self.seconds.len() + idle;
        let past = self.seconds.iter().copied().chain(std::iter::repeat_n((0, 0), idle));
        past.skip(all.saturating_sub(SECONDS)).collect()
    }

    /// Pairs decided a second, over the last ten seconds.
    pub(super) fn rate(&self, now: Duration) -> f64 {
        let seconds = self.seconds(now);
        let last = &seconds[seconds.len().saturating_sub(NOW)..];
        let decided: u64 = last.iter().map(|(decided, _)| decided).sum();
        decided as f64 / last.len().max(1) as f64
    }
}
