//! Samples from a capture ring, which a thread fills that must not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pairgate_core::ring::Intake;

use super::{Sample, Source};
use crate::disk::IoError;

/// Time between two looks at an empty ring.
const NAP: Duration = Duration::from_millis(1);

/// Takes samples out of a [`Ring`](pairgate_core::ring::Ring) until its producer is done.
///
/// A pipeline runs its source on a thread of its own, so the ring must live as long as the
/// program: make it with `Box::leak(Box::new(Ring::new()))`.
pub struct CaptureSource<'a> {
    intake: Intake<'a, Sample>,
    done: Arc<AtomicBool>,
}

impl<'a> CaptureSource<'a> {
    /// Samples from `intake`. The source ends when the ring is empty and the producer has set
    /// `done`, or has dropped its clone of it: one that panics leaves nobody waiting.
    pub fn new(intake: Intake<'a, Sample>, done: Arc<AtomicBool>) -> Self {
        Self { intake, done }
    }

    /// Samples that the full ring has refused so far.
    pub fn refused(&self) -> u32 {
        self.intake.refused()
    }
}

impl Source for CaptureSource<'_> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            // Looked at before the ring: what was pushed before the end is then seen after it.
            let alone = Arc::get_mut(&mut self.done).is_some();
            let done = alone || self.done.load(Ordering::Acquire);
            match self.intake.pop() {
                None if done => return Ok(None),
                None => thread::sleep(NAP),
                sample => return Ok(sample),
            }
        }
    }
}
