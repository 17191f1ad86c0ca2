//! The reader thread: takes samples from the source, and keeps no more of them in flight than it may.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender};
use pairgate_core::config::PipelineConfig;

use super::reload::Change;
use super::{HOLDING, READING, Shared, Ticket};
use crate::disk::IoError;
use crate::source::Source;

/// The reader thread's side.
pub(super) struct Reader {
    pub shared: Arc<Shared>,
    pub change: Arc<Change>,
    pub to_workers: Sender<Ticket>,
    pub returned: Receiver<u64>,
    pub window: usize,
    pub config: PipelineConfig,
    pub first_ticket: u64,
}

impl Reader {
    /// Reads until the source ends, fails, or the run stops; gives the source's error.
    pub fn run(self, mut source: Box<dyn Source>) -> Option<IoError> {
        let (mut samples_out, mut bytes_out) = (0, 0);
        for number in self.first_ticket.. {
            let sample = match source.next() {
                Ok(Some(sample)) => sample,
                Ok(None) => return None,
                Err(error) => return Some(error),
            };
            self.shared.reader.store(HOLDING, Ordering::SeqCst);
            let position = source.position();
            let bytes = sample.bytes();
            let max_bytes = self.config.max_bytes_in_flight;
            while samples_out >= self.window || (samples_out > 0 && bytes_out + bytes > max_bytes) {
                let Ok(freed) = self.returned.recv() else { return None };
                samples_out -= 1;
                bytes_out -= freed;
            }
            if self.shared.stopping() {
                return None;
            }
            // Counted first: a worker may have judged it before the next line runs.
            self.shared.read.fetch_add(1, Ordering::SeqCst);
            self.shared.signals.levels.queue(1);
            let generation = self.change.generation();
            let ticket = Ticket { number, generation, position, sample };
            if self.to_workers.send(ticket).is_err() {
                self.shared.signals.levels.take(1);
                self.shared.read.fetch_sub(1, Ordering::SeqCst);
                return None;
            }
            samples_out += 1;
            bytes_out += bytes;
            self.shared.reader.store(READING, Ordering::SeqCst);
        }
        None
    }
}
