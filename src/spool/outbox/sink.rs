//! The end of an outbox that decided pairs go into.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;

use super::state::{Phase, State};
use super::waiting::{self, bare, frame_bytes};
use crate::disk::{Disk, IoError};
use crate::journal::{Record, Terms};
use crate::spool::Push;
use crate::store::{Judged, RunEnd, Sink, StoreSink};

/// Time between two looks at a full spool.
const NAP: Duration = Duration::from_millis(20);
/// Shortest time between two acknowledgements, each of which brings the history to disk.
const PAUSE: Duration = Duration::from_millis(200);
/// Pairs that wait for the disk at most, so that memory is bounded.
const MOST_PENDING: usize = 4096;
/// Time for what is being written to the output when the drain time is over.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Takes decided pairs into the spool; they are durable when they are on disk there.
///
/// The history, a journal of all decisions, gets each record when its frame is on disk, and is on disk
/// itself before frames are removed. So it and the frames behind it always tell of every decision.
#[derive(Debug)]
pub struct OutboxSink {
    pub(super) disk: Disk,
    pub(super) state: Arc<State>,
    pub(super) history: StoreSink,
    /// What decides now.
    pub(super) terms: Terms,
    pub(super) output: String,
    /// Pairs whose frames are not on disk.
    pub(super) pending: VecDeque<Pending>,
    pub(super) durable: u64,
    /// Whether the history lacks records of frames that are on disk: no frame goes then.
    pub(super) has_failed: bool,
    /// When pairs were acknowledged last.
    pub(super) acknowledged_at: Duration,
    /// How long what waits is brought to the output when the run ends.
    pub(super) drain: Duration,
    /// Whether a thread brings pairs to the output.
    pub(super) is_forwarded: bool,
    pub(super) stop: Arc<AtomicBool>,
}

/// A pair whose frame is not on disk.
#[derive(Debug)]
pub(super) struct Pending {
    sequence: u64,
    /// Without members.
    judged: Judged,
    record: Record,
}

impl OutboxSink {
    fn push(&mut self, payload: &[u8]) -> Result<u64, IoError> {
        loop {
            let pushed = self.state.spool.lock().push(payload)?;
            match pushed {
                Push::Taken(sequence) => return Ok(sequence),
                Push::TooLarge => return Err(self.failed("a pair is larger than the spool")),
                Push::Full if self.stop.load(Ordering::SeqCst) => {
                    return Err(self.failed("the spool is full, and the run is to end"));
                }
                Push::Full => {}
            }
            self.state.is_full.store(true, Ordering::SeqCst);
            self.sync()?;
            self.acknowledge()?;
            thread::sleep(NAP);
        }
    }

    /// Enters what is on disk into the history, and acknowledges what the output has.
    fn settle(&mut self) -> Result<(), IoError> {
        if self.state.has_panicked.load(Ordering::SeqCst) {
            return Err(self.failed("what brings pairs to the output panicked: see the log above"));
        }
        let durable = self.state.spool.lock().durable();
        let on_disk = self.pending.partition_point(|pending| pending.sequence < durable);
        for Pending { judged, record, .. } in self.pending.drain(..on_disk) {
            let entered = self.history.accept_spooled(&judged, record, None);
            self.has_failed |= entered.is_err();
            entered?;
            self.durable = judged.ticket + 1;
        }
        let now = self.disk.elapsed();
        if self.can_acknowledge() && now.saturating_sub(self.acknowledged_at) >= PAUSE {
            self.acknowledge()?;
        }
        Ok(())
    }

    fn can_acknowledge(&self) -> bool {
        self.state.brought.load(Ordering::SeqCst) > self.state.spool.lock().acknowledged()
    }

    /// Lets frames go whose pairs the output has: the history has them on disk first.
    fn acknowledge(&mut self) -> Result<(), IoError> {
        self.acknowledged_at = self.disk.elapsed();
        let brought = self.state.brought.load(Ordering::SeqCst);
        let is_behind = self.pending.front().is_some_and(|pending| pending.sequence < brought);
        if is_behind || self.has_failed {
            return Ok(());
        }
        self.history.sync()?;
        self.state.spool.lock().acknowledge(brought);
        Ok(())
    }

    /// Lets what waits be brought for a time, then ends that, and tells what is left.
    fn drain(&mut self, end: RunEnd) -> Result<(), IoError> {
        if self.is_forwarded {
            if end != RunEnd::Failed {
                self.state.set_phase(Phase::Draining);
                self.state.wait_for_end(self.drain);
            }
            self.state.set_phase(Phase::Ending);
            if !self.state.wait_for_end(LAST_WRITES) {
                log::warn!("{}: it does not answer, and is left as it is", self.output);
            }
        }
        self.acknowledge()?;
        let left = self.state.spool.lock().waiting();
        if left > 0 {
            log::warn!("{left} decided pairs wait in the spool for {}", self.output);
        }
        Ok(())
    }

    fn failed(&self, why: &str) -> IoError {
        IoError::Write { to: format!("the spool for {}", self.output), why: io::Error::other(why) }
    }
}

impl Sink for OutboxSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let (payload, record) = waiting::write(judged, &self.terms);
        let sequence = self.push(&payload)?;
        self.state.release(frame_bytes(&judged.sample));
        let (choice, group) = (judged.choice.clone(), judged.group.clone());
        let sample = bare(&judged.sample);
        let judged = Judged { sample, embeddings: None, choice, group, ..*judged };
        self.pending.push_back(Pending { sequence, judged, record });
        let settled = match self.pending.len() >= MOST_PENDING {
            true => self.sync(),
            false => self.settle(),
        };
        // A pair that is refused is not one that was accepted and is lost.
        settled.inspect_err(|_| self.pending.retain(|pending| pending.sequence != sequence))
    }

    fn wants_checkpoint(&self) -> bool {
        self.history.wants_checkpoint()
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        self.sync()?;
        self.history.checkpoint(decider)
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        self.sync()?;
        self.terms = terms.clone();
        self.history.epoch(terms, first_ticket)
    }

    fn idle(&mut self) -> Result<(), IoError> {
        self.state.spool.lock().sync_due()?;
        self.settle()
    }

    fn due_in(&self) -> Option<Duration> {
        let acknowledge = self.can_acknowledge().then_some(PAUSE);
        let sync = self.state.spool.lock().due_in();
        sync.into_iter().chain(acknowledge).min()
    }

    fn sync(&mut self) -> Result<(), IoError> {
        self.state.spool.lock().sync()?;
        self.settle()
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        let synced = self.sync().and_then(|()| self.history.finish(end));
        let drained = match &synced {
            Ok(()) => self.drain(end),
            // Whatever the spool says: what brings pairs to the output ends.
            Err(_) => self.drain(RunEnd::Failed),
        };
        synced.and(drained)
    }

    fn durable(&self) -> Option<u64> {
        Some(self.durable)
    }

    fn lost(&self) -> Counts {
        let mut lost = Counts::default();
        let kept = |pending: &&Pending| pending.judged.decision.verdict == Verdict::Kept;
        self.pending.iter().filter(kept).for_each(|pending| lost.add(&pending.judged.decision));
        lost
    }
}

impl Drop for OutboxSink {
    fn drop(&mut self) {
        self.state.set_phase(Phase::Ending);
    }
}
