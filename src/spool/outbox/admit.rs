//! Pairs are let in when their decisions will find room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pairgate_core::pair::Position;

use super::state::State;
use super::waiting::frame_bytes;
use crate::disk::IoError;
use crate::source::{Sample, Source};

/// Time between two looks at a full spool.
const NAP: Duration = Duration::from_millis(20);

/// A source whose pairs wait until the spool has room for them: who is behind it waits too, or sheds.
pub struct Admitted {
    source: Box<dyn Source>,
    state: Arc<State>,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admitted").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Admitted {
    pub(super) fn new(source: Box<dyn Source>, state: Arc<State>, stop: Arc<AtomicBool>) -> Self {
        Self { source, state, stop }
    }

    /// Waits for room for a pair beside those that were let in before; `false` where the run ends first.
    fn wait_for_room(&self, bytes: u64) -> Result<bool, IoError> {
        loop {
            let reserved = self.state.reserved.load(Ordering::SeqCst).saturating_add(bytes);
            let has_room = self.state.spool.lock().has_room(reserved)?;
            self.state.is_full.store(!has_room, Ordering::SeqCst);
            if has_room {
                self.state.reserved.fetch_add(bytes, Ordering::SeqCst);
                return Ok(true);
            }
            if self.stop.load(Ordering::SeqCst) {
                return Ok(false);
            }
            thread::sleep(NAP);
        }
    }
}

impl Source for Admitted {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        let Some(sample) = self.source.next()? else { return Ok(None) };
        let has_room = self.wait_for_room(frame_bytes(&sample))?;
        if !has_room {
            log::warn!("the spool is full: the last pair that came is left out");
        }
        Ok(has_room.then_some(sample))
    }

    fn position(&self) -> Position {
        self.source.position()
    }
}
