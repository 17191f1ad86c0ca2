//! Pairs that wait on disk: between a camera and the gate, and between the gate and an output that is
//! away. What is in it survives the plug being pulled.
//!
//! ```text
//! push -> [segment][segment][segment] -> next
//!          ^ acknowledged: removed        ^ read in order
//! ```
//! - A spool is a folder of segments; a segment is a file of [frames](frame), each of which says what
//!   it is, its place, and has checksums. Nothing else is needed to read it: the ledger beside them is
//!   a hint.
//! - [`push`](Spool::push) gives a pair its sequence number. [`durable`](Spool::durable) says up to which
//!   one everything is on disk; whoever handed a pair in is answered when it passes the pair's.
//! - Pairs are read in order. The consumer [acknowledges](Spool::acknowledge) them when what it made of
//!   them is durable; segments of which every pair is acknowledged are removed. After a restart the
//!   consumer says where it goes on ([`Spool::go_on_from`]): its own records know it, no file here does.
//! - Damage costs the frame that it is in: reading goes on at the next whole one, what is lost is
//!   counted, and the segment is set aside, not removed, when the rest of it is done.
//! - All of it together is never larger than its bound. A full spool is an answer, no error.

mod decided;
mod fill;
pub mod frame;
mod ledger;
mod options;
mod pair;
mod recover;
mod segment;
mod source;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::{Disk, FileHandle, FolderLock, IoError, Open, failed, set_aside};
use frame::{Header, MAX_PAYLOAD};
use ledger::Ledger;
use segment::{Item, Segment, SegmentReader, segment_path};

pub use decided::decided;
pub use fill::{Filler, WhenFull};
pub use options::{SpoolOptions, SyncPolicy};
pub use pair::{read_pair, write_pair};
pub use source::{SharedSpool, SpoolSource};

/// What became of a pair that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Push {
    /// It has this sequence number, and is durable when [`Spool::durable`] passes it.
    Taken(u64),
    /// There is no room, by the spool's bound or on the disk; it was not taken.
    Full,
    /// It is larger than the spool, or than any frame; it can never be taken.
    TooLarge,
}

/// What did not reach the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Pairs that damage took, as far as their number can be told.
    pub damaged: u64,
    /// Pairs that were dropped to make room.
    pub dropped: u64,
}

/// A folder of pairs that wait. One process at a time has it.
#[derive(Debug)]
pub struct Spool {
    disk: Disk,
    folder: PathBuf,
    options: SpoolOptions,
    id: u32,
    /// Oldest first. The last one is being written where `writer` is there.
    segments: VecDeque<Segment>,
    writer: Option<Box<dyn FileHandle>>,
    reader: Option<SegmentReader>,
    /// Sequence number of the next pair that is handed in.
    next: u64,
    /// Sequence number from which pairs are read on.
    read: u64,
    acknowledged: u64,
    durable: u64,
    /// When the first pair came that is not on disk, by the disk's clock.
    unsynced_since: Option<Duration>,
    lost: Lost,
    frame: Vec<u8>,
    failed: bool,
    _lock: FolderLock,
}

impl Spool {
    /// Opens the spool in `folder`, which is made if it is not there, and finds what an earlier process
    /// left in it.
    ///
    /// # Errors
    /// [`IoError`] if another process has it, or the system refuses. Damage is none.
    pub fn open(disk: &Disk, folder: &Path, options: SpoolOptions) -> Result<Self, IoError> {
        recover::open(disk, folder, options)
    }

    /// A number that tells this spool from others, never 0: what a consumer records beside a sequence
    /// number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Says which pair the consumer reads next: all below it are done with, by its own records. Called
    /// once, before anything else; without it, what the ledger says is taken.
    pub fn go_on_from(&mut self, next: u64) {
        self.acknowledged = next;
        (self.read, self.next) = (next, self.next.max(next));
        self.durable = self.durable.max(next);
        self.remove_done();
    }

    /// Takes a pair's bytes, or says why not. Under [`SyncPolicy::Always`] it is durable when this
    /// returns.
    ///
    /// # Errors
    /// [`IoError::Write`] if the disk does not work: nothing is taken from then on.
    pub fn push(&mut self, payload: &[u8]) -> Result<Push, IoError> {
        self.refuse_failed()?;
        let bytes = (frame::HEADER_BYTES + payload.len()) as u64;
        if payload.len() > MAX_PAYLOAD || bytes > self.options.max_bytes {
            return Ok(Push::TooLarge);
        }
        if self.bytes() + bytes > self.options.max_bytes {
            self.retire_if_done()?;
            if self.bytes() + bytes > self.options.max_bytes {
                return Ok(Push::Full);
            }
        }
        let result = self.write(payload);
        self.failed |= result.is_err();
        result
    }

