//! An output folder: kept shards and the decision journal, which never contradict each other.
//!
//! - Samples are brought to disk before the journal's records that tell of them, those before
//!   [`durable`](StoreSink::durable) passes their tickets; a shard gets its name when all its records
//!   are on disk. So a published pair is always in the journal.
//! - Both are brought to disk after `sync_pairs` kept pairs or `sync_ms`, whichever is first.
//! - A failed write or sync is final: nothing after it counts, and no shard gets its name. The folder
//!   is left for the next run.
//! - A folder can be gone on with ([`StoreSink::go_on`]) whenever its run was killed: what was on disk
//!   stands, and what only one of both had reached is cut away.
//! - Where there is no room the run ends, or the oldest shards go, as the config says; what is gone is
//!   in the journal.
//! - One process at a time writes to a folder: it holds the folder's lock.

mod annotate;
mod claims;
mod dropping;
mod folder;
mod judged;
mod keys;
mod ledger;
mod levels;
mod mark;
pub mod names;
mod observer;
pub mod one_to_one;
mod options;
mod past;
mod recorder;
mod recover;
mod room;
mod scan;
mod shards;
mod stats;
#[cfg(feature = "parquet")]
mod table;
mod watermark;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use folder::refuse_rejected;
#[cfg(feature = "cli")]
pub(crate) use folder::shard_bytes;
pub use folder::{OutputFolder, shard_name};
pub use judged::{Judged, RunEnd, Sink};
pub use keys::ShardKeys;
pub use ledger::{Checkpoint, Gone, Ledger};
pub use levels::Levels;
pub use mark::marks;
pub use observer::ShardObserver;
pub use options::StoreOptions;
pub use past::{Past, Step};
pub use recover::Resumed;
pub use watermark::{Watermark, WhenDurable};

use crate::disk::IoError;
use crate::disk::{Disk, FolderLock, failed};
use crate::journal::{self, Closed, Entry, Epoch, Header, Record, Stored, Terms, Writer};
use crate::score::PairEmbeddings;
use crate::source::Sample;
use claims::Claims;
use dropping::Lookout;
use folder::{refuse_shards, stats_name};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::Verdict;
use pairgate_core::pair::Position;
use pairgate_core::stats::Counts;
use recorder::{Layout, Recorder};
use room::Room;
use shards::Shards;

/// Writes kept pairs to shards and every decision to the journal beside them.
#[derive(Debug)]
pub struct StoreSink {
    disk: Disk,
    folder: PathBuf,
    config: StorageConfig,
    stores: bool,
    /// Whether all kept pairs go into one shard.
    one_shard: bool,
    annotate: bool,
    /// The threshold that is told where none moves.
    threshold: Option<f32>,
    shards: Shards,
    /// When the open shard's share of the input begins.
    share_start: SystemTime,
    /// Where the open shard begins in the journal, where that is known.
    shard_begin: Option<ShardBegin>,
    journal: Writer,
    ledger: Ledger,
    /// Where embeddings go, if anywhere.
    recorder: Option<Recorder>,
    /// Samples that an earlier run stored and whose records are lost.
    claims: Claims,
    unsynced: Unsynced,
    durable: u64,
    /// Finished shards that may go.
    room: Arc<Room>,
    /// Shards that are finished, and of which the journal's entry is not on disk: they may not go yet.
    unlisted: Vec<(u32, Duration, u64)>,
    lookout: Lookout,
    levels: Levels,
    /// Pairs that went with their shards in this run.
    dropped: u64,
    observer: Option<Box<dyn ShardObserver>>,
    failed: bool,
    _lock: FolderLock,
}

/// Where a shard's first record is in the journal: a segment, an offset there, and the threshold that
/// decides there where none moves.
type ShardBegin = (PathBuf, u64, Option<f32>);

/// What was accepted since shard and journal were last brought to disk.
#[derive(Debug, Clone, Copy, Default)]
struct Unsynced {
    kept: Counts,
    /// When the first of it came, by the disk's clock; `None` where there is nothing.
    since: Option<Duration>,
}

