//! Finished shards of earlier runs, and those whose removal was begun.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::StoreSink;
use super::super::folder::published;
use super::super::ledger::Checkpoint;
use super::super::mark::marks;
use super::super::room::Room;
use crate::disk::{Disk, IoError, failed};
use crate::journal::{Dropped, number_of};

/// What was found.
pub(super) struct Earlier {
    /// Finished shards that may go.
    shards: Vec<u32>,
    marks: Vec<Dropped>,
}

impl Earlier {
    pub fn look(folder: &Path, parts: &[PathBuf]) -> Result<Self, IoError> {
        let mut shards = published(folder).map_err(failed(folder))?;
        let first = first_of_this_format(parts);
        shards.retain(|shard| *shard >= first);
        Ok(Self { shards, marks: marks(folder).map_err(failed(folder))? })
    }

    /// Lists all but the last one, which the journal may not tell of yet.
    pub fn room(&self, disk: &Disk, folder: &Path) -> Result<Arc<Room>, IoError> {
        let room = Room::new(disk, folder);
        let (_, told) = self.shards.split_last().unwrap_or((&0, &[]));
        room.list_earlier(told)?;
        Ok(room)
    }

    /// Lists the last one too, and finishes removals that were begun.
    pub fn settle(self, sink: &mut StoreSink) -> Result<(), IoError> {
        sink.room.list_earlier(self.shards.last().map(std::slice::from_ref).unwrap_or_default())?;
        self.marks.into_iter().for_each(|dropped| sink.room.add_mark(dropped));
        sink.remove_leavings()?;
        sink.tell_of_marks()
    }
}

/// The first shard whose pairs have records of this format: those before do not tell where they are
/// stored, so that a gap would put them in other shards.
fn first_of_this_format(parts: &[PathBuf]) -> u32 {
    match parts.first() {
        Some(first) if number_of(first).is_none() => {
            let checkpoint = parts.get(1).and_then(|part| Checkpoint::beside(part));
            checkpoint.map_or(u32::MAX, |checkpoint| checkpoint.ledger().shards_end())
        }
        _ => 0,
    }
}
