//! How full an output folder is, for those who watch from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ledger::Gone;

/// Levels of an output folder as they were at the last sync. Clones are the same levels.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    numbers: Arc<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    bytes: AtomicU64,
    gone_shards: AtomicU64,
    gone_pairs: AtomicU64,
}

impl Levels {
    pub(super) fn set(&self, bytes: u64, gone: Gone) {
        let Numbers { bytes: all, gone_shards, gone_pairs } = &*self.numbers;
        all.store(bytes, Ordering::Relaxed);
        gone_shards.store(gone.shards, Ordering::Relaxed);
        gone_pairs.store(gone.pairs, Ordering::Relaxed);
    }

    /// Bytes of the shards, the open one among them.
    pub fn bytes(&self) -> u64 {
        self.numbers.bytes.load(Ordering::Relaxed)
    }

    /// Shards that were removed to make room or for their age, in all runs of the folder.
    pub fn dropped_shards(&self) -> u64 {
        self.numbers.gone_shards.load(Ordering::Relaxed)
    }

    /// Pairs that were in them.
    pub fn dropped_pairs(&self) -> u64 {
        self.numbers.gone_pairs.load(Ordering::Relaxed)
    }
}