impl StoreSink {
    /// A sink into `folder`, which [`OutputFolder`] has prepared.
    ///
    /// # Errors
    /// [`IoError::Write`] if there are shards or a journal in it, another process writes to it, or it
    /// cannot be written.
    pub fn create(disk: &Disk, folder: &Path, options: StoreOptions) -> Result<Self, IoError> {
        let lock = options.lock.map_or_else(|| FolderLock::take(folder), Ok)?;
        refuse_shards(folder)?;
        // Whoever made the folder may not have brought its name to disk.
        disk.sync_name(folder)?;
        let room = Room::new(disk, folder);
        let disk = &dropping::disk_with(disk, &room, &options.config);
        let (ledger, threshold) = (Ledger::default(), options.header.terms.threshold);
        let checkpoint = Checkpoint::new(&ledger, Vec::new());
        let path = folder.join(journal::FOLDER);
        let journal = Writer::begin(disk, &path, 0, options.header, &checkpoint)?;
        let shards = Shards::new(disk, folder, options.config.shard_pairs, 0);
        let recorder = options.recording.map(|recording| {
            let layout = Layout::of(&recording, options.one_shard);
            let mut recorder = Recorder::new(disk, folder, recording, options.recorded, layout)?;
            recorder.begin(0)?;
            Ok::<_, IoError>(recorder)
        });
        Ok(Self {
            disk: disk.clone(),
            folder: folder.to_owned(),
            config: options.config,
            stores: options.stores,
            one_shard: options.one_shard,
            annotate: options.annotate,
            threshold,
            shards,
            share_start: disk.now(),
            shard_begin: None,
            journal,
            ledger,
            recorder: recorder.transpose()?,
            claims: Claims::none(folder),
            unsynced: Unsynced::default(),
            durable: 0,
            room,
            unlisted: Vec::new(),
            lookout: Lookout::default(),
            levels: Levels::default(),
            dropped: 0,
            observer: options.observer,
            failed: false,
            _lock: lock,
        })
    }

    /// Goes on in a folder where a run has ended, or was killed; a new or empty folder is begun. The
    /// observer is told of pairs in an unfinished shard too.
    ///
    /// # Errors
    /// [`IoError::Write`] if another process writes to it, if its run had other inputs, another model
    /// or config, if there are shards without a journal, or if the system refuses;
    /// [`IoError::Read`] if the journal cannot be read.
    pub fn go_on(
        disk: &Disk,
        folder: &Path,
        mut options: StoreOptions,
    ) -> Result<(Self, Resumed), IoError> {
        disk.create_folder(folder)?;
        options.lock = Some(options.lock.map_or_else(|| FolderLock::take(folder), Ok)?);
        if !OutputFolder::is_begun(folder)? {
            refuse_shards(folder)?;
            return Ok((Self::create(disk, folder, options)?, Resumed::default()));
        }
        let (mut sink, resumed) = recover::recover(disk, folder, options)?;
        sink.drop_what_is_due()?;
        Ok((sink, resumed))
    }

