//! Embeddings of the pairs that a sink takes, beside their shards or their journal.
//!
//! | what is asked | where | a row for |
//! |---|---|---|
//! | kept pairs | `00000.npz` beside `00000.tar` | each sample of the shard, in its order |
//! | all pairs | `embeddings/00000000.npz`, and so on | each scored pair, with its ticket |
//! | all pairs of one input | `00000.npz`, which gets the output's name | each record |
//!
//! Rows are brought to disk before the journal's records of their pairs, so that a record on disk has its
//! row there; an `.npz` has its name before its shard has one, and the rows that it was made of go after
//! that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::pair::Uid;

use super::folder::shard_name;
use super::options::setting_of;
use super::{Judged, StoreSink};
use crate::disk::{Disk, IoError, failed, partial_path};
use crate::embeddings::by_ticket::{FOLDER, segment_name};
use crate::embeddings::npz::{self, Select, beside};
use crate::embeddings::rows::{RowsWriter, waiting_path};
use crate::embeddings::{ByTicket, Covers, Recording};
use crate::score::PairEmbeddings;

/// Bytes of rows from which on a file beside the journal is closed, and the next begun.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes of memory that recording takes: buffers of the rows, of the file that is made of them, and of one
/// that is read.
pub(super) const MEMORY: u64 = 4 << 20;

/// Which pairs have rows, and in which files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Stored pairs, beside their shard.
    Shards,
    /// Every pair, in segments beside the journal.
    Segments,
    /// Every pair, in one file.
    Records,
}

impl Layout {
    pub fn of(recording: &Recording, one_shard: bool) -> Self {
        match (recording.covers, one_shard) {
            (Covers::Kept, _) => Self::Shards,
            (Covers::All, false) => Self::Segments,
            (Covers::All, true) => Self::Records,
        }
    }
}

/// Records embeddings.
#[derive(Debug)]
pub(super) struct Recorder {
    disk: Disk,
    folder: PathBuf,
    recording: Recording,
    layout: Layout,
    /// Where the embeddings of pairs come from that nobody embeds again.
    recorded: Option<ByTicket>,
    open: Option<OpenRows>,
    /// The number of the segment that is open, or is opened next.
    segment: u32,
    segment_bytes: u64,
}

/// The rows that are being written.
#[derive(Debug)]
struct OpenRows {
    /// The `.npz` that they will be.
    path: PathBuf,
    rows: RowsWriter,
    count: u64,
}

impl Recorder {
    /// A recorder into `folder`, which has begun nothing.
    pub fn new(
        disk: &Disk,
        folder: &Path,
        recording: Recording,
        recorded: Option<ByTicket>,
        layout: Layout,
    ) -> Result<Self, IoError> {
        npz::check_built(folder)?;
        let (disk, folder) = (disk.clone(), folder.to_owned());
        let (segment, segment_bytes) = (0, SEGMENT_BYTES);
        let open = None;
        Ok(Self { disk, folder, recording, layout, recorded, open, segment, segment_bytes })
    }

    /// Segments from so many bytes on are closed, for tests of what spans several.
    pub fn set_segment_bytes(&mut self, bytes: u64) {
        self.segment_bytes = bytes;
    }

    /// How the journal's settings tell of it.
    pub fn setting(&self) -> String {
        setting_of(&self.recording)
    }

    /// Begins what every record gets a row in; beside shards each shard begins its own.
    pub fn begin(&mut self, first_ticket: u64) -> Result<(), IoError> {
        match self.layout {
            Layout::Shards => Ok(()),
            Layout::Records => {
                self.begin_rows(beside(&self.folder.join(shard_name(0))), first_ticket)
            }
            Layout::Segments => {
                self.disk.create_folder(&self.folder.join(FOLDER))?;
                self.begin_rows(self.segment_path(self.segment), first_ticket)
            }
        }
    }

    /// Begins the rows of a shard, where they are not begun.
    pub fn begin_shard(&mut self, shard: &Path, first_ticket: u64) -> Result<(), IoError> {
        if self.layout != Layout::Shards || self.open.is_some() {
            return Ok(());
        }
        self.begin_rows(beside(shard), first_ticket)
    }

    fn begin_rows(&mut self, path: PathBuf, first_ticket: u64) -> Result<(), IoError> {
        let dimension = self.recording.dimension;
        let rows = RowsWriter::create(&self.disk, &path, dimension, first_ticket)?;
        self.open = Some(OpenRows { path, rows, count: 0 });
        Ok(())
    }

    /// Goes on with the rows of `path`, of which the first `count` stand; those of `missing` follow, which
    /// have lost theirs.
    pub fn go_on(&mut self, path: PathBuf, count: u64, missing: &[Uid]) -> Result<(), IoError> {
        let dimension = self.recording.dimension;
        let mut rows = match count {
            0 => RowsWriter::create(&self.disk, &path, dimension, 0)?,
            _ => RowsWriter::go_on(&self.disk, &path, dimension, count)?,
        };
        for uid in missing {
            rows.append(u64::MAX, *uid, None)?;
        }
        rows.sync()?;
        self.open = Some(OpenRows { path, rows, count: count + missing.len() as u64 });
        Ok(())
    }

    /// Goes on with segment `number`, of which the first `count` rows stand.
    pub fn go_on_segment(
        &mut self,
        number: u32,
        count: u64,
        first_ticket: u64,
    ) -> Result<(), IoError> {
        self.segment = number;
        if count == 0 {
            return self.begin(first_ticket);
        }
        self.go_on(self.segment_path(number), count, &[])
    }

