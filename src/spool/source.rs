//! Pairs out of a spool, for a pipeline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pairgate_core::decision::Decision;
use pairgate_core::pair::Position;

use super::Spool;
use super::fill::Filler;
use super::pair::read_pair;
use crate::disk::IoError;
use crate::source::{Sample, Source};
use crate::store::WhenDurable;

/// Time between two looks at an empty spool.
const NAP: Duration = Duration::from_millis(5);

/// A spool that one thread fills and another one empties.
#[derive(Debug, Clone)]
pub struct SharedSpool(Arc<Mutex<Spool>>);

impl SharedSpool {
    /// Shares a spool.
    pub fn new(spool: Spool) -> Self {
        Self(Arc::new(Mutex::new(spool)))
    }

    /// The spool, for this thread alone. A thread that panicked over it left it whole: the counts
    /// change behind the calls that may fail.
    pub fn lock(&self) -> MutexGuard<'_, Spool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer's pairs are acknowledged when their decisions are durable.
impl WhenDurable for SharedSpool {
    fn is_durable(&mut self, position: Position, _: &Decision) {
        let mut spool = self.lock();
        if position.input == spool.id() {
            spool.acknowledge(position.item + 1);
        }
    }
}

/// The pairs of a spool, in order; their positions are the spool's number and theirs.
#[derive(Debug)]
pub struct SpoolSource {
    spool: SharedSpool,
    id: u32,
    filler: Option<Filler>,
    stop: Arc<AtomicBool>,
    at: u64,
}

impl SpoolSource {
    /// The pairs that are in `spool` and those that `filler` brings, until that has come to its end or
    /// `stop` is set: then what is left waits for another run.
    pub fn new(spool: SharedSpool, filler: Option<Filler>, stop: Arc<AtomicBool>) -> Self {
        let id = spool.lock().id();
        Self { spool, id, filler, stop, at: 0 }
    }

    /// The next sample there is.
    fn take(&mut self) -> Result<Option<Sample>, IoError> {
        let mut spool = self.spool.lock();
        spool.sync_due()?;
        while let Some((sequence, payload)) = spool.next_pair()? {
            match read_pair(&payload) {
                Some((sample, _)) => {
                    self.at = sequence;
                    return Ok(Some(sample));
                }
                None => spool.spoil(sequence),
            }
        }
        Ok(None)
    }
}

impl Source for SpoolSource {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        while !self.stop.load(Ordering::SeqCst) {
            // Looked at before the spool: what was pushed before the end is then seen.
            let has_ended = self.filler.as_ref().is_none_or(Filler::has_ended);
            if let Some(sample) = self.take()? {
                return Ok(Some(sample));
            }
            if has_ended {
                return self.filler.as_ref().and_then(Filler::error).map_or(Ok(None), Err);
            }
            thread::sleep(NAP);
        }
        Ok(None)
    }

    fn position(&self) -> Position {
        Position { input: self.id, item: self.at }
    }
}
