//! How full a run's queue is.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Samples that wait for a worker. They are counted in before they are sent, so that the number never
/// goes below zero; each count costs one atomic addition.
#[derive(Debug, Default)]
pub struct Levels {
    queued: AtomicUsize,
}

impl Levels {
    /// Samples in the queue in front of the workers.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    pub(super) fn queue(&self, samples: usize) {
        self.queued.fetch_add(samples, Ordering::Relaxed);
    }

    pub(super) fn take(&self, samples: usize) {
        self.queued.fetch_sub(samples, Ordering::Relaxed);
    }
}
