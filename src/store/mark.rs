//! The mark of a shard that goes: the name that its file has until the journal tells that it is gone.
//!
//! A full disk leaves no room for a record, but a name can be changed: so that is what a removal begins
//! with, and whoever finds the mark finishes it. The name has all that the record needs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::journal::Dropped;

const ENDING: &str = ".dropped";

/// Path of the mark in `folder`: `.00000.10000.dropped`, the shard's number and its samples.
pub(super) fn mark_path(folder: &Path, dropped: Dropped) -> PathBuf {
    let Dropped { shard, samples } = dropped;
    folder.join(format!(".{shard:05}.{samples}{ENDING}"))
}

/// What the mark of this name says; `None` where it is none.
fn read(name: &str) -> Option<Dropped> {
    let (shard, samples) = name.strip_prefix('.')?.strip_suffix(ENDING)?.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let dropped = Dropped { shard: shard.parse().ok()?, samples: samples.parse().ok()? };
    (is_number(shard) && shard.len() >= 5 && is_number(samples)).then_some(dropped)
}

/// Whether the name is a mark's.
pub(super) fn is_mark(name: &str) -> bool {
    read(name).is_some()
}

/// Shards in `folder` whose removal was begun and is not finished, by their numbers: the next run does
/// that.
///
/// # Errors
/// The system's.
pub fn marks(folder: &Path) -> io::Result<Vec<Dropped>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(read));
    }
    found.sort_by_key(|dropped| dropped.shard);
    Ok(found)
}
