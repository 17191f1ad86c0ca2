//! The machine under the run: disk, temperature, memory.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::capture::backoff::temperature;
use crate::store::shard_bytes;

/// Shortest time between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// Times what a look took that pass until the next one: a folder of very many shards takes a while.
const REST: u32 = 100;

/// How the machine is; what cannot be found out is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Machine {
    /// Bytes of the shards in the output folder.
    pub used_bytes: Option<u64>,
    /// Bytes that are free on its file system.
    pub free_bytes: Option<u64>,
    /// Bytes that the file system holds in all.
    pub total_bytes: Option<u64>,
    /// Degrees Celsius of the configured thermal zone.
    pub celsius: Option<f32>,
    /// Bytes of memory that the process has.
    pub resident_bytes: Option<u64>,
}

/// What was found at the last look, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct Looks(Option<(Duration, Machine)>);

impl Looks {
    /// How the machine is `now`, or was when it was last looked at.
    pub(super) fn look(&mut self, now: Duration, output: &Path, zone: &str) -> Machine {
        match self.0 {
            Some((due, machine)) if now < due => machine,
            _ => {
                let begin = Instant::now();
                let machine = look(output, zone);
                let rest = EVERY.max(begin.elapsed().saturating_mul(REST));
                self.0 = Some((now.saturating_add(rest), machine));
                machine
            }
        }
    }
}

fn look(output: &Path, zone: &str) -> Machine {
    let (free_bytes, total_bytes) = file_system(output).unzip();
    Machine {
        used_bytes: shard_bytes(output).ok(),
        free_bytes,
        total_bytes,
        celsius: temperature(zone),
        resident_bytes: resident(),
    }
}

/// Bytes that are free for this user, and all bytes, of the file system that `path` is on.
#[cfg(unix)]
fn file_system(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some((bytes(found.f_bavail), bytes(found.f_blocks)))
}

#[cfg(not(unix))]
fn file_system(_: &Path) -> Option<(u64, u64)> {
    None
}

/// What Linux says of this process.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kilobytes)
}
