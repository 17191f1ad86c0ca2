//! Finished shards that may go where the disk is full, the oldest first.
//!
//! A shard goes in steps, any of which a power cut may be the last before the next run:
//! 1. Its file gets the name of a [mark](super::mark), and the folder is brought to disk.
//! 2. The file is emptied: now there is room. Nothing had to be written for it.
//! 3. The journal tells that the shard is gone, and is brought to disk with all that it waits for.
//! 4. What lay beside the shard is removed, and the mark.
//!
//! The first two happen here, also within a call that found the disk full; the sink does the rest when
//! it is between two pairs. A shard is listed when the journal's entry that it was closed is on disk.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::folder::{shard_name, stats_name};
use super::mark::mark_path;
use super::scan::Samples;
use super::stats::Told;
use crate::disk::{Disk, IoError, MakeRoom, Open, failed};
use crate::journal::Dropped;

/// How far the time of day may be ahead when a run begins without making older what earlier ones left: a
/// summer time that was set by hand.
const WRONG: Duration = Duration::from_secs(60 * 60);

/// The finished shards of a folder.
#[derive(Debug)]
pub(super) struct Room {
    /// The files as they are, where a full disk is an error.
    disk: Disk,
    folder: PathBuf,
    /// The time of day, and that since some moment, when this was made.
    start: (SystemTime, Duration),
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    shards: VecDeque<Shard>,
    /// Bytes of these.
    bytes: u64,
    /// Shards that have their mark, and of which the journal does not tell yet.
    marked: Vec<Dropped>,
}

/// A finished shard.
#[derive(Debug, Clone, Copy)]
struct Shard {
    number: u32,
    bytes: u64,
    closed: When,
}

/// When a shard was closed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// By this process: by the clock that never jumps.
    Since(Duration),
    /// By an earlier one, where nobody has looked yet.
    Earlier,
    /// The same, as its statistics tell.
    At(SystemTime),
}

impl State {
    fn pop(&mut self) {
        if let Some(shard) = self.shards.pop_front() {
            self.bytes -= shard.bytes;
        }
    }
}

impl Room {
    /// An empty list for `folder`.
    pub fn new(disk: &Disk, folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            disk: disk.clone(),
            folder: folder.to_owned(),
            start: (disk.now(), disk.elapsed()),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists shards of earlier runs.
    pub fn list_earlier(&self, numbers: &[u32]) -> Result<(), IoError> {
        numbers.iter().try_for_each(|number| self.list(*number, When::Earlier))
    }

    /// Lists a shard that was closed when so much time had gone by.
    pub fn list_closed(&self, number: u32, elapsed: Duration) -> Result<(), IoError> {
        self.list(number, When::Since(elapsed))
    }

    fn list(&self, number: u32, closed: When) -> Result<(), IoError> {
        let path = self.folder.join(shard_name(number));
        let bytes = match fs::metadata(&path) {
            Ok(found) => found.len(),
            // Somebody has taken it away.
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(failed(&path)(why)),
        };
        let mut state = self.state();
        if state.shards.back().is_none_or(|last| last.number < number) {
            state.shards.push_back(Shard { number, bytes, closed });
            state.bytes += bytes;
        }
        Ok(())
    }

    /// Bytes of the listed shards.
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// Adds a mark that an earlier run has left.
    pub fn add_mark(&self, dropped: Dropped) {
        self.state().marked.push(dropped);
    }

    /// Whether there are marks of which the journal does not tell yet.
    pub fn has_marks(&self) -> bool {
        !self.state().marked.is_empty()
    }

    /// Those, which are the caller's to tell and remove.
    pub fn take_marks(&self) -> Vec<Dropped> {
        std::mem::take(&mut self.state().marked)
    }

    /// Empties the oldest shard; `false` where none may go.
    pub fn drop_oldest(&self) -> Result<bool, IoError> {
        let mut state = self.state();
        while let Some(Shard { number, bytes, .. }) = state.shards.front().copied() {
            let tar = self.folder.join(shard_name(number));
            if tar.symlink_metadata().is_err_and(|why| why.kind() == io::ErrorKind::NotFound) {
                // Somebody has taken it away.
                state.pop();
                continue;
            }
            let dropped = Dropped { shard: number, samples: samples_of(&self.folder, number)? };
            let mark = mark_path(&self.folder, dropped);
            self.disk.rename(&tar, &mark)?;
            state.pop();
            state.marked.push(dropped);
            self.disk.sync_folder(&self.folder)?;
            self.empty(&mark)?;
            let (folder, name) = (self.folder.display(), shard_name(number));
            let samples = dropped.samples;
            log::info!("{folder}: {name} goes: {samples} pairs, {bytes} bytes");
            return Ok(true);
        }
        Ok(false)
    }

    /// Some file systems give bytes back only when that is brought to disk.
    fn empty(&self, mark: &Path) -> Result<(), IoError> {
        let mut file = self.disk.open(mark, Open::Append)?;
        file.set_len(0).and_then(|()| file.sync()).map_err(failed(mark))
    }

    /// How old the oldest shard is at least, whatever was done to the time of day meanwhile; `None`
    /// where there is none.
    pub fn oldest_age(&self) -> Option<Duration> {
        let mut state = self.state();
        let shard = state.shards.front_mut()?;
        if let When::Earlier = shard.closed {
            shard.closed = When::At(self.ended(shard.number));
        }
        let elapsed = self.disk.elapsed();
        let ended = match shard.closed {
            When::Since(closed) => return Some(elapsed.saturating_sub(closed)),
            When::At(ended) => ended,
            When::Earlier => return None,
        };
        // Of an earlier run nothing but the time of day tells. What has gone by since this one began is
        // sure, so that a clock that is set forward meanwhile makes nothing older.
        let (start, then) = self.start;
        let here = elapsed.saturating_sub(then);
        let Ok(before) = start.duration_since(ended) else { return Some(here) };
        let by_day = self.disk.now().duration_since(ended).unwrap_or_default();
        Some(by_day.min(before + here).saturating_sub(WRONG))
    }

    /// When an earlier run has closed the shard.
    fn ended(&self, number: u32) -> SystemTime {
        let told = Told::read(&self.folder.join(stats_name(number))).and_then(|told| told.ended());
        let written = || fs::metadata(self.folder.join(shard_name(number)))?.modified();
        told.or_else(|| written().ok()).unwrap_or(self.start.0)
    }
}

impl MakeRoom for Room {
    fn make_room(&self) -> Result<bool, IoError> {
        self.drop_oldest()
    }
}

/// Samples of a finished shard, by its statistics.
pub(super) fn samples_of(folder: &Path, number: u32) -> Result<u64, IoError> {
    if let Some(told) = Told::read(&folder.join(stats_name(number))) {
        return Ok(told.successes);
    }
    let mut samples = Samples::open(&folder.join(shard_name(number)))?;
    Ok(std::iter::from_fn(|| samples.next()).count() as u64)
}