    /// The embeddings of a pair, its own or recorded ones.
    pub fn embeddings_of(
        &mut self,
        judged: &Judged,
    ) -> Result<Option<Arc<PairEmbeddings>>, IoError> {
        match (&judged.embeddings, &mut self.recorded) {
            (Some(found), _) => Ok(Some(found.clone())),
            (None, Some(recorded)) => recorded.of(judged.ticket),
            (None, None) => Ok(None),
        }
    }

    /// Takes a pair that is stored now.
    pub fn add_stored(
        &mut self,
        judged: &Judged,
        embeddings: Option<&PairEmbeddings>,
    ) -> Result<(), IoError> {
        if self.layout == Layout::Shards { self.add(judged, embeddings) } else { Ok(()) }
    }

    /// Takes a pair, whatever became of it.
    pub fn add_any(
        &mut self,
        judged: &Judged,
        embeddings: Option<&PairEmbeddings>,
    ) -> Result<(), IoError> {
        if self.layout == Layout::Shards { Ok(()) } else { self.add(judged, embeddings) }
    }

    fn add(&mut self, judged: &Judged, embeddings: Option<&PairEmbeddings>) -> Result<(), IoError> {
        let closed = || failed(&self.folder)(std::io::Error::other("no rows are open"));
        let open = self.open.as_mut().ok_or_else(closed)?;
        open.rows.append(judged.ticket, judged.uid, embeddings)?;
        open.count += 1;
        Ok(())
    }

    /// Brings all rows to disk.
    pub fn sync(&mut self) -> Result<(), IoError> {
        self.open.as_mut().map_or(Ok(()), |open| open.rows.sync())
    }

    /// Whether the open segment is full.
    pub fn is_full(&self) -> bool {
        let is_segment = self.layout == Layout::Segments;
        is_segment && self.open.as_ref().is_some_and(|open| open.rows.bytes() >= self.segment_bytes)
    }

    /// Closes the open segment, all of whose records are on disk, and begins the next. The next one's rows
    /// are there before the last one's go, so that there is always a file that tells up to which ticket
    /// rows have come.
    pub fn turn(&mut self, first_ticket: u64) -> Result<(), IoError> {
        let full = self.open.take();
        self.segment += 1;
        self.begin(first_ticket)?;
        full.map_or(Ok(()), |full| self.close(full, Select::WithTickets))
    }

    /// Publishes the `.npz` of a shard that is about to get its name.
    pub fn publish_shard(&mut self, shard: &Path, samples: u64) -> Result<(), IoError> {
        if self.layout != Layout::Shards {
            return Ok(());
        }
        self.begin_shard(shard, 0)?;
        self.open = None;
        npz::publish(&self.disk, &beside(shard), &self.recording, Select::Every(samples))
    }

    /// Removes the rows of a shard that has its name.
    pub fn forget_shard(&self, shard: &Path) -> Result<(), IoError> {
        match self.layout {
            Layout::Shards => self.forget(&beside(shard)),
            _ => Ok(()),
        }
    }

    /// Publishes what every record has a row in, when all are on disk.
    pub fn finish(&mut self) -> Result<(), IoError> {
        match (self.layout, self.open.take()) {
            (Layout::Shards, open) => {
                self.open = open;
                Ok(())
            }
            (_, None) => Ok(()),
            (Layout::Segments, Some(open)) => {
                self.segment += 1;
                self.close(open, Select::WithTickets)
            }
            (Layout::Records, Some(open)) => {
                let every = Select::Every(open.count);
                self.close(open, every)
            }
        }
    }

    /// One that would be empty is not made: there is nothing to find in it.
    fn close(&self, open: OpenRows, select: Select) -> Result<(), IoError> {
        let OpenRows { path, rows, count } = open;
        drop(rows);
        if count > 0 || select != Select::WithTickets {
            npz::publish(&self.disk, &path, &self.recording, select)?;
        }
        self.forget(&path)
    }

    /// Makes an `.npz` of rows that a killed run has left, and removes them.
    pub fn publish_left(&self, path: &Path, select: Select) -> Result<(), IoError> {
        npz::publish(&self.disk, path, &self.recording, select)?;
        self.forget(path)
    }

    /// Removes the rows that an `.npz` was made of.
    pub fn forget(&self, path: &Path) -> Result<(), IoError> {
        let rows = waiting_path(path);
        self.disk.remove_if_there(&partial_path(&rows).map_err(failed(&rows))?)
    }

    /// The path of a segment.
    pub fn segment_path(&self, number: u32) -> PathBuf {
        self.folder.join(FOLDER).join(segment_name(number))
    }
}

impl StoreSink {
    /// Closes what embeddings beside the journal go to, where it is full.
    pub(super) fn turn_embeddings(&mut self) -> Result<(), IoError> {
        if !self.recorder.as_ref().is_some_and(Recorder::is_full) {
            return Ok(());
        }
        self.sync_all()?;
        let next_ticket = self.ledger.next_ticket;
        self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.turn(next_ticket))
    }

    /// Publishes the embeddings beside the journal, before that says that the run is complete: nobody goes
    /// on with what is.
    pub(super) fn finish_embeddings(&mut self) -> Result<(), IoError> {
        if self.recorder.is_none() {
            return Ok(());
        }
        self.sync_all()?;
        self.recorder.as_mut().map_or(Ok(()), Recorder::finish)
    }
}
