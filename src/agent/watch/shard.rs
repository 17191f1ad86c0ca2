//! A shard that is being read, one sample ahead: the last one is known as such.

use std::fs::File;
use std::path::PathBuf;

use super::signature::in_shard;
use crate::disk::IoError;
use crate::source::tar::TarSource;
use crate::source::{Sample, Source};

/// A shard's samples with their signatures.
pub(super) struct WatchedShard {
    source: TarSource<File>,
    pub path: PathBuf,
    pub signature: u64,
    ahead: Option<Sample>,
    number: u64,
}

impl WatchedShard {
    /// The samples of a shard.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read.
    pub fn open(source: TarSource<File>, path: PathBuf, signature: u64) -> Result<Self, IoError> {
        let mut shard = Self { source, path, signature, ahead: None, number: 0 };
        shard.ahead = shard.source.next()?;
        Ok(shard)
    }

    /// Whether it has no sample at all.
    pub fn is_empty(&self) -> bool {
        self.ahead.is_none() && self.number == 0
    }

    /// The signatures of the samples before the one that was given last.
    pub fn earlier(&self) -> impl Iterator<Item = u64> + use<> {
        let signature = self.signature;
        (0..self.number.saturating_sub(1)).map(move |number| in_shard(signature, Some(number)))
    }

    /// The signature that a shard's last sample has: who knows it has decided all of them.
    pub fn last_of(signature: u64) -> u64 {
        in_shard(signature, None)
    }

    /// The next sample, its signature, and whether it is the last one.
    ///
    /// # Errors
    /// [`IoError::Read`] if the shard cannot be read on.
    pub fn next(&mut self) -> Result<Option<(Sample, u64, bool)>, IoError> {
        let Some(sample) = self.ahead.take() else { return Ok(None) };
        self.ahead = self.source.next()?;
        let is_last = self.ahead.is_none();
        let number = (!is_last).then_some(self.number);
        self.number += 1;
        Ok(Some((sample, in_shard(self.signature, number), is_last)))
    }
}
