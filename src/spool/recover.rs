//! What an earlier process left in a spool's folder.

use std::collections::VecDeque;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ledger::Ledger;
use super::segment::{Item, Segment, SegmentReader, segments, spool_of};
use super::{Lost, Spool, SpoolOptions};
use crate::disk::{Disk, FolderLock, IoError, Open, failed, set_aside};

/// Opens the spool: see [`Spool::open`].
pub(super) fn open(disk: &Disk, folder: &Path, options: SpoolOptions) -> Result<Spool, IoError> {
    disk.create_folder(folder)?;
    let lock = FolderLock::take(folder)?;
    // Whoever made the folder may not have brought its name to disk.
    disk.sync_name(folder)?;
    let ledger = Ledger::read(folder);
    let found = segments(folder).map_err(failed(folder))?;
    let id = found.iter().rev().find_map(|(_, path)| spool_of(path));
    let id = id.or(ledger.map(|ledger| ledger.id)).unwrap_or_else(new_id);
    let mut kept = VecDeque::new();
    let last = found.len().saturating_sub(1);
    let oldest = found.first().map(|(first, _)| *first);
    for (number, (first, path)) in found.into_iter().enumerate() {
        let segment = look_at(first, path, id, number == last)?;
        match segment.next > segment.first {
            true => kept.push_back(segment),
            false => clear(disk, &segment)?,
        }
    }
    if let Some(last) = kept.back() {
        // Of the others that was seen to before the next one was begun. What the system knows of a
        // killed process may not be on disk.
        disk.open(&last.path, Open::Append)?.sync().map_err(failed(&last.path))?;
    }
    disk.sync_folder(folder)?;
    let behind = kept.back().map_or(0, |last: &Segment| last.next);
    let next = behind.max(ledger.filter(|ledger| ledger.id == id).map_or(0, |ledger| ledger.next));
    // Not the oldest that is kept: what damage has taken before it is to be counted.
    let first = oldest.unwrap_or(next).min(next);
    let acknowledged = ledger.filter(|ledger| ledger.id == id).map_or(0, |l| l.acknowledged);
    let acknowledged = acknowledged.clamp(first, next);
    Ok(Spool {
        disk: disk.clone(),
        folder: folder.to_owned(),
        options,
        id,
        segments: kept,
        writer: None,
        reader: None,
        next,
        read: acknowledged,
        seen: acknowledged,
        is_again: false,
        acknowledged,
        durable: next,
        unsynced_since: None,
        lost: Lost::default(),
        frame: Vec::new(),
        failed: false,
        _lock: lock,
    })
}

/// Sees up to which number a segment goes. In the last one, whose end may be half written, payloads are
/// looked at too; those of others when they are read.
fn look_at(first: u64, path: PathBuf, id: u32, is_last: bool) -> Result<Segment, IoError> {
    let bytes = fs::metadata(&path).map_err(|why| {
        let from = path.display().to_string();
        IoError::Read { from, why }
    })?;
    let mut segment = Segment { bytes: bytes.len(), ..Segment::new(path, first) };
    let mut reader = SegmentReader::open(&segment, id)?;
    let wanted = if is_last { 0 } else { u64::MAX };
    loop {
        match reader.next(wanted, segment.bytes)? {
            Item::Frame { .. } => {}
            Item::Damage => segment.is_damaged = true,
            Item::End => break,
        }
    }
    segment.next = reader.reached();
    // Zeros at a file's end are what the power leaves, but not where another file was begun behind it.
    segment.is_damaged |= segment.next == first && segment.bytes > 0 && !is_last;
    Ok(segment)
}

/// Takes away a segment in which there is no frame.
fn clear(disk: &Disk, segment: &Segment) -> Result<(), IoError> {
    if !segment.is_damaged {
        return disk.remove_file(&segment.path);
    }
    let aside = set_aside(disk, &segment.path)?;
    log::warn!("{}: there is no pair in it that is whole; it is kept", aside.display());
    Ok(())
}

/// The number of a new spool.
fn new_id() -> u32 {
    // Its keys are random.
    let hash = RandomState::new().hash_one((SystemTime::now(), std::process::id()));
    ((hash >> 32) as u32).max(1)
}
