//! Kept pairs as WebDataset shards.
//!
//! A shard is written as `.00000.tar.partial`, brought to disk and then renamed, and its
//! `00000_stats.json` follows in the same way: a file without the temporary name is whole,
//! whenever the run was killed. What was kept but not yet in a published shard is lost with the
//! run that is killed; the journal may tell of it.
//!
//! The same samples give the same shards, byte for byte: headers hold no times, owners or modes
//! of this run. Only the statistics tell the time.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::decision::{Decision, Verdict};
use crate::disk::{Disk, PartialFile, failed, write_whole};
use crate::error::RunError;
use crate::sink::names::{distinct_extensions, safe_key};
use crate::sink::observer::ShardObserver;
use crate::sink::output::{refuse_shards, shard_name, stats_name};
use crate::sink::{Judged, Sink};
use crate::source::Member;
use crate::stats::Counts;

/// Writes what is kept to shards of a fixed number of samples, each with img2dataset's statistics.
///
/// Members keep their bytes and samples their keys, except that a key or extension that is not
/// safe in a tar is made so (see [`names`](crate::sink::names)), and one that the shard already
/// has gets a number: `_2`, `_3`, and so on. A kept sample without members writes nothing and is
/// counted as `no_members`.
#[derive(Debug)]
pub struct ShardSink {
    folder: PathBuf,
    samples_per_shard: u64,
    number: usize,
    open: Option<OpenShard>,
    share: Share,
    /// Kept pairs that are not in a published shard.
    unpublished: Counts,
    observer: Option<Box<dyn ShardObserver>>,
    failed: bool,
}

impl ShardSink {
    /// A sink into `folder`, which [`OutputFolder`](crate::sink::output::OutputFolder) has
    /// prepared, for shards of `samples_per_shard` samples (0 is taken as 1). The keys of one
    /// shard are held in memory.
    ///
    /// # Errors
    /// [`RunError::Sink`] if there is no such folder, or if there are shards in it.
    pub fn create(folder: &Path, samples_per_shard: u64) -> Result<Self, RunError> {
        refuse_shards(folder)?;
        Ok(Self::after(folder, samples_per_shard, 0))
    }

    /// The same for a folder that holds the shards below `number` already.
    pub(super) fn after(folder: &Path, samples_per_shard: u64, number: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            samples_per_shard: samples_per_shard.max(1),
            number,
            open: None,
            share: Share::start(SystemTime::now()),
            unpublished: Counts::default(),
            observer: None,
            failed: false,
        }
    }

    /// Has `observer` told of every pair and shard from now on.
    pub(super) fn observe(&mut self, observer: Option<Box<dyn ShardObserver>>) {
        self.observer = observer;
    }

    /// Whether the open shard is full: the next kept pair closes it.
    pub(super) fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|shard| shard.samples == self.samples_per_shard)
    }

    /// How long the open shard has been open.
    pub(super) fn age(&self) -> Option<Duration> {
        self.open.as_ref().map(|shard| shard.since.elapsed())
    }

    /// Publishes the open shard though it is not full.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be written.
    pub(super) fn close_early(&mut self) -> Result<(), RunError> {
        self.guarded(Self::close)
    }

    /// Brings the open shard, as far as it goes, to disk under its temporary name.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be written.
    pub(super) fn sync(&mut self) -> Result<(), RunError> {
        self.guarded(|sink| sink.open.as_mut().map_or(Ok(()), |shard| shard.tar.get_mut().sync()))
    }

    /// The same sink, which tells `observer` of every pair and shard.
    pub fn observed_by(self, observer: Box<dyn ShardObserver>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    fn write(&mut self, judged: &Judged) -> Result<(), RunError> {
        let kept = judged.decision.verdict == Verdict::Kept;
        if !kept || judged.sample.members.is_empty() {
            self.share.count(judged);
            return Ok(());
        }
        // A full shard is closed here and not when it became full, so that pairs rejected behind
        // its last sample are in somebody's statistics.
        if self.is_full() {
            self.close()?;
        }
        self.unpublished.add(&judged.decision);
        let shard = match &mut self.open {
            Some(shard) => shard,
            none => none.insert(OpenShard::create(&self.folder.join(shard_name(self.number)))?),
        };
        let appended = shard.append(&judged.sample.key, &judged.sample.members);
        let key = appended.map_err(|error| unstored(error, shard.samples))?;
        if let Some(observer) = &mut self.observer {
            observer.stored(judged, &shard.path, &key);
        }
        self.share.count(judged);
        Ok(())
    }

    fn close(&mut self) -> Result<(), RunError> {
        let Some(shard) = self.open.take() else { return Ok(()) };
        let (samples, path) = (shard.samples, shard.path.clone());
        shard.publish().map_err(|error| unstored(error, samples))?;
        self.unpublished = Counts::default();
        if let Some(observer) = &mut self.observer {
            observer.published(&path);
        }
        let end = SystemTime::now();
        let share = std::mem::replace(&mut self.share, Share::start(end));
        share.write(&self.folder.join(stats_name(self.number)), end)?;
        self.number += 1;
        Ok(())
    }

    /// Runs one step, none of them after a failed one: a shard with half a sample in it is never
    /// given a shard's name.
    fn guarded(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        if self.failed {
            return Err(failed(&self.folder)(io::Error::other("an earlier write failed")));
        }
        let result = step(self);
        self.failed = result.is_err();
        result
    }
}

