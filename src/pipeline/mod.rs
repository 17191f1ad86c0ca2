//! Source, workers and sink, joined by two bounded queues.
//!
//! ```text
//! reader thread -> [queue of samples] -> worker threads -> [queue of batches] -> caller's thread:
//!       ^                                                                         decider, sink
//!       ^                                                                              |
//!       +----------------------- places given back, in bytes -------------------------+
//! ```
//! - Decisions reach the sink in the source's order, whatever the workers' order, so that a second
//!   run writes the same bytes.
//! - The reader keeps at most a fixed number of samples, and of bytes, between itself and the sink:
//!   one slow pair cannot make the others pile up behind it.
//! - The end of the input, a failing part and a request to stop all end the run the same way: the
//!   reader stops, and what it had read is judged, stored and counted.
//! - What examines and decides may be changed while it goes on: see [`Reloads`].

mod aside;
mod error;
mod levels;
mod reload;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never};
use pairgate_core::config::PipelineConfig;
use pairgate_core::decision::Decision;
use pairgate_core::pair::Position;
use pairgate_core::stats::Counts;

use crate::decide::{Decider, Examined};
use crate::disk::IoError;
use crate::gate::Examine;
use crate::sink::{Judged, RunEnd, Sink};
use crate::source::{Sample, Source};

pub use aside::Aside;
pub use error::RunError;
pub use levels::Levels;
pub use reload::{Generation, Reloads, Successor};

use reload::Change;

/// What a run is told from outside while it goes on.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// Ends the run early once it is true.
    pub stop: Arc<AtomicBool>,
    /// Workers take one pair at a time while it is true.
    pub gentle: Arc<AtomicBool>,
    /// Whether the source has no end but being stopped: a run that is stopped is then complete.
    pub ends_by_stop: bool,
    /// How full the run's queues are, told to whoever holds it.
    pub levels: Arc<Levels>,
}

/// How long the sink's side waits before it calls [`Sink::idle`].
const IDLE: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// Samples that were read and handed to the workers.
    pub read: u64,
    /// How the stored decisions came out.
    pub counts: Counts,
    /// Decided pairs that should be in storage and are not, because a sink failed; those counted
    /// here are not in `counts`, and `read` is the sum of both.
    pub unstored: u64,
    /// Stored pairs of this run or earlier ones that were removed to make room, or for their age; they
    /// are in `counts` all the same.
    pub dropped: u64,
    /// Whether the run was asked to stop before the input ended.
    pub interrupted: bool,
    /// What ended the run early, if anything did.
    pub error: Option<RunError>,
}

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

/// A sample and its place in the source's order.
struct Ticket {
    number: u64,
    /// Number of the generation that it is examined by.
    generation: u64,
    position: Position,
    sample: Sample,
}

/// What a worker tells the sink's side.
enum Message {
    /// Samples that the generation with this number has examined.
    Batch(u64, Vec<Examined>),
    /// The worker cannot go on; it gives what it still receives as not judged.
    Broken(RunError),
}

/// What reader and workers know of each other, beside the queue.
struct Shared {
    signals: Signals,
    /// A part failed.
    abort: AtomicBool,
    /// Where the reader is: see [`reader_is_idle`](Shared::reader_is_idle).
    reader: AtomicU8,
    read: AtomicU64,
}

/// The reader waits for its source, and holds no sample.
const READING: u8 = 0;
/// The reader has a sample that it may still send.
const HOLDING: u8 = 1;

impl Shared {
    fn stopping(&self) -> bool {
        self.signals.stop.load(Ordering::SeqCst) || self.abort.load(Ordering::SeqCst)
    }

    /// Whether the reader will send nothing more although it has not ended, because it is stuck
    /// in a read (a silent pipe) while the run is stopping. It goes to `HOLDING` before it looks
    /// whether the run is stopping; so whoever sees `stopping` and then `READING` knows that the
    /// reader will see `stopping` too, and send nothing. Sequential consistency makes that hold.
    fn reader_is_idle(&self) -> bool {
        self.stopping() && self.reader_waits()
    }

    /// Whether the reader waits for its source. It goes to `HOLDING` before it looks at the generation's
    /// number; so whoever sees a new number and then `READING` knows that the reader will see that number
    /// too, and that all samples of the old one were sent.
    fn reader_waits(&self) -> bool {
        self.reader.load(Ordering::SeqCst) == READING
    }
}

/// A run: what it reads from, what decides and what takes the decisions.
pub struct Run<'a> {
    /// Where pairs come from; it is read on a thread of its own.
    pub source: Box<dyn Source>,
    /// Decides, on the calling thread, in the source's order.
    pub decider: &'a mut dyn Decider,
    /// Takes the decided pairs, there too.
    pub sink: &'a mut dyn Sink,
    /// How the work is spread.
    pub config: &'a PipelineConfig,
    /// What the run is told from outside.
    pub signals: &'a Signals,
    /// Ticket of the first pair.
    pub first_ticket: u64,
}

