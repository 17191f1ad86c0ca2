//! What the two ends of an outbox know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::spool::SharedSpool;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// Pairs come.
    #[default]
    Running,
    /// None comes any more; what waits is brought, while the output takes it.
    Draining,
    /// Nothing more is brought.
    Ending,
}

/// Shared by the source's side, the sink's side and what brings pairs to the output.
#[derive(Debug)]
pub(super) struct State {
    pub spool: SharedSpool,
    /// All pairs below this sequence number are on disk in the output.
    pub brought: AtomicU64,
    /// Bytes of frames of pairs that were let in and are not in the spool yet, at most.
    pub reserved: AtomicU64,
    /// Whether a pair waits for room.
    pub is_full: AtomicBool,
    /// What brings pairs to the output has ended by a panic.
    pub has_panicked: AtomicBool,
    phase: Mutex<(Phase, bool)>,
    changed: Condvar,
}

impl State {
    pub fn new(spool: SharedSpool) -> Self {
        let brought = AtomicU64::new(spool.lock().acknowledged());
        Self {
            spool,
            brought,
            reserved: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            has_panicked: AtomicBool::new(false),
            phase: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub fn phase(&self) -> Phase {
        self.lock().0
    }

    pub fn set_phase(&self, phase: Phase) {
        self.lock().0 = phase;
        self.changed.notify_all();
    }

    /// What brings pairs has ended.
    pub fn set_ended(&self) {
        self.lock().1 = true;
        self.changed.notify_all();
    }

    /// Waits so long, or until the phase changes.
    pub fn nap(&self, most: Duration) {
        let state = self.lock();
        let phase = state.0;
        let waited = self.changed.wait_timeout_while(state, most, |state| state.0 == phase);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until what brings pairs has ended, so long at most; whether it has.
    pub fn wait_for_end(&self, most: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), most, |state| !state.1);
        waited.unwrap_or_else(PoisonError::into_inner).0.1
    }

    /// A pair that was let in is in the spool.
    pub fn release(&self, bytes: u64) {
        let less = |reserved: u64| Some(reserved.saturating_sub(bytes));
        let _ = self.reserved.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }

    /// No step under the lock leaves it half changed.
    fn lock(&self) -> MutexGuard<'_, (Phase, bool)> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
