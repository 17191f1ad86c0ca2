//! What the parts of a journal before the last one come to.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate_core::decision::Verdict;
use serde::Deserialize;

use super::super::folder::{published, shard_name, stats_name};
use super::super::ledger::{Checkpoint, Ledger};
use super::super::scan::Samples;
use crate::disk::IoError;
use crate::disk::failed;
use crate::journal::{self, Closed, Entry, Part, Salvage, Stored, number_of};

/// Where the last part of the journal begins.
pub(super) struct Base {
    pub ledger: Ledger,
    pub decider: Vec<u8>,
}

impl Base {
    pub fn of(last: &Path, earlier: &[PathBuf], folder: &Path) -> Result<Self, IoError> {
        if number_of(last).is_some()
            && let Some(checkpoint) = journal::checkpoint::<Checkpoint>(last)
        {
            return Ok(Self { ledger: checkpoint.ledger(), decider: checkpoint.decider });
        }
        if !earlier.is_empty() {
            log::warn!(
                "{}: its checkpoint cannot be read; reading the whole journal",
                last.display()
            );
        }
        let mut ledger = Ledger::default();
        for part in earlier {
            let mut placer = Placer::of(folder, part)?;
            let mut salvage = Salvage::open(part)?;
            while let Some(part) = salvage.next_part()? {
                if let Part::Whole(mut entry) = part {
                    placer.place(&mut entry, &mut ledger)?;
                    ledger.take(&entry);
                }
            }
        }
        Ok(Self { ledger, decider: Vec::new() })
    }
}

/// Tells where the pairs of an earlier format are stored, which does not say it: kept ones fill the
/// shards in their order.
pub(super) struct Placer {
    folder: PathBuf,
    is_earlier: bool,
    published: usize,
    shard: u32,
    /// Samples of the shard that have no record yet; `None` for the one that is not published.
    left: Option<u64>,
}

impl Placer {
    pub fn of(folder: &Path, part: &Path) -> Result<Self, IoError> {
        let is_earlier = number_of(part).is_none();
        let published =
            if is_earlier { published(folder).map_err(failed(folder))?.len() } else { 0 };
        let mut placer =
            Self { folder: folder.to_owned(), is_earlier, published, shard: 0, left: None };
        if is_earlier {
            placer.left = placer.samples_of(0)?;
        }
        Ok(placer)
    }

    /// Samples of the shard; `None` where it is not published.
    pub fn samples_of(&self, shard: u32) -> Result<Option<u64>, IoError> {
        if shard as usize >= self.published {
            return Ok(None);
        }
        let stats = fs::read(self.folder.join(stats_name(shard))).unwrap_or_default();
        if let Ok(Successes { successes }) = serde_json::from_slice(&stats) {
            return Ok(Some(successes));
        }
        let mut samples = Samples::open(&self.folder.join(shard_name(shard)))?;
        Ok(Some(std::iter::from_fn(|| samples.next()).count() as u64))
    }

    pub fn place(&mut self, entry: &mut Entry, ledger: &mut Ledger) -> Result<(), IoError> {
        let Entry::Record(record) = entry else { return Ok(()) };
        if !self.is_earlier || record.verdict != Verdict::Kept {
            return Ok(());
        }
        while self.left == Some(0) {
            ledger.take(&Entry::Closed(Closed { shard: self.shard, samples: 0 }));
            self.shard += 1;
            self.left = self.samples_of(self.shard)?;
        }
        self.left = self.left.map(|left| left - 1);
        let key = record.key.clone();
        record.stored = Some(Stored { shard: self.shard, key, check: None });
        Ok(())
    }
}

/// What is read of a shard's statistics.
#[derive(Deserialize)]
pub(super) struct Successes {
    successes: u64,
}