    /// The same with journal segments of at most so many bytes, for tests of what spans several.
    pub fn with_segment_bytes(mut self, bytes: u64) -> Self {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_segment_bytes(bytes);
        }
        Self { journal: self.journal.with_segment_bytes(bytes), ..self }
    }

    /// What the folder has come to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How full the folder is, at any time while the run goes on.
    pub fn levels(&self) -> Levels {
        self.levels.clone()
    }

    /// Takes a pair whose decision waited in a spool: `record` is what it was noted as there, and is noted
    /// here but for its ticket; `place` is its place in the spool.
    ///
    /// # Errors
    /// As [`accept`](Sink::accept).
    pub(crate) fn accept_spooled(
        &mut self,
        judged: &Judged,
        record: Record,
        place: Option<Position>,
    ) -> Result<(), IoError> {
        let record = Record { ticket: judged.ticket, spooled: place, stored: None, ..record };
        self.guarded(|sink| sink.take(judged, record))
    }

    fn take(&mut self, judged: &Judged, mut record: Record) -> Result<(), IoError> {
        self.close_old()?;
        self.turn_embeddings()?;
        let kept = judged.decision.verdict == Verdict::Kept;
        let embeddings = self.recorder.as_mut().map(|recorder| recorder.embeddings_of(judged));
        let embeddings = embeddings.transpose()?.flatten();
        if kept && self.stores && !judged.sample.members.is_empty() {
            record.stored = Some(match self.claims.take(&judged.uid) {
                Some(stored) => stored,
                None => self.store(judged, embeddings.as_deref())?,
            });
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.add_any(judged, embeddings.as_deref())?;
        }
        self.enter(&Entry::Record(Box::new(record)))?;
        self.unsynced.since.get_or_insert_with(|| self.disk.elapsed());
        let before = self.unsynced.kept;
        if kept {
            self.unsynced.kept.add(&judged.decision);
        }
        // A pair that is refused is not one that was accepted and is lost.
        self.sync_due().inspect_err(|_| self.unsynced.kept = before)
    }

    /// Writes a sample to the open shard, or to the next one where that is full: a full shard is
    /// closed here and not when it became full, so that pairs rejected behind its last sample are in
    /// its statistics.
    fn store(
        &mut self,
        judged: &Judged,
        embeddings: Option<&PairEmbeddings>,
    ) -> Result<Stored, IoError> {
        if self.shards.is_full() && self.one_shard {
            let most = self.config.shard_pairs;
            let why = format!("more than {most} kept pairs are too many for one shard");
            return Err(failed(&self.shards.path())(io::Error::other(why)));
        }
        if self.shards.is_full() || self.is_share_of_bound() {
            self.close_shard()?;
        }
        let annotated =
            self.annotate.then(|| annotate::annotated(judged, self.threshold)).flatten();
        let files = files(&judged.sample, annotated.as_deref());
        self.make_room(dropping::tar_bytes(&judged.sample.key, &files))?;
        if !self.shards.is_open() {
            let (segment, offset) = self.journal.position();
            self.shard_begin = Some((segment.to_owned(), offset, self.threshold));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.begin_shard(&self.shards.path(), judged.ticket)?;
        }
        let key = self.shards.append(&judged.sample.key, &files)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.add_stored(judged, embeddings)?;
        }
        if let Some(observer) = &mut self.observer {
            observer.stored(judged, &self.shards.path(), &key);
        }
        let check = scan::check(files.iter().map(|(_, data)| *data), judged.sample.image());
        Ok(Stored { shard: self.shards.number(), key, check: Some(check) })
    }

    /// Brings shard and journal to disk where their count or their time asks for it.
    fn sync_due(&mut self) -> Result<(), IoError> {
        self.tell_of_marks()?;
        let Some(since) = self.unsynced.since else { return Ok(()) };
        let StorageConfig { sync_pairs, sync_ms, .. } = self.config;
        let waited = self.disk.elapsed().saturating_sub(since);
        let many = sync_pairs > 0 && self.unsynced.kept.decided() >= sync_pairs;
        if many || (sync_ms > 0 && waited >= Duration::from_millis(sync_ms)) {
            return self.sync_all();
        }
        Ok(())
    }

    /// Publishes the open shard when it is old enough.
    fn close_old(&mut self) -> Result<(), IoError> {
        let limit = Duration::from_millis(self.config.shard_age_ms);
        if limit.is_zero() || self.shards.age().is_none_or(|age| age < limit) {
            return Ok(());
        }
        self.close_shard()
    }

    /// The samples first, and their embeddings: a record on disk then has both there.
    fn sync_all(&mut self) -> Result<(), IoError> {
        self.shards.sync()?;
        if let Some(recorder) = &mut self.recorder {
            recorder.sync()?;
        }
        self.journal.sync()?;
        self.unsynced = Unsynced::default();
        self.durable = self.ledger.next_ticket;
        let mut closed = std::mem::take(&mut self.unlisted).into_iter();
        closed.try_for_each(|(shard, elapsed, _)| self.room.list_closed(shard, elapsed))?;
        self.levels.set(self.bytes(), self.ledger.gone);
        Ok(())
    }

    fn close_shard(&mut self) -> Result<(), IoError> {
        if !self.shards.is_open() {
            return Ok(());
        }
        self.sync_all()?;
        let (path, bytes) = (self.shards.path(), self.shards.bytes());
        if let Some(recorder) = &mut self.recorder {
            recorder.publish_shard(&path, self.shards.samples())?;
        }
        let Some((shard, samples)) = self.shards.close()? else { return Ok(()) };
        if let Some(recorder) = &self.recorder {
            recorder.forget_shard(&path)?;
        }
        if let Some(observer) = &mut self.observer {
            observer.published(&path);
        }
        self.journal_closed(shard, samples)?;
        self.unlisted.push((shard, self.disk.elapsed(), bytes + dropping::TAR_END));
        self.drop_aged()
    }

    /// Writes what follows a shard that has its name.
    fn journal_closed(&mut self, shard: u32, samples: u64) -> Result<(), IoError> {
        let (start, end) = (self.share_start, self.disk.now());
        let stats = self.folder.join(stats_name(shard));
        self.write_table(shard)?;
        self.ledger.share.write(&self.disk, &stats, start, end)?;
        self.share_start = end;
        self.enter(&Entry::Closed(Closed { shard, samples }))
    }

    /// Writes the table beside a shard, which is before the statistics: those say that the shard is
    /// complete.
    #[cfg(feature = "parquet")]
    fn write_table(&mut self, shard: u32) -> Result<(), IoError> {
        let terms = &self.journal.header().terms;
        table::write(&self.disk, &self.folder, shard, self.shard_begin.take().as_ref(), terms)
    }

    #[cfg(not(feature = "parquet"))]
    fn write_table(&mut self, _: u32) -> Result<(), IoError> {
        self.shard_begin = None;
        Ok(())
    }

    /// Bytes of memory that recorded embeddings take beside that.
    pub const EMBEDDINGS_MEMORY: u64 = recorder::MEMORY;

    /// Bytes of memory that a sink with this config takes at worst, beside its buffers: the keys of
    /// the open shard, and a table.
    pub fn memory(config: &StorageConfig) -> u64 {
        #[cfg(feature = "parquet")]
        let table = table::MEMORY;
        #[cfg(not(feature = "parquet"))]
        let table = 0;
        ShardKeys::memory(config.shard_pairs) + table
    }

    /// Records the samples that an earlier run stored and that nobody has claimed.
    fn settle_claims(&mut self) -> Result<(), IoError> {
        if !self.claims.is_written() {
            return Ok(());
        }
        for claim in self.claims.drain() {
            self.record_found(claim.record(self.ledger.next_ticket))?;
        }
        // The list goes when the records are on disk that make it needless.
        self.sync_all()?;
        self.claims.forget(&self.disk)
    }

    /// Records a sample that was found stored without a record.
    fn record_found(&mut self, record: Record) -> Result<(), IoError> {
        self.enter(&Entry::Record(Box::new(record)))
    }

    /// Writes an entry to the journal, and takes it into account.
    fn enter(&mut self, entry: &Entry) -> Result<(), IoError> {
        self.journal.append(entry)?;
        self.ledger.take(entry);
        Ok(())
    }

    /// What was decided before is on disk before the epoch is written, so that a power cut never leaves
    /// an epoch behind decisions that are lost; the epoch is at once, so that a restart knows who decides.
    fn begin_epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        self.sync_all()?;
        self.threshold = terms.threshold;
        if let Some(observer) = &mut self.observer {
            observer.epoch(terms);
        }
        let mut terms = terms.clone();
        terms.settings.extend(self.recorder.as_ref().map(Recorder::setting));
        self.enter(&Entry::Epoch(Box::new(Epoch { terms, first_ticket })))?;
        self.sync_all()
    }

    fn end(&mut self, end: RunEnd) -> Result<(), IoError> {
        if end == RunEnd::Complete {
            self.settle_claims()?;
            if self.one_shard && self.stores {
                self.shards.open()?;
            }
            self.close_shard()?;
            self.finish_embeddings()?;
            self.enter(&Entry::End)?;
        }
        self.sync_all()?;
        self.tell_of_marks()
    }

    /// Runs one step, none of them after a failed one: a failed write or sync is final.
    fn guarded(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), IoError>,
    ) -> Result<(), IoError> {
        if self.failed {
            let why = std::io::Error::other("an earlier write failed");
            return Err(failed(&self.folder)(why));
        }
        let result = step(self).map_err(dropping::advised);
        self.failed = result.is_err();
        result
    }
}

