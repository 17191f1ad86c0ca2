//! The shard that was being written, sample by sample.

use std::path::{Path, PathBuf};

use super::super::claims::Claim;
use super::super::folder::shard_name;
use super::super::keys::ShardKeys;
use super::super::scan::{Found, Samples};
use crate::disk::IoError;
use crate::disk::{failed, partial_path};

/// The shard that was being written.
pub(super) struct OpenScan {
    pub number: u32,
    pub path: PathBuf,
    pub samples: Samples,
    /// The first sample that no record was held against yet.
    pub ahead: Option<Found>,
    pub keys: ShardKeys,
    /// Bytes and samples that stand.
    pub end: u64,
    pub count: u64,
    /// Samples behind those, without a record.
    pub orphans: Vec<(Claim, u64)>,
}

impl OpenScan {
    pub fn peek(&mut self) -> Option<&Found> {
        if self.ahead.is_none() {
            self.ahead = self.samples.next();
        }
        self.ahead.as_ref()
    }

    pub fn stand(&mut self, found: &Found) {
        self.keys.insert(&found.sample.key);
        self.end = found.end;
        self.count += 1;
    }

    /// Passes over the samples whose records are in an earlier segment.
    pub fn pass(&mut self, count: u64) {
        for _ in 0..count {
            let Some(found) = self.samples.next() else { return };
            self.stand(&found);
        }
    }
}

pub(super) fn open_scan(folder: &Path, number: u32) -> Result<OpenScan, IoError> {
    let path = folder.join(shard_name(number));
    let samples = Samples::open(&partial_path(&path).map_err(failed(&path))?)?;
    let (keys, orphans) = (ShardKeys::default(), Vec::new());
    Ok(OpenScan { number, path, samples, ahead: None, keys, end: 0, count: 0, orphans })
}
