//! What img2dataset writes beside a shard, with its keys.
//!
//! There a pair that could not be read is one that was not downloaded, and one that the size filters
//! refuse is one that was not resized: so it is here, and the count is the sum of the three, as its
//! readers expect.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pairgate_core::decision::{Decision, Verdict};
use pairgate_core::stats::Counts;
use serde::{Deserialize, Serialize};

use crate::disk::IoError;
use crate::disk::{Disk, failed, write_whole};

/// The share of the input that a shard stands for: all pairs decided since the shard before it was
/// closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    counts: Counts,
    /// Kept pairs among them that have no members, so that nothing is stored.
    empty: u64,
}

impl Share {
    /// A share of these counts, `empty` kept pairs of which have no members.
    pub fn of(counts: Counts, empty: u64) -> Self {
        Self { counts, empty }
    }

    /// Counts a decision; `is_empty` says that it is kept and there is nothing to store.
    pub fn add(&mut self, decision: &Decision, is_empty: bool) {
        self.counts.add(decision);
        self.empty += u64::from(is_empty);
    }

    /// How the pairs came out.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Kept pairs without members.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    /// Writes the statistics to `path`: the share was decided from `start` to `end`.
    ///
    /// # Errors
    /// [`IoError::Write`] if they cannot be written.
    pub fn write(
        &self,
        disk: &Disk,
        path: &Path,
        start: SystemTime,
        end: SystemTime,
    ) -> Result<(), IoError> {
        let text = serde_json::to_vec_pretty(&self.stats(start, end)).map_err(io::Error::from);
        write_whole(disk, path, &text.map_err(failed(path))?)
    }

    fn stats(&self, start: SystemTime, end: SystemTime) -> Stats {
        let Tallies { count, successes, failed_to_download, failed_to_resize, status_dict } =
            self.tallies();
        Stats {
            count,
            successes,
            failed_to_download,
            failed_to_resize,
            duration: end.duration_since(start).unwrap_or_default().as_secs_f64(),
            start_time: unix_seconds(start),
            end_time: unix_seconds(end),
            status_dict,
        }
    }

    /// What the statistics say beside the time.
    pub fn tallies(&self) -> Tallies {
        let total = |verdict| self.counts.total(verdict);
        let kept = total(Verdict::Kept).saturating_sub(self.empty);
        let failed = total(Verdict::Failed) + self.empty;
        let rejected = total(Verdict::Rejected);
        let mut statuses = BTreeMap::new();
        let mut note = |status, count: u64| {
            if count > 0 {
                *statuses.entry(String::from(status)).or_default() += count;
            }
        };
        note("success", kept);
        note("no_members", self.empty);
        for verdict in [Verdict::Rejected, Verdict::Failed] {
            self.counts.reasons(verdict).for_each(|(reason, count)| note(reason.name(), count));
        }
        Tallies {
            count: kept + rejected + failed,
            successes: kept,
            failed_to_download: failed,
            failed_to_resize: rejected,
            status_dict: statuses,
        }
    }
}

/// A shard's statistics without the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallies {
    /// Pairs of the shard's share of the input.
    pub count: u64,
    /// Those in the shard.
    pub successes: u64,
    /// Those that could not be judged, or had nothing to store.
    pub failed_to_download: u64,
    /// Those that were rejected.
    pub failed_to_resize: u64,
    /// All of them, by what became of them.
    pub status_dict: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Stats {
    count: u64,
    successes: u64,
    failed_to_download: u64,
    failed_to_resize: u64,
    duration: f64,
    start_time: f64,
    end_time: f64,
    status_dict: BTreeMap<String, u64>,
}

/// What is read of a shard's statistics.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    /// Samples in the shard.
    pub successes: u64,
    end_time: Option<f64>,
}

impl Told {
    /// Reads the statistics at `path`; `None` where there are none.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// When the shard was closed, as far as it says.
    pub fn ended(&self) -> Option<SystemTime> {
        let seconds = Duration::try_from_secs_f64(self.end_time?).ok()?;
        UNIX_EPOCH.checked_add(seconds)
    }
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