impl Sink for ShardSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        self.guarded(|sink| sink.write(judged))
    }

    fn set_threshold(&mut self, threshold: f32) {
        if let Some(observer) = &mut self.observer {
            observer.set_threshold(threshold);
        }
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.guarded(Self::close)
    }

    fn lost(&self) -> Counts {
        self.unpublished
    }
}

/// The shard that is being written.
struct OpenShard {
    tar: tar::Builder<PartialFile>,
    path: PathBuf,
    samples: u64,
    since: Instant,
    /// Keys in the shard, and the number that the next sample of that key tries first.
    keys: HashMap<String, u64>,
}

impl std::fmt::Debug for OpenShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("OpenShard");
        shown.field("path", &self.path).field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl OpenShard {
    fn create(path: &Path) -> Result<Self, RunError> {
        let tar = tar::Builder::new(PartialFile::create(&Disk::system(), path)?);
        let since = Instant::now();
        Ok(Self { tar, path: path.to_owned(), samples: 0, since, keys: HashMap::new() })
    }

    /// Gives the key that the sample has in the shard.
    fn append(&mut self, key: &str, members: &[Member]) -> Result<String, RunError> {
        let key = self.unused_key(key);
        let extensions = members.iter().map(|member| member.extension.as_str());
        for (extension, member) in distinct_extensions(extensions, &[]).iter().zip(members) {
            let mut header = tar::Header::new_gnu();
            header.set_size(member.data.len() as u64);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            let name = format!("{key}.{extension}");
            let appended = self.tar.append_data(&mut header, name, member.data.as_slice());
            appended.map_err(failed(&self.path))?;
        }
        self.samples += 1;
        Ok(key)
    }

    /// The key made safe, and made unlike all others in the shard: readers take neighbours with
    /// equal keys for one sample, and every img2dataset shard may start at 000000000.
    fn unused_key(&mut self, key: &str) -> String {
        let safe = safe_key(key);
        let Some(next) = self.keys.get(&safe).copied() else {
            self.keys.insert(safe.clone(), 2);
            return safe;
        };
        let (mut number, mut name) = (next, format!("{safe}_{next}"));
        while self.keys.contains_key(&name) {
            number += 1;
            name = format!("{safe}_{number}");
        }
        self.keys.insert(safe, number + 1);
        self.keys.insert(name.clone(), 2);
        name
    }

    fn publish(self) -> Result<(), RunError> {
        let file = self.tar.into_inner().map_err(failed(&self.path))?;
        if self.path.symlink_metadata().is_ok() {
            let why = "another run has written it meanwhile";
            return Err(failed(&self.path)(io::Error::new(io::ErrorKind::AlreadyExists, why)));
        }
        file.publish()
    }
}

/// The error of a shard that will not get its name, with what that costs.
fn unstored(error: RunError, samples: u64) -> RunError {
    match error {
        RunError::Sink { to, why } if samples > 0 => {
            let text = format!("{why} ({samples} kept pairs before it stay in a .partial file)");
            RunError::Sink { to, why: io::Error::new(why.kind(), text) }
        }
        other => other,
    }
}

/// The share of the input that a shard stands for: all pairs decided since the shard before it
/// was closed.
#[derive(Debug)]
pub(super) struct Share {
    start: SystemTime,
    kept: u64,
    rejected: u64,
    failed: u64,
    statuses: BTreeMap<&'static str, u64>,
}

impl Share {
    pub(super) fn start(start: SystemTime) -> Self {
        Self { start, kept: 0, rejected: 0, failed: 0, statuses: BTreeMap::new() }
    }

    fn count(&mut self, judged: &Judged) {
        match judged.decision.verdict {
            Verdict::Kept if judged.sample.members.is_empty() => {
                self.failed += 1;
                *self.statuses.entry("no_members").or_default() += 1;
            }
            _ => self.add(&judged.decision),
        }
    }

    /// Counts a pair whose members are in the shard, where it is kept.
    pub(super) fn add(&mut self, decision: &Decision) {
        let reason = decision.reason.name();
        let (total, status) = match decision.verdict {
            Verdict::Kept => (&mut self.kept, "success"),
            Verdict::Rejected => (&mut self.rejected, reason),
            Verdict::Failed => (&mut self.failed, reason),
        };
        *total += 1;
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Writes the statistics to `path`.
    pub(super) fn write(self, path: &Path, end: SystemTime) -> Result<(), RunError> {
        let text = serde_json::to_vec_pretty(&self.stats(end)).map_err(io::Error::from);
        write_whole(&Disk::system(), path, &text.map_err(failed(path))?)
    }

    fn stats(self, end: SystemTime) -> Stats {
        Stats {
            count: self.kept + self.rejected + self.failed,
            successes: self.kept,
            failed_to_download: self.failed,
            failed_to_resize: self.rejected,
            duration: end.duration_since(self.start).unwrap_or_default().as_secs_f64(),
            start_time: unix_seconds(self.start),
            end_time: unix_seconds(end),
            status_dict: self.statuses,
        }
    }
}

/// What img2dataset writes beside a shard, with its keys. There a pair that could not be read is
/// one that was not downloaded, and one that the size filters refuse is one that was not resized:
/// so it is here, and the count is the sum of the three, as its readers expect.
#[derive(Debug, Serialize)]
struct Stats {
    count: u64,
    successes: u64,
    failed_to_download: u64,
    failed_to_resize: u64,
    duration: f64,
    start_time: f64,
    end_time: f64,
    status_dict: BTreeMap<&'static str, u64>,
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
