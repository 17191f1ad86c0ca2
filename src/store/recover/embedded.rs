//! The rows of embeddings that a killed run has left: which pairs have theirs, and going on behind them.

use std::path::{Path, PathBuf};

use pairgate_core::pair::Uid;

use super::super::StoreOptions;
use super::super::folder::{shard_name, waiting_rows};
use super::super::recorder::{Layout, Recorder};
use super::walk::Walk;
use crate::disk::{Disk, IoError, failed};
use crate::embeddings::by_ticket::{FOLDER, number_of, segments};
use crate::embeddings::npz::{Select, beside};
use crate::embeddings::rows::{RowsReader, Slot};

/// Which pairs must have a row for their record to stand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// Stored pairs must have one beside their shard.
    pub stored: bool,
    /// Pairs with this ticket and later ones have none beside the journal.
    pub end: Option<u64>,
}

/// What is left of recorded embeddings.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub wanted: Wanted,
    /// The rows beside the journal that were being written.
    open: Option<OpenSegment>,
    /// Segments whose rows are all there, and whose `.npz` is perhaps not.
    full: Vec<u32>,
    /// The number behind those of all segments.
    next: u32,
}

#[derive(Debug)]
struct OpenSegment {
    number: u32,
    first_ticket: u64,
}

impl Left {
    /// Looks at what is left in `folder`. Where no pair comes again, none is given up for its row.
    pub fn look(folder: &Path, options: &StoreOptions) -> Result<Self, IoError> {
        let Some(recording) = &options.recording else { return Ok(Self::default()) };
        let mut left = match Layout::of(recording, options.one_shard) {
            Layout::Shards => {
                Self { wanted: Wanted { stored: true, end: None }, ..Self::default() }
            }
            _ => Self::segments(folder)?,
        };
        if !options.again {
            left.wanted = Wanted::default();
        }
        Ok(left)
    }

    fn segments(folder: &Path) -> Result<Self, IoError> {
        let folder = folder.join(FOLDER);
        let whole = segments(&folder)?;
        let next = whole.last().and_then(|path| number_of(path)).map_or(0, |last| last + 1);
        let mut left = Self { next, ..Self::default() };
        for number in segments_waiting(&folder)? {
            let path = folder.join(crate::embeddings::by_ticket::segment_name(number));
            let Some(mut rows) = RowsReader::open(&path)? else { continue };
            if whole.contains(&path) {
                left.full.push(number);
                continue;
            }
            if let Some(earlier) = left.open.take() {
                left.full.push(earlier.number);
            }
            let first_ticket = rows.first_ticket();
            let mut end = first_ticket;
            while let Some(Slot::Whole(row)) = rows.next()? {
                end = row.ticket + 1;
            }
            left.wanted.end = Some(end);
            left.open = Some(OpenSegment { number, first_ticket });
        }
        Ok(left)
    }

    /// The recorder that goes on where the journal stands.
    pub fn recorder(
        self,
        disk: &Disk,
        folder: &Path,
        options: &mut StoreOptions,
        walk: &mut Walk,
    ) -> Result<Option<Recorder>, IoError> {
        let Some(recording) = options.recording.take() else { return Ok(None) };
        let layout = Layout::of(&recording, options.one_shard);
        let recorded = options.recorded.take();
        let mut recorder = Recorder::new(disk, folder, recording, recorded, layout)?;
        match layout {
            Layout::Shards => go_on_shard(folder, &mut recorder, walk)?,
            _ => self.go_on_segment(&mut recorder, walk.ledger.next_ticket)?,
        }
        Ok(Some(recorder))
    }

    fn go_on_segment(self, recorder: &mut Recorder, next_ticket: u64) -> Result<(), IoError> {
        for number in self.full {
            let path = recorder.segment_path(number);
            if path.is_file() {
                recorder.forget(&path)?;
            } else {
                recorder.publish_left(&path, Select::WithTickets)?;
            }
        }
        let Some(OpenSegment { number, first_ticket }) = self.open else {
            return recorder.go_on_segment(self.next, 0, next_ticket);
        };
        let mut stands = 0;
        if let Some(mut rows) = RowsReader::open(&recorder.segment_path(number))? {
            while let Some(Slot::Whole(row)) = rows.next()?
                && row.ticket < next_ticket
            {
                stands += 1;
            }
        }
        recorder.go_on_segment(number, stands, first_ticket.min(next_ticket))
    }
}

/// Numbers of the segments whose rows are there, ascending.
fn segments_waiting(folder: &Path) -> Result<Vec<u32>, IoError> {
    let unread = |why| IoError::Read { from: folder.display().to_string(), why };
    let entries = match std::fs::read_dir(folder) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unread)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(unread)?;
    paths.retain(|path| path.to_string_lossy().ends_with(".embeddings.partial"));
    let mut numbers: Vec<u32> = paths.iter().filter_map(|path| number_of(path)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Goes on behind the rows of the samples that stand in the open shard, and removes those of shards that
/// have their name.
fn go_on_shard(folder: &Path, recorder: &mut Recorder, walk: &mut Walk) -> Result<(), IoError> {
    let open = walk.open.as_ref().map(|open| open.number);
    for number in waiting_rows(folder).map_err(failed(folder))? {
        let shard = folder.join(shard_name(number));
        if Some(number) != open && shard.is_file() {
            recorder.forget(&beside(&shard))?;
        }
    }
    if let Some(open) = &mut walk.open {
        let stands = open.count.min(open.rows.slots);
        let missing = std::mem::take(&mut open.rows.missing);
        let missing = &missing[..((open.count - stands) as usize).min(missing.len())];
        recorder.go_on(beside(&open.path), stands, missing)?;
    }
    Ok(())
}

/// The rows beside the open shard, read along with its samples.
#[derive(Debug, Default)]
pub(super) struct ShardRows {
    reader: Option<RowsReader>,
    /// Whether a sample must have its row.
    is_wanted: bool,
    /// Rows that were read, damaged ones among them.
    pub slots: u64,
    /// Samples that were read behind the last row.
    pub missing: Vec<Uid>,
}

impl ShardRows {
    pub fn open(shard: &Path, wanted: Wanted, is_recorded: bool) -> Result<Self, IoError> {
        let reader = if is_recorded { RowsReader::open(&beside(shard))? } else { None };
        Ok(Self { reader, is_wanted: wanted.stored, ..Self::default() })
    }

    /// Reads the row of the next sample: whether that is there, or need not be.
    pub fn next_is_of(&mut self, uid: Uid) -> Result<bool, IoError> {
        let slot = match &mut self.reader {
            Some(reader) => reader.next()?,
            None => None,
        };
        let is_its = match slot {
            Some(slot) => {
                self.slots += 1;
                matches!(slot, Slot::Whole(row) if row.uid == uid)
            }
            None => {
                self.reader = None;
                self.missing.push(uid);
                false
            }
        };
        Ok(is_its || !self.is_wanted)
    }
}
