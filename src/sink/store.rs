//! Kept shards and the decision journal of one folder, which never contradict each other.
//!
//! - The journal is brought to disk before a shard gets its name: a published pair is in it.
//! - Both are brought to disk after every `sync_pairs` kept pairs, the shard first.
//! - A folder can be gone on with ([`StoreSink::resume`]) whenever its run was killed: what shard
//!   and journal have in common stands, and what only one of them has is cut away.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::StorageConfig;
use crate::decision::Verdict;
use crate::disk::failed;
use crate::error::RunError;
use crate::sink::journal::JournalSink;
use crate::sink::observer::ShardObserver;
use crate::sink::output::{OutputFolder, shard_bytes};
use crate::sink::resume;
use crate::sink::shards::ShardSink;
use crate::sink::{Judged, Sink};
use crate::source::Sample;
use crate::stats::Counts;
use crate::wire;

pub use crate::sink::resume::Resumed;

/// Writes kept pairs to shards and every decision to the journal beside them.
#[derive(Debug)]
pub struct StoreSink {
    folder: PathBuf,
    config: StorageConfig,
    shards: ShardSink,
    journal: JournalSink,
    /// Kept pairs since both were last brought to disk.
    unsynced: u64,
    /// Bytes of the shards in the folder, about.
    bytes: u64,
}

impl StoreSink {
    /// A sink into `folder`, which [`OutputFolder`] has prepared; `observer` is told of its shards.
    ///
    /// # Errors
    /// [`RunError::Sink`] if there are shards or a journal in it, or it cannot be written.
    pub fn create(
        folder: &Path,
        config: &StorageConfig,
        header: wire::Header,
        observer: Option<Box<dyn ShardObserver>>,
    ) -> Result<Self, RunError> {
        let mut shards = ShardSink::create(folder, config.shard_pairs)?;
        shards.observe(observer);
        let journal = JournalSink::create(&folder.join(OutputFolder::JOURNAL), header)?;
        Ok(Self::over(folder, config, shards, journal, 0))
    }

    /// Goes on in a folder where a run with the same model, config and threshold has ended, or was
    /// killed; a new or empty folder is begun. `observer` is told of pairs that are taken over from an
    /// unfinished shard too.
    ///
    /// # Errors
    /// [`RunError::Sink`] if the folder's run had another model, config or threshold, if a shard is
    /// missing, if there are shards without a journal, or if the system refuses;
    /// [`RunError::Source`] if the journal cannot be read.
    pub fn resume(
        folder: &Path,
        config: &StorageConfig,
        header: wire::Header,
        observer: Option<Box<dyn ShardObserver>>,
    ) -> Result<(Self, Resumed), RunError> {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        if !resume::is_begun(folder, &header)? {
            OutputFolder::prepare(folder, false)?;
            return Ok((Self::create(folder, config, header, observer)?, Resumed::default()));
        }
        let (shards, journal, resumed) = resume::resume(folder, config.shard_pairs, observer)?;
        let bytes = shard_bytes(folder).map_err(failed(folder))?;
        Ok((Self::over(folder, config, shards, journal, bytes), resumed))
    }

    fn over(
        folder: &Path,
        config: &StorageConfig,
        shards: ShardSink,
        journal: JournalSink,
        bytes: u64,
    ) -> Self {
        Self { folder: folder.to_owned(), config: *config, shards, journal, unsynced: 0, bytes }
    }

    /// Refuses a pair for which `max_bytes` leaves no room.
    fn make_room(&mut self, sample: &Sample) -> Result<(), RunError> {
        let (bytes, most) = (self.bytes + tar_bytes(sample), self.config.max_bytes);
        if most > 0 && bytes > most {
            let why = format!("storage.max_bytes = {most} is used up");
            return Err(failed(&self.folder)(io::Error::new(io::ErrorKind::StorageFull, why)));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Publishes the open shard when it is old enough.
    fn close_old(&mut self) -> Result<(), RunError> {
        let limit = Duration::from_millis(self.config.shard_age_ms);
        if limit.is_zero() || self.shards.age().is_none_or(|age| age < limit) {
            return Ok(());
        }
        self.journal.sync()?;
        self.shards.close_early()
    }

    fn sync(&mut self) -> Result<(), RunError> {
        self.unsynced = 0;
        self.shards.sync()?;
        self.journal.sync()
    }
}

impl Sink for StoreSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        self.close_old()?;
        let kept = judged.decision.verdict == Verdict::Kept;
        if kept {
            self.make_room(&judged.sample)?;
            if self.shards.is_full() {
                self.journal.sync()?;
            }
        }
        // The shards first: the journal never tells of a pair that was not taken.
        self.shards.accept(judged)?;
        self.journal.accept(judged)?;
        self.unsynced += u64::from(kept);
        if self.config.sync_pairs > 0 && self.unsynced >= self.config.sync_pairs {
            self.sync()?;
        }
        Ok(())
    }

    fn set_threshold(&mut self, threshold: f32) {
        self.shards.set_threshold(threshold);
        self.journal.set_threshold(threshold);
    }

    fn idle(&mut self) -> Result<(), RunError> {
        self.close_old()
    }

    fn finish(&mut self) -> Result<(), RunError> {
        // Each is finished, whatever the other says.
        let synced = self.journal.finish();
        self.shards.finish().and(synced)
    }

    fn lost(&self) -> Counts {
        self.shards.lost()
    }
}

/// Bytes of a sample in a tar: each member has a header, and is filled up to a whole block.
fn tar_bytes(sample: &Sample) -> u64 {
    const BLOCK: u64 = 512;
    let member = |data: &[u8]| BLOCK + (data.len() as u64).next_multiple_of(BLOCK);
    sample.members.iter().map(|one| member(&one.data)).sum()
}