impl Run<'_> {
    /// Runs all pairs through `examiners`, one worker thread each. `watch` is called after every
    /// batch, and about once a second while none comes.
    ///
    /// Nothing is lost without being counted: see [`Outcome`]. A failing or panicking part ends the
    /// run with its error after everything read was accounted for.
    pub fn through<E: Examine + 'static>(
        self,
        examiners: Vec<E>,
        watch: impl FnMut(&Counts),
    ) -> Outcome {
        let reloads = Reloads::new(examiners.len());
        self.through_generations(examiners, &reloads, never(), watch)
    }

    /// The same where other examiners and another decider may be offered while it goes on. Beside the
    /// run's own pairs its workers examine those that come by `asides`, which leave no trace in it; what
    /// still waits there when the run ends is dropped.
    pub fn through_generations<E: Examine + 'static>(
        self,
        examiners: Vec<E>,
        reloads: &Reloads<E>,
        asides: Receiver<Aside>,
        mut watch: impl FnMut(&Counts),
    ) -> Outcome {
        let Self { source, decider, sink, config, signals, first_ticket } = self;
        let shared = Arc::new(Shared {
            signals: signals.clone(),
            abort: AtomicBool::new(false),
            reader: AtomicU8::new(READING),
            read: AtomicU64::new(0),
        });
        let window = config.queue + 2 * examiners.len() * config.batch;
        let (to_workers, tickets) = bounded::<Ticket>(config.queue);
        let (to_sink, messages) = bounded::<Message>(2 * examiners.len());
        // Room for everything in flight, so that giving back never waits.
        let (give_back, returned) = bounded::<u64>(window + 1);

        let reader = Reader {
            shared: shared.clone(),
            change: reloads.change.clone(),
            to_workers,
            returned,
            window,
            config: *config,
            first_ticket,
        };
        let (ended, reader_ended) = bounded::<Option<IoError>>(1);
        let spawned = thread::Builder::new().name("reader".into()).spawn(move || {
            let _ = ended.send(reader.run(source));
        });
        let change = reloads.change.clone();
        let mut drain = Drain::new(decider, sink, shared.clone(), change, give_back, first_ticket);
        if let Err(why) = spawned {
            drain.fail(RunError::Thread { name: "reader".into(), why });
        }
        let work = worker::Work { tickets, asides };
        worker::spawn_all(examiners, reloads, config.batch, &shared, &work, &to_sink, &mut drain);
        drop((work, to_sink));
        loop {
            match messages.recv_timeout(drain.patience()) {
                Ok(message) => {
                    drain.take(message);
                    if messages.is_empty() {
                        drain.settle_if_all_is_taken();
                    }
                }
                Err(RecvTimeoutError::Timeout) => drain.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            watch(&drain.outcome.counts);
        }
        let outcome = finish(drain, &reader_ended);
        reloads.forget();
        outcome
    }
}

fn finish(mut drain: Drain<'_>, reader_ended: &Receiver<Option<IoError>>) -> Outcome {
    // A reader that is stuck in a read is left behind: it holds no sample.
    let patience = Duration::from_millis(if drain.shared.stopping() { 100 } else { u64::MAX });
    match reader_ended.recv_timeout(patience) {
        Ok(Some(error)) => drain.fail(error),
        Ok(None) => {}
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => drain.fail(RunError::Panicked {
            worker: "reader".into(),
            message: "see the log above".into(),
        }),
    }
    let stopped = drain.shared.signals.stop.load(Ordering::SeqCst);
    let is_whole = drain.outcome.error.is_none() && !stopped;
    if is_whole && let Err(error) = drain.decider().end() {
        drain.fail(error);
    }
    let end = match (&drain.outcome.error, stopped && !drain.shared.signals.ends_by_stop) {
        (Some(_), _) => RunEnd::Failed,
        (None, true) => RunEnd::Interrupted,
        (None, false) => RunEnd::Complete,
    };
    if let Err(error) = drain.outcome.settle(drain.sink, end) {
        drain.fail(error);
    }
    drain.outcome.read = drain.shared.read.load(Ordering::SeqCst);
    drain.outcome.interrupted = stopped;
    drain.change.end(drain.successor);
    let outcome = drain.outcome;
    let told = outcome.counts.decided() + outcome.unstored;
    assert_eq!(outcome.read, told, "pairs read = kept + rejected + failed + unstored");
    outcome
}

/// The reader thread's side.
struct Reader {
    shared: Arc<Shared>,
    change: Arc<Change>,
    to_workers: Sender<Ticket>,
    returned: Receiver<u64>,
    window: usize,
    config: PipelineConfig,
    first_ticket: u64,
}

impl Reader {
    /// Reads until the source ends, fails, or the run stops; gives the source's error.
    fn run(self, mut source: Box<dyn Source>) -> Option<IoError> {
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

/// The caller's side: restores the source's order, decides, counts, and goes on counting after a
/// failure.
struct Drain<'s> {
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
    outcome: Outcome,
}

impl<'s> Drain<'s> {
    fn new(
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

    fn take(&mut self, message: Message) {
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
    fn patience(&self) -> Duration {
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

    fn idle(&mut self) {
        // In this order: all samples of the old generation are then in the count.
        if self.change.generation() > self.generation
            && self.shared.reader_waits()
            && self.first + self.shared.read.load(Ordering::SeqCst) == self.next
        {
            self.change_over();
        }
        self.ask(|sink| sink.idle());
    }

    /// Tells the sink where it has everything that was read so far.
    fn settle_if_all_is_taken(&mut self) {
        let taken = self.next - self.first;
        if self.shared.read.load(Ordering::SeqCst) == taken {
            self.ask(|sink| sink.settled());
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
        let threshold = decider.moving_threshold();
        let decision = decider.decide(&pair)?;
        let Examined { ticket, position, sample, uid, evidence } = pair;
        let broken = evidence.broken;
        let judged = Judged { ticket, position, sample, uid, decision, broken, threshold };
        self.sink.accept(&judged)?;
        Ok(decision)
    }

    /// Ends the run. The first error is the one reported: later ones follow from it.
    fn fail(&mut self, error: impl Into<RunError>) {
        let error = error.into();
        self.shared.abort.store(true, Ordering::SeqCst);
        match self.outcome.error {
            Some(_) => log::error!("{error}"),
            None => self.outcome.error = Some(error),
        }
    }
}