    fn write(&mut self, payload: &[u8]) -> Result<Push, IoError> {
        if self.segments.back().is_some_and(|last| last.bytes >= self.options.segment_bytes) {
            self.close_segment()?;
        }
        if self.writer.is_none() && !self.begin_segment()? {
            return Ok(Push::Full);
        }
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else {
            return Ok(Push::Full);
        };
        let sequence = self.next;
        frame::write(&mut self.frame, Header { spool: self.id, sequence }, payload);
        match writer.write_all(&self.frame) {
            Ok(()) => {}
            Err(why) if why.kind() == io::ErrorKind::StorageFull => {
                // Cut, so that the next frame does not stand behind half a one.
                writer.set_len(segment.bytes).map_err(failed(&segment.path))?;
                return Ok(Push::Full);
            }
            Err(why) => return Err(failed(&segment.path)(why)),
        }
        segment.bytes += self.frame.len() as u64;
        segment.next = sequence + 1;
        self.next = sequence + 1;
        let now = self.disk.elapsed();
        self.unsynced_since.get_or_insert(now);
        self.sync_where_due()?;
        Ok(Push::Taken(sequence))
    }

    /// Begins a segment; `false` where the disk is full.
    fn begin_segment(&mut self) -> Result<bool, IoError> {
        let path = segment_path(&self.folder, self.next);
        let writer = match self.disk.open(&path, Open::New) {
            Err(IoError::Write { why, .. }) if why.kind() == io::ErrorKind::StorageFull => {
                return Ok(false);
            }
            opened => opened?,
        };
        self.writer = Some(writer);
        self.segments.push_back(Segment::new(path, self.next));
        self.disk.sync_folder(&self.folder)?;
        Ok(true)
    }

    /// Brings the open segment to disk, and closes it.
    fn close_segment(&mut self) -> Result<(), IoError> {
        self.sync_all()?;
        self.writer = None;
        Ok(())
    }

    /// Closes the open segment where all in it is done with, so that it can be removed.
    fn retire_if_done(&mut self) -> Result<(), IoError> {
        if self.writer.is_some() && self.acknowledged >= self.next {
            let closed = self.close_segment();
            self.failed |= closed.is_err();
            closed?;
        }
        self.remove_done();
        Ok(())
    }

    /// Brings pairs to disk that have waited as long as they may. To be called now and then, also while
    /// no pair comes.
    ///
    /// # Errors
    /// [`IoError::Write`] if the disk does not work. A failed sync is final.
    pub fn sync_due(&mut self) -> Result<(), IoError> {
        self.refuse_failed()?;
        let synced = self.sync_where_due();
        self.failed |= synced.is_err();
        synced
    }

    fn sync_where_due(&mut self) -> Result<(), IoError> {
        let Some(since) = self.unsynced_since else { return Ok(()) };
        match self.options.sync {
            SyncPolicy::Interval(most) if self.disk.elapsed().saturating_sub(since) < most => {
                Ok(())
            }
            SyncPolicy::Always | SyncPolicy::Interval(_) => self.sync_all(),
        }
    }

    /// Brings all pairs to disk.
    ///
    /// # Errors
    /// As [`sync_due`](Self::sync_due).
    pub fn sync(&mut self) -> Result<(), IoError> {
        self.refuse_failed()?;
        let synced = self.sync_all();
        self.failed |= synced.is_err();
        synced
    }

