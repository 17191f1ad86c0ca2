//! How soon one sync follows the other while somebody waits for each.

use std::time::Duration;

use crate::disk::Disk;

/// Rests between syncs, in lengths of the last one: they take a fourth of the time at most, so that a slow
/// card is left time to work, and a quick disk makes nobody wait.
const REST: u32 = 3;

/// When the next sync is due. A service knows who waits, but not how slow its disk is: it measures that.
#[derive(Debug)]
pub(super) struct Pace {
    disk: Disk,
    next: Duration,
}

impl Pace {
    /// The first is due at once.
    pub fn new(disk: &Disk) -> Self {
        Self { disk: disk.clone(), next: Duration::ZERO }
    }

    /// Time until the next sync is due.
    pub fn left(&self) -> Duration {
        self.next.saturating_sub(self.disk.elapsed())
    }

    /// The time at which a sync begins, for [`end`](Self::end).
    pub fn begin(&self) -> Duration {
        self.disk.elapsed()
    }

    /// A sync has ended.
    pub fn end(&mut self, begun: Duration) {
        let now = self.disk.elapsed();
        self.next = now.saturating_add(now.saturating_sub(begun).saturating_mul(REST));
    }
}
