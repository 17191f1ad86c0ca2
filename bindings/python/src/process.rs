//! What belongs to one process.

use std::sync::OnceLock;

/// Each process has its own. One that was forked finds none of its parent's: a lock may have been held when it
/// was made, and nobody is left there to open it.
pub struct OfProcess<T> {
    process: u32,
    own: T,
    /// That of a process forked from this one.
    forked: OnceLock<Box<OfProcess<T>>>,
}

impl<T: Default> Default for OfProcess<T> {
    fn default() -> Self {
        Self::of(std::process::id())
    }
}

impl<T: Default> OfProcess<T> {
    fn of(process: u32) -> Self {
        Self { process, own: T::default(), forked: OnceLock::new() }
    }

    /// This process's own.
    pub fn here(&self) -> &T {
        let process = std::process::id();
        let mut found = self;
        while found.process != process {
            found = found.forked.get_or_init(|| Box::new(Self::of(process)));
        }
        &found.own
    }
}
