//! Examiners that wait for work, for each process its own.

use std::sync::{Mutex, PoisonError};

use crate::process::OfProcess;

/// What threads of one process take and give back.
pub struct Pool<T> {
    idle: OfProcess<Mutex<Vec<T>>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { idle: OfProcess::default() }
    }
}

impl<T> Pool<T> {
    /// One that waits, or else a new one: there are as many as were ever at work at once.
    pub fn take(&self, new: impl FnOnce() -> T) -> T {
        let waiting = self.idle.here().lock().unwrap_or_else(PoisonError::into_inner).pop();
        waiting.unwrap_or_else(new)
    }

    /// Lets it wait for work.
    pub fn give(&self, examiner: T) {
        self.idle.here().lock().unwrap_or_else(PoisonError::into_inner).push(examiner);
    }
}
