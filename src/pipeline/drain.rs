//! The caller's side: restores the source's order, decides, counts, and goes on counting after a failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use pairgate_core::decision::Decision;

use super::reload::{Change, Successor};
use super::{Message, Outcome, RunError, Shared};
use crate::decide::{Decider, Examined, Noted};
use crate::disk::IoError;
use crate::gate::Evidence;
use crate::sink::{Judged, RunEnd, Sink};

/// How long the sink's side waits before it calls [`Sink::idle`].
const IDLE: Duration = Duration::from_secs(1);

impl Outcome {
    /// Brings the sink's side to its end; what it lost moves from `counts` to `unstored`.
    fn settle(&mut self, sink: &mut dyn Sink, end: RunEnd) -> Result<(), IoError> {
        // Also after a failure: where there are several sinks, the others must reach the disk.
        let finished = sink.finish(end);
        let lost = sink.lost();
        self.counts.subtract(&lost);
        self.unstored += lost.decided();
        self.dropped += sink.dropped();
        finished
    }
}

/// What the sink's side knows.
pub(super) struct Drain<'s> {
    decider: &'s mut dyn Decider,
    /// What decides in its place since a change.
    successor: Option<Successor>,
    sink: &'s mut dyn Sink,
    /// Decider or sink have failed: what comes is counted as unstored.
    failed: bool,
    shared: Arc<Shared>,
    change: Arc<Change>,
    /// Number of the generation that decides.
    generation: u64,
    give_back: Sender<u64>,
    /// Pairs that wait for one before them, each with its generation's number.
    early: BTreeMap<u64, (u64, Examined)>,
    /// The first ticket, and the next one.
    first: u64,
    next: u64,
    pub outcome: Outcome,
}

impl<'s> Drain<'s> {
    pub fn new(
        decider: &'s mut dyn Decider,
        sink: &'s mut dyn Sink,
        shared: Arc<Shared>,
        change: Arc<Change>,
        give_back: Sender<u64>,
        first: u64,
    ) -> Self {
        Self {
            decider,
            successor: None,
            sink,
            failed: false,
            shared,
            change,
            generation: 0,
            give_back,
            early: BTreeMap::new(),
            first,
            next: first,
            outcome: Outcome::default(),
        }
    }

    fn decider(&mut self) -> &mut (dyn Decider + 's) {
        match &mut self.successor {
            Some(successor) => &mut *successor.decider,
            None => &mut *self.decider,
        }
    }

    pub fn take(&mut self, message: Message) {
        match message {
            Message::Batch(generation, batch) => {
                self.early.extend(batch.into_iter().map(|pair| (pair.ticket, (generation, pair))));
            }
            Message::Broken(error) => self.fail(error),
        }
        while let Some((generation, pair)) = self.early.remove(&self.next) {
            if generation > self.generation {
                self.change_over();
            }
            self.next += 1;
            let bytes = pair.sample.bytes();
            self.store(pair);
            // An ended reader needs no places.
            let _ = self.give_back.send(bytes);
        }
    }

    /// How long the next message is waited for.
    pub fn patience(&self) -> Duration {
        if self.failed { IDLE } else { self.sink.due_in().map_or(IDLE, |due| due.min(IDLE)) }
    }

    /// Changes to the next generation, whose first pair is the next one.
    fn change_over(&mut self) {
        let Some(mut successor) = self.change.take_next() else { return };
        successor.take_over(self.decider());
        self.generation += 1;
        let first = self.next;
        self.ask(|sink| sink.epoch(&successor.terms, first));
        self.successor = Some(successor);
        self.change.sink_changed(self.next);
    }

    pub fn idle(&mut self) {
        // In this order: all samples of the old generation are then in the count.
        if self.change.generation() > self.generation
            && self.shared.reader_waits()
            && self.first + self.shared.read.load(Ordering::SeqCst) == self.next
        {
            self.change_over();
        }
        self.ask(|sink| sink.idle());
    }

    /// Tells the sink where it has everything that was read so far, or lets it do what is due: messages may
    /// come so fast that nobody ever waits for one.
    pub fn settle(&mut self) {
        let taken = self.next - self.first;
        if self.shared.read.load(Ordering::SeqCst) == taken {
            self.ask(|sink| sink.settled());
        } else if self.patience().is_zero() {
            self.ask(|sink| sink.idle());
        }
    }

    fn ask(&mut self, what: impl FnOnce(&mut dyn Sink) -> Result<(), IoError>) {
        if !self.failed
            && let Err(error) = what(self.sink)
        {
            self.failed = true;
            self.fail(error);
        }
    }

    fn store(&mut self, pair: Examined) {
        let stored = if self.failed { None } else { Some(self.decide_and_store(pair)) };
        match stored {
            Some(Ok(decision)) => self.outcome.counts.add(&decision),
            Some(Err(error)) => {
                self.failed = true;
                self.outcome.unstored += 1;
                self.fail(error);
            }
            None => self.outcome.unstored += 1,
        }
    }

    fn decide_and_store(&mut self, pair: Examined) -> Result<Decision, IoError> {
        if self.sink.wants_checkpoint() {
            let state = self.decider().state();
            self.sink.checkpoint(&state)?;
        }
        let decider = self.decider();
        let moving = decider.moving_threshold();
        let decision = decider.decide(&pair)?;
        let Noted { threshold, group, choice } = decider.noted();
        let threshold = threshold.or(moving);
        let Examined { ticket, position, sample, uid, evidence } = pair;
        let Evidence { broken, embeddings, .. } = evidence;
        let judged = Judged {
            ticket,
            position,
            sample,
            uid,
            decision,
            broken,
            threshold,
            embeddings,
            choice,
            group,
        };
        self.sink.accept(&judged)?;
        Ok(decision)
    }

    /// Ends the run. The first error is the one reported: later ones follow from it.
    pub fn fail(&mut self, error: impl Into<RunError>) {
        let error = error.into();
        self.shared.abort.store(true, Ordering::SeqCst);
        match self.outcome.error {
            Some(_) => log::error!("{error}"),
            None => self.outcome.error = Some(error),
        }
    }

    /// The run has come to its end but for the sink's.
    pub fn finish(mut self, reader_ended: &Receiver<Option<IoError>>) -> Outcome {
        // A reader that is stuck in a read is left behind: it holds no sample.
        let patience = Duration::from_millis(if self.shared.stopping() { 100 } else { u64::MAX });
        match reader_ended.recv_timeout(patience) {
            Ok(Some(error)) => self.fail(error),
            Ok(None) => {}
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.fail(RunError::Panicked {
                worker: "reader".into(),
                message: "see the log above".into(),
            }),
        }
        let stopped = self.shared.signals.stop.load(Ordering::SeqCst);
        let is_whole = self.outcome.error.is_none() && !stopped;
        if is_whole && let Err(error) = self.decider().end() {
            self.fail(error);
        }
        let end = match (&self.outcome.error, stopped && !self.shared.signals.ends_by_stop) {
            (Some(_), _) => RunEnd::Failed,
            (None, true) => RunEnd::Interrupted,
            (None, false) => RunEnd::Complete,
        };
        if let Err(error) = self.outcome.settle(self.sink, end) {
            self.fail(error);
        }
        self.outcome.read = self.shared.read.load(Ordering::SeqCst);
        self.outcome.interrupted = stopped;
        self.change.end(self.successor);
        let outcome = self.outcome;
        let told = outcome.counts.decided() + outcome.unstored;
        assert_eq!(outcome.read, told, "pairs read = kept + rejected + failed + unstored");
        outcome
    }
}
