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

mod consume;
mod decided;
mod fill;
pub mod frame;
mod ledger;
mod options;
pub mod outbox;
mod pair;
mod recover;
mod segment;
mod source;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::{Disk, FileHandle, FolderLock, IoError, Open, failed};
use frame::{Header, MAX_PAYLOAD};
use ledger::Ledger;
use segment::{Segment, SegmentReader, segment_path};

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
    /// Below this one, what damage took is counted.
    seen: u64,
    /// Whether the pair that was read last had been read before.
    is_again: bool,
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

    /// Reads on from `sequence`, or from the first pair that is not acknowledged: what was read behind it
    /// comes again.
    pub fn read_again_from(&mut self, sequence: u64) {
        self.reader = None;
        self.read = sequence.clamp(self.acknowledged, self.next);
    }

    /// Says which pair the consumer reads next: all below it are done with, by its own records. Called
    /// once, before anything else; without it, what the ledger says is taken.
    pub fn go_on_from(&mut self, next: u64) {
        self.acknowledged = next;
        (self.read, self.seen, self.next) = (next, next, self.next.max(next));
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

    /// Whether frames of so many bytes together would find room, by the spool's bound.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn has_room(&mut self, bytes: u64) -> Result<bool, IoError> {
        let fits = |spool: &Self| spool.bytes().saturating_add(bytes) <= spool.options.max_bytes;
        if !fits(self) {
            self.refuse_failed()?;
            self.retire_if_done()?;
        }
        Ok(fits(self))
    }

    /// Time until [`sync_due`](Self::sync_due) has something to do, where something waits for it.
    pub fn due_in(&self) -> Option<Duration> {
        let since = self.unsynced_since.filter(|_| !self.failed)?;
        match self.options.sync {
            SyncPolicy::Always => Some(Duration::ZERO),
            SyncPolicy::Interval(most) => {
                Some(most.saturating_sub(self.disk.elapsed().saturating_sub(since)))
            }
        }
    }

    /// The next pair of those that are on disk: see [`next_pair`](Self::next_pair).
    ///
    /// # Errors
    /// As [`next_pair`](Self::next_pair).
    pub fn next_durable(&mut self) -> Result<Option<(u64, Vec<u8>)>, IoError> {
        if self.read < self.durable { self.next_pair() } else { Ok(None) }
    }

    /// All pairs below this sequence number are done with.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
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
