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
mod drain;
mod error;
mod levels;
mod reader;
mod reload;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, never};
use pairgate_core::config::PipelineConfig;
use pairgate_core::pair::Position;
use pairgate_core::stats::Counts;

use crate::decide::{Decider, Examined};
use crate::disk::IoError;
use crate::gate::Examine;
use crate::sink::Sink;
use crate::source::{Sample, Source};

pub use aside::Aside;
pub use error::RunError;
pub use levels::Levels;
pub use reload::{Generation, Reloads, Successor};

use drain::Drain;
use reader::Reader;

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
                        drain.settle();
                    }
                }
                Err(RecvTimeoutError::Timeout) => drain.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            watch(&drain.outcome.counts);
        }
        let outcome = drain.finish(&reader_ended);
        reloads.forget();
        outcome
    }
}
