//! How soon one sync follows the other while somebody waits for each.

use std::time::Duration;

use crate::disk::Disk;

/// A sync's share in the average: one that the system held up tells little of the disk.
const SHARE: u32 = 8;

/// When the next sync is due. A service knows who waits, but not how slow its disk is: it measures that.
#[derive(Debug)]
pub(super) struct Pace {
    disk: Disk,
    /// When the last one ended.
    ended: Duration,
    /// How long they take on average.
    takes: Duration,
}

impl Pace {
    /// The first is due at once.
    pub fn new(disk: &Disk) -> Self {
        Self { disk: disk.clone(), ended: Duration::ZERO, takes: Duration::ZERO }
    }

    /// Time until the next sync is due where `others` are on their way: as long behind the last one as it
    /// would take to give each of them a sync of its own. Where nobody is it is due at once, and the more
    /// come the more share one.
    pub fn left(&self, others: usize) -> Duration {
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let next = self.ended.saturating_add(self.takes.saturating_mul(others));
        next.saturating_sub(self.disk.elapsed())
    }

    /// The time at which a sync begins, for [`end`](Self::end).
    pub fn begin(&self) -> Duration {
        self.disk.elapsed()
    }

    /// A sync has ended.
    pub fn end(&mut self, begun: Duration) {
        self.ended = self.disk.elapsed();
        let took = self.ended.saturating_sub(begun);
        self.takes = match self.takes {
            Duration::ZERO => took,
            takes => takes - takes / SHARE + took / SHARE,
        };
    }
}
