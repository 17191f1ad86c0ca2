//! The shard that was being written, sample by sample.

use std::path::{Path, PathBuf};

use super::super::claims::Claim;
use super::super::folder::shard_name;
use super::super::keys::ShardKeys;
use super::super::scan::{Found, Samples};
use super::embedded::{ShardRows, Wanted};
use crate::disk::IoError;
use crate::disk::{failed, partial_path};

/// The shard that was being written.
pub(super) struct OpenScan {
    pub number: u32,
    pub path: PathBuf,
    pub samples: Samples,
    /// Recorded embeddings of the samples that were read.
    pub rows: ShardRows,
    /// The first sample that no record was held against yet, and whether its embeddings are there as they
    /// must be.
    pub ahead: Option<(Found, bool)>,
    pub keys: ShardKeys,
    /// Bytes and samples that stand.
    pub end: u64,
    pub count: u64,
    /// Samples behind those, without a record.
    pub orphans: Vec<(Claim, u64)>,
}

impl OpenScan {
    pub fn peek(&mut self) -> Result<Option<(&Found, bool)>, IoError> {
        if self.ahead.is_none() {
            self.ahead = self.read()?;
        }
        Ok(self.ahead.as_ref().map(|(found, is_embedded)| (found, *is_embedded)))
    }

    /// The next sample that no record was held against.
    pub fn next(&mut self) -> Result<Option<(Found, bool)>, IoError> {
        match self.ahead.take() {
            None => self.read(),
            found => Ok(found),
        }
    }

    fn read(&mut self) -> Result<Option<(Found, bool)>, IoError> {
        let Some(found) = self.samples.next() else { return Ok(None) };
        let is_embedded = self.rows.next_is_of(found.uid)?;
        Ok(Some((found, is_embedded)))
    }

    pub fn stand(&mut self, found: &Found) {
        self.keys.insert(&found.sample.key);
        self.end = found.end;
        self.count += 1;
    }

    /// Passes over the samples whose records are in an earlier segment.
    pub fn pass(&mut self, count: u64) -> Result<(), IoError> {
        for _ in 0..count {
            let Some((found, _)) = self.read()? else { break };
            self.stand(&found);
        }
        Ok(())
    }
}

/// `records` says which samples must have recorded embeddings, where any are recorded.
pub(super) fn open_scan(
    folder: &Path,
    number: u32,
    records: Option<Wanted>,
) -> Result<OpenScan, IoError> {
    let path = folder.join(shard_name(number));
    let samples = Samples::open(&partial_path(&path).map_err(failed(&path))?)?;
    let rows = ShardRows::open(&path, records.unwrap_or_default(), records.is_some())?;
    let (keys, orphans) = (ShardKeys::default(), Vec::new());
    Ok(OpenScan { number, path, samples, rows, ahead: None, keys, end: 0, count: 0, orphans })
}
