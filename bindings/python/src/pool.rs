//! Examiners that wait for work, for each process its own.

use std::sync::{Mutex, OnceLock, PoisonError};

/// What threads of one process take and give back. A process that was forked finds none of its parent's:
/// a lock may have been held when it was made, and nobody is left there to open it.
pub struct Pool<T> {
    process: u32,
    idle: Mutex<Vec<T>>,
    /// That of a process forked from this one.
    forked: OnceLock<Box<Pool<T>>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::of(std::process::id())
    }
}

impl<T> Pool<T> {
    fn of(process: u32) -> Self {
        Self { process, idle: Mutex::default(), forked: OnceLock::new() }
    }

    /// This process's own.
    fn here(&self) -> &Mutex<Vec<T>> {
        let process = std::process::id();
        let mut pool = self;
        while pool.process != process {
            pool = pool.forked.get_or_init(|| Box::new(Self::of(process)));
        }
        &pool.idle
    }

    /// One that waits, or else a new one: there are as many as were ever at work at once.
    pub fn take(&self, new: impl FnOnce() -> T) -> T {
        let waiting = self.here().lock().unwrap_or_else(PoisonError::into_inner).pop();
        waiting.unwrap_or_else(new)
    }

    /// Lets it wait for work.
    pub fn give(&self, examiner: T) {
        self.here().lock().unwrap_or_else(PoisonError::into_inner).push(examiner);
    }
}