impl Sink for StoreSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.guarded(|sink| sink.take(judged, record_of(judged)))
    }

    fn wants_checkpoint(&self) -> bool {
        self.journal.is_full()
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        self.guarded(|sink| {
            // Records of the segment are on disk, and their samples, before another one begins.
            sink.sync_all()?;
            let first_ticket = sink.ledger.next_ticket;
            let header = Header { first_ticket, ..sink.journal.header().clone() };
            sink.journal.turn(header, &Checkpoint::new(&sink.ledger, decider.to_vec()))
        })
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        self.guarded(|sink| sink.begin_epoch(terms, first_ticket))
    }

    fn idle(&mut self) -> Result<(), IoError> {
        self.guarded(|sink| {
            sink.close_old()?;
            sink.sync_due()?;
            sink.drop_what_is_due()
        })
    }

    fn due_in(&self) -> Option<Duration> {
        let limit = Duration::from_millis(self.config.sync_ms);
        let since = self.unsynced.since.filter(|_| !limit.is_zero() && !self.failed)?;
        Some(limit.saturating_sub(self.disk.elapsed().saturating_sub(since)))
    }

    fn sync(&mut self) -> Result<(), IoError> {
        match self.unsynced.since {
            Some(_) => self.guarded(Self::sync_all),
            None => Ok(()),
        }
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        if self.failed {
            return Ok(());
        }
        self.guarded(|sink| sink.end(end))
    }

    fn durable(&self) -> Option<u64> {
        Some(self.durable)
    }

    fn lost(&self) -> Counts {
        self.unsynced.kept
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The record of a decided pair, which is not stored yet.
pub(crate) fn record_of(judged: &Judged) -> Record {
    let Judged {
        ticket,
        position,
        sample,
        uid,
        decision,
        broken,
        threshold,
        embeddings: _,
        choice,
        group,
    } = judged;
    Record {
        ticket: *ticket,
        uid: *uid,
        key: sample.key.clone(),
        shard: sample.shard.to_string(),
        position: *position,
        verdict: decision.verdict,
        reason: decision.reason,
        facts: decision.facts,
        image_bytes: sample.image().map_or(0, |image| image.len() as u64),
        broken: *broken,
        stored: None,
        threshold: *threshold,
        recovered: false,
        spooled: None,
        choice: choice.clone(),
        group: group.as_deref().map(str::to_owned),
    }
}

/// A sample's members, `json` in the place of its `.json` member.
fn files<'a>(sample: &'a Sample, json: Option<&'a [u8]>) -> Vec<shards::File<'a>> {
    let member =
        |member: &'a crate::source::Member| (member.extension.as_str(), member.data.as_slice());
    let mut files: Vec<shards::File<'a>> = sample.members.iter().map(member).collect();
    if let Some(json) = json {
        match files.iter_mut().find(|(extension, _)| *extension == "json") {
            Some(file) => file.1 = json,
            None => files.push(("json", json)),
        }
    }
    files
}
