//! Answers wait for the disk.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pairgate_core::stats::Counts;

use super::answer::{Answer, Names, Place};
use super::desk::Desk;
use super::pace::Pace;
use crate::disk::{Disk, IoError};
use crate::journal::Terms;
use crate::store::{Judged, RunEnd, ShardObserver, Sink, StoreOptions};

/// Hands decided pairs to a sink, and gives each its answer once the sink has it on disk: nobody is
/// told that a pair is kept before that. Where nothing else is in flight, the sink is brought to disk at
/// once, else the sooner the fewer are on their way. A failure is told to all that wait.
pub struct Acknowledging<S> {
    sink: S,
    desk: Arc<Desk>,
    stored: StoredNow,
    /// Whether kept pairs wait in a spool for their place in the output.
    is_spooled: bool,
    pace: Pace,
    /// Answers that wait for the disk, in the order of their tickets.
    pending: VecDeque<(u64, Arc<Answer>)>,
}

impl<S: Sink> Acknowledging<S> {
    /// Answers for what `sink` has on `disk`. `stored` is what the output folder tells its observer.
    pub fn new(disk: &Disk, sink: S, desk: Arc<Desk>, stored: StoredNow) -> Self {
        // A folder that is gone on with tells of pairs that it has already.
        stored.take();
        Self {
            sink,
            desk,
            stored,
            is_spooled: false,
            pace: Pace::new(disk),
            pending: VecDeque::new(),
        }
    }

    /// The same where kept pairs wait in a spool, or do not: then answers tell of no place.
    pub fn from_spool(self, is_spooled: bool) -> Self {
        Self { is_spooled, ..self }
    }

    /// Gives the answers that the disk has passed.
    fn release(&mut self) {
        let durable = self.sink.durable().unwrap_or(u64::MAX);
        let count = self.pending.partition_point(|(ticket, _)| *ticket < durable);
        if count > 0 {
            self.desk.give(self.pending.drain(..count));
        }
    }

    /// Runs a step of the sink, then gives what became durable by it.
    fn after(&mut self, step: impl FnOnce(&mut S) -> Result<(), IoError>) -> Result<(), IoError> {
        if let Err(error) = step(&mut self.sink) {
            self.pending.clear();
            self.desk.fail(&format!("the output failed: {error}"));
            return Err(error);
        }
        self.release();
        Ok(())
    }

    /// Time until those whose answers wait for the disk have waited long enough for others.
    fn sync_due_in(&self) -> Option<Duration> {
        let waiting = self.pending.len();
        (waiting > 0).then(|| self.pace.left(self.desk.admitted().saturating_sub(waiting)))
    }

    /// Brings all that waits to disk.
    fn sync_at_pace(&mut self) -> Result<(), IoError> {
        let begun = self.pace.begin();
        self.after(S::sync)?;
        self.pace.end(begun);
        Ok(())
    }
}

impl<S: Sink> Sink for Acknowledging<S> {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        if let Some(threshold) = judged.threshold {
            self.desk.set_threshold(threshold);
        }
        let (present, stored) = (self.desk.present(), self.stored.clone());
        let pending = &mut self.pending;
        if let Err(error) = self.sink.accept(judged) {
            return self.after(|_| Err(error));
        }
        let threshold = present.policy.threshold;
        let mut answer = Answer::of_judged(judged, stored.take(), threshold, present.names);
        if self.is_spooled {
            answer.set_spooled();
        }
        pending.push_back((judged.ticket, Arc::new(answer)));
        self.release();
        Ok(())
    }

    fn wants_checkpoint(&self) -> bool {
        self.sink.wants_checkpoint()
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        self.after(|sink| sink.checkpoint(decider))
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        let mut present = self.desk.present();
        present.policy.threshold = terms.threshold;
        present.names = Arc::new(Names::of(terms));
        self.desk.set_present(present);
        self.after(|sink| sink.epoch(terms, first_ticket))
    }

    fn idle(&mut self) -> Result<(), IoError> {
        if self.sync_due_in().is_some_and(|due| due.is_zero()) {
            self.sync_at_pace()?;
        }
        self.after(S::idle)
    }

    fn due_in(&self) -> Option<Duration> {
        self.sink.due_in().into_iter().chain(self.sync_due_in()).min()
    }

    fn settled(&mut self) -> Result<(), IoError> {
        // Where nobody waits for an answer, the disk is left alone.
        match self.pending.is_empty() {
            true => self.after(S::settled),
            false => self.sync_at_pace(),
        }
    }

    fn sync(&mut self) -> Result<(), IoError> {
        self.sync_at_pace()
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        // What is durable is answered before the sink's end, which may take its time.
        let synced = match end {
            RunEnd::Failed => Ok(()),
            RunEnd::Complete | RunEnd::Interrupted => self.after(S::sync),
        };
        let finished = synced.and(self.after(|sink| sink.finish(end)));
        if end == RunEnd::Failed {
            self.desk.fail("the service has failed");
        }
        finished
    }

    fn durable(&self) -> Option<u64> {
        self.sink.durable()
    }

    fn lost(&self) -> Counts {
        self.sink.lost()
    }

    fn dropped(&self) -> u64 {
        self.sink.dropped()
    }
}

/// What a service's output folder is gone on with, whose sink [`Acknowledging`] stands before.
///
/// Whoever got no answer sends the pair again. So what a power cut has left of a pair without a record is
/// not taken for all of it: it may lack the member that says its uid, and the pair would be there twice.
pub fn gone_on_with(mut options: StoreOptions, stored: &StoredNow) -> StoreOptions {
    (options.again, options.endless, options.new_decisions) = (true, true, true);
    options.observer = Some(Box::new(stored.clone()));
    options
}

/// Where the pair that was accepted last is stored.
#[derive(Debug, Clone, Default)]
pub struct StoredNow(Arc<Mutex<Option<Place>>>);

impl StoredNow {
    fn take(&self) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ShardObserver for StoredNow {
    fn stored(&mut self, _: &Judged, shard: &Path, key: &str) {
        let shard = shard.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = Place::Shard { shard, key: key.to_owned() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    fn published(&mut self, _: &Path) {}
}
