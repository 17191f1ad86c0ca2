//! What a sink does where there is no room, or where shards have come to their age.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pairgate_core::config::{OnFullDisk, StorageConfig};

use super::StoreSink;
use super::folder::beside_gone;
use super::ledger::Checkpoint;
use super::mark::mark_path;
use super::room::Room;
use super::shards::File;
use crate::disk::{Disk, IoError, failed};
use crate::journal::{self, Dropped, Entry, number_of};

/// Bytes at a tar's end.
pub(super) const TAR_END: u64 = 1024;
/// Where shards may go, one is closed when it has this share of `max_bytes`: else there is nothing that
/// could go but most of what is there.
const SHARE_OF_BOUND: u64 = 8;
/// Bytes that are written between two looks at how full the file system is.
const LOOK_BYTES: u64 = 1 << 20;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When the file system was last looked at.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// Bytes that may still be written before the next look.
    unseen: u64,
}

/// What is short.
enum Lack {
    Bound(u64),
    Free { least: u64, free: u64 },
}

/// The files that a sink writes: where shards may go, a full disk makes them go.
pub(super) fn disk_with(disk: &Disk, room: &Arc<Room>, config: &StorageConfig) -> Disk {
    match config.on_full {
        OnFullDisk::Stop => disk.clone(),
        OnFullDisk::DropOldest => disk.with_room(room.clone()),
    }
}

/// A full disk's error, with what helps.
pub(super) fn advised(error: IoError) -> IoError {
    match error {
        IoError::Write { to, why }
            if why.kind() == io::ErrorKind::StorageFull && why.raw_os_error().is_some() =>
        {
            let told = format!(
                "{why}: free space there and give the command again, or let the oldest shards go \
                 (storage.on_full = \"drop_oldest\")"
            );
            IoError::Write { to, why: io::Error::new(why.kind(), told) }
        }
        error => error,
    }
}

impl StoreSink {
    /// Bytes of the shards, the open one among them.
    pub(super) fn bytes(&self) -> u64 {
        let unlisted = self.unlisted.iter().map(|(_, _, bytes)| bytes).sum::<u64>();
        self.room.bytes() + unlisted + self.shards.bytes()
    }

    /// Whether the open shard has its share of the bound on bytes.
    pub(super) fn is_share_of_bound(&self) -> bool {
        let StorageConfig { max_bytes, on_full, .. } = self.config;
        let share = max_bytes / SHARE_OF_BOUND;
        on_full == OnFullDisk::DropOldest && max_bytes > 0 && self.shards.bytes() >= share.max(1)
    }