    fn sync_all(&mut self) -> Result<(), IoError> {
        if let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back()) {
            writer.sync().map_err(failed(&segment.path))?;
        }
        self.unsynced_since = None;
        self.durable = self.next;
        Ok(())
    }

    /// All pairs below this sequence number are on disk, or done with.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The next pair that was not read: its sequence number and its bytes. `None` where there is none
    /// yet. A pair may be given before it is durable.
    ///
    /// # Errors
    /// [`IoError::Read`] if the system refuses. Damage is none.
    pub fn next_pair(&mut self) -> Result<Option<(u64, Vec<u8>)>, IoError> {
        while self.read < self.next {
            let Some(at) = self.segments.iter().position(|s| s.next > self.read) else {
                self.lose(self.next);
                return Ok(None);
            };
            let Some(reader) =
                self.reader.as_mut().filter(|r| r.first() == self.segments[at].first)
            else {
                self.reader = Some(SegmentReader::open(&self.segments[at], self.id)?);
                continue;
            };
            let (read, end) = (self.read, self.segments[at].bytes);
            match reader.next(read, end)? {
                Item::Frame { sequence, payload } => {
                    self.lose(sequence);
                    self.read = sequence + 1;
                    return Ok(Some((sequence, payload)));
                }
                Item::Damage => self.segments[at].is_damaged = true,
                Item::End => {
                    let next = self.segments[at].next;
                    self.lose(next);
                }
            }
        }
        Ok(None)
    }

    /// Counts the pairs below `sequence` that were not read: they are not there.
    fn lose(&mut self, sequence: u64) {
        let missing = sequence.saturating_sub(self.read);
        if missing > 0 {
            log::warn!("{}: {missing} pairs are damaged and lost", self.folder.display());
        }
        self.lost.damaged += missing;
        self.read = self.read.max(sequence);
    }

    /// Counts a pair whose frame is whole and whose bytes are none, and keeps its segment.
    fn spoil(&mut self, sequence: u64) {
        log::warn!("{}: pair {sequence} cannot be read and is lost", self.folder.display());
        self.lost.damaged += 1;
        let holder = self.segments.iter_mut().find(|segment| segment.next > sequence);
        if let Some(segment) = holder {
            segment.is_damaged = true;
        }
    }

    /// Says that all pairs below `next` are done with. Segments that hold no others go.
    pub fn acknowledge(&mut self, next: u64) {
        if next > self.acknowledged {
            self.acknowledged = next.min(self.next);
            self.remove_done();
        }
    }

    /// Removes segments in which nothing waits. What cannot be removed now is tried again later.
    fn remove_done(&mut self) {
        let before = self.segments.len();
        while let Some(first) = self.segments.front() {
            let is_open = self.segments.len() == 1 && self.writer.is_some();
            if first.next > self.acknowledged || is_open {
                break;
            }
            let gone = match first.is_damaged {
                true => set_aside(&self.disk, &first.path).map(|aside| {
                    log::warn!("what is damaged is kept as {}", aside.display());
                }),
                false => self.disk.remove_file(&first.path),
            };
            if let Err(error) = gone {
                // Names that come behind a sync that failed may never reach the disk.
                self.failed |= first.is_damaged;
                log::warn!("{error}");
                break;
            }
            self.segments.pop_front();
        }
        if self.segments.len() < before {
            self.write_ledger();
        }
    }

    /// Drops the oldest segment's pairs to make room; gives how many were not read.
    ///
    /// # Errors
    /// [`IoError::Write`] if the disk does not work.
    pub fn drop_oldest(&mut self) -> Result<u64, IoError> {
        self.refuse_failed()?;
        if self.segments.len() == 1 && self.writer.is_some() {
            let closed = self.close_segment();
            self.failed |= closed.is_err();
            closed?;
        }
        let Some(next) = self.segments.front().map(|first| first.next) else { return Ok(0) };
        let dropped = next.saturating_sub(self.read);
        self.lost.dropped += dropped;
        self.read = self.read.max(next);
        self.acknowledge(next);
        Ok(dropped)
    }

    /// A hint: nothing rests on it.
    fn write_ledger(&self) {
        let ledger = Ledger { id: self.id, next: self.next, acknowledged: self.acknowledged };
        if let Err(error) = ledger.write(&self.disk, &self.folder) {
            log::warn!("{error}");
        }
    }

    fn refuse_failed(&self) -> Result<(), IoError> {
        match self.failed {
            true => Err(failed(&self.folder)(io::Error::other("an earlier write failed"))),
            false => Ok(()),
        }
    }

    /// Bytes of its segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The most that [`bytes`](Self::bytes) may be.
    pub fn max_bytes(&self) -> u64 {
        self.options.max_bytes
    }

    /// Pairs that are not acknowledged, about: those that damage took are among them until they are
    /// come upon.
    pub fn waiting(&self) -> u64 {
        self.next - self.acknowledged
    }

    /// What did not reach the consumer.
    pub fn lost(&self) -> Lost {
        self.lost
    }
}