    /// Makes room for so many bytes of a sample, as the config says, or refuses it.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), IoError> {
        while let Some(lack) = self.lack(bytes)? {
            if !self.may_drop()? {
                return Err(failed(&self.folder)(lack.told(self.config.on_full)));
            }
        }
        self.lookout.unseen = self.lookout.unseen.saturating_sub(bytes);
        self.tell_of_marks()
    }

    /// What is short where so many bytes more are written.
    fn lack(&mut self, bytes: u64) -> Result<Option<Lack>, IoError> {
        let StorageConfig { max_bytes, min_free, .. } = self.config;
        let end = if bytes > 0 || self.shards.is_open() { TAR_END } else { 0 };
        if max_bytes > 0 && self.bytes() + bytes + end > max_bytes {
            return Ok(Some(Lack::Bound(max_bytes)));
        }
        if min_free == 0 || self.lookout.unseen >= bytes.max(1) {
            return Ok(None);
        }
        let Some(free) = self.disk.free_bytes(&self.folder)? else { return Ok(None) };
        if free < min_free.saturating_add(bytes) {
            return Ok(Some(Lack::Free { least: min_free, free }));
        }
        self.lookout.unseen = (free - min_free).min(LOOK_BYTES);
        Ok(None)
    }

    /// Empties the oldest shard where the config lets it go; `false` where none may.
    fn may_drop(&mut self) -> Result<bool, IoError> {
        if self.config.on_full == OnFullDisk::Stop {
            return Ok(false);
        }
        if self.room.drop_oldest()? {
            return Ok(true);
        }
        if self.unlisted.is_empty() {
            return Ok(false);
        }
        // What was finished last may go as soon as the journal tells of it.
        self.sync_all()?;
        self.room.drop_oldest()
    }

    /// Lets go what the config wants gone although no pair comes: for its age, or because others fill the
    /// disk.
    pub(super) fn drop_what_is_due(&mut self) -> Result<(), IoError> {
        self.lookout.unseen = 0;
        while self.lack(0)?.is_some() && self.may_drop()? {}
        self.drop_aged()
    }

    /// Lets shards go that are older than they may be.
    pub(super) fn drop_aged(&mut self) -> Result<(), IoError> {
        let most = DAY * self.config.keep_days;
        let is_old = |room: &Room| room.oldest_age().is_some_and(|age| age >= most);
        while !most.is_zero() && is_old(&self.room) && self.room.drop_oldest()? {}
        self.tell_of_marks()
    }

    /// Tells the journal of shards that have their mark, and removes what is left of them.
    pub(super) fn tell_of_marks(&mut self) -> Result<(), IoError> {
        // Bringing that to disk may find it full again.
        while self.room.has_marks() {
            let marks = self.room.take_marks();
            for dropped in &marks {
                if dropped.shard >= self.ledger.gone.below {
                    // Who would claim a sample finds it gone: it gets its record while it can be told of.
                    for claim in self.claims.take_shard(dropped.shard) {
                        self.record_found(claim.record(self.ledger.next_ticket))?;
                    }
                    self.enter(&Entry::Dropped(*dropped))?;
                    self.dropped += dropped.samples;
                }
            }
            self.sync_all()?;
            self.remove_rest(&marks)?;
            self.drop_segments()?;
        }
        Ok(())
    }

    /// Removes what a killed run has left of shards of which the journal tells that they are gone.
    pub(super) fn remove_leavings(&self) -> Result<(), IoError> {
        let left =
            beside_gone(&self.folder, self.ledger.gone.below).map_err(failed(&self.folder))?;
        if left.is_empty() { Ok(()) } else { self.remove_rest(&[]) }
    }

    /// Removes what lay beside shards of which the journal tells that they are gone, then their marks.
    fn remove_rest(&self, marks: &[Dropped]) -> Result<(), IoError> {
        let below = self.ledger.gone.below;
        for beside in beside_gone(&self.folder, below).map_err(failed(&self.folder))? {
            self.disk.remove_if_there(&beside)?;
        }
        for dropped in marks {
            self.disk.remove_if_there(&mark_path(&self.folder, *dropped))?;
        }
        self.disk.sync_folder(&self.folder)
    }

    /// Removes the journal's segments all of whose shards are gone, where the config wants that.
    fn drop_segments(&self) -> Result<(), IoError> {
        if !self.config.drop_journal {
            return Ok(());
        }
        let journal = self.folder.join(journal::FOLDER);
        let segments = journal::segments(&journal).map_err(failed(&journal))?;
        let Some((last, _)) = segments.split_last() else { return Ok(()) };
        // A run that goes on has to know what its decider has learnt.
        let terms = &self.journal.header().terms;
        let learns = terms.tracker.is_some() || terms.selects();
        if learns && Checkpoint::beside(last).is_none_or(|found| found.decider().is_empty()) {
            return Ok(());
        }
        let below = self.ledger.gone.below;
        let is_first = |segment: &&std::path::PathBuf| {
            Checkpoint::beside(segment).is_some_and(|before| before.ledger().shards_end() <= below)
        };
        // Two stay, whatever is in them: the last checkpoint may be damaged.
        let most = segments.len().saturating_sub(2);
        let first = segments.iter().skip(1).take(most).rfind(is_first);
        match first.and_then(|segment| number_of(segment)) {
            Some(first) => journal::forget_before(&self.disk, &journal, first),
            None => Ok(()),
        }
    }
}

impl Lack {
    fn told(&self, on_full: OnFullDisk) -> io::Error {
        let what = match self {
            Self::Bound(most) => format!("storage.max_bytes = {most} is used up"),
            Self::Free { least, free } => {
                format!("{free} bytes are free there, and storage.min_free is {least}")
            }
        };
        let advice = match on_full {
            OnFullDisk::Stop => {
                "move shards away, or let the oldest go (storage.on_full = \"drop_oldest\")"
            }
            OnFullDisk::DropOldest => {
                "no finished shard is left that could go: free space, or lower the bound"
            }
        };
        io::Error::new(io::ErrorKind::StorageFull, format!("{what}; {advice}"))
    }
}

/// Bytes of a sample in a tar, about: each member has a header, and is filled up to a whole block; one
/// with a long name has another header and the name before it.
pub(super) fn tar_bytes(key: &str, files: &[File<'_>]) -> u64 {
    const BLOCK: u64 = 512;
    const LONG: usize = 80;
    let long = BLOCK + (key.len() as u64 + BLOCK).next_multiple_of(BLOCK);
    let name = if key.len() > LONG { long } else { 0 };
    let file = |(_, data): &File<'_>| BLOCK + (data.len() as u64).next_multiple_of(BLOCK);
    files.iter().map(|found| name + file(found)).sum()
}
