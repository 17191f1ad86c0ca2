//! From a source into a spool, on a thread of its own.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Push;
use super::pair::write_pair;
use super::source::SharedSpool;
use crate::disk::IoError;
use crate::source::{Sample, Source};

/// Time between two looks at a full spool.
const NAP: Duration = Duration::from_millis(20);

/// What becomes of a pair for which a spool has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is left out, and counted.
    DropNewest,
    /// The oldest pairs make room for it, and are counted.
    DropOldest,
    /// It waits, and so does its source.
    Block,
}

/// A thread that brings a source's pairs into a spool. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct Filler {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    has_ended: AtomicBool,
    taken: AtomicU64,
    shed: AtomicU64,
    error: Mutex<Option<IoError>>,
}

impl Filler {
    /// Starts the thread, which ends with the source. `shed` is called for each pair that is left out.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system gives no thread.
    pub fn start(
        source: Box<dyn Source>,
        spool: SharedSpool,
        when_full: WhenFull,
        stop: Arc<AtomicBool>,
        shed: impl Fn() + Send + 'static,
    ) -> Result<Self, IoError> {
        let state = Arc::new(State::default());
        let filling = Filling { source, spool, when_full, stop, state: state.clone() };
        let spawned = thread::Builder::new().name("spool".into()).spawn(move || filling.run(shed));
        match spawned {
            Ok(_) => Ok(Self { state }),
            Err(why) => Err(IoError::Write { to: "the spool".into(), why }),
        }
    }

    /// Whether all that the source gave is in the spool, or left out.
    pub fn has_ended(&self) -> bool {
        self.state.has_ended.load(Ordering::SeqCst)
    }

    /// Waits for that, for some time.
    pub fn wait(&self, most: Duration) -> bool {
        let begin = Instant::now();
        while !self.has_ended() && begin.elapsed() < most {
            thread::sleep(Duration::from_millis(1));
        }
        self.has_ended()
    }

    /// What ended it, if it was an error; given once.
    pub fn error(&self) -> Option<IoError> {
        self.state.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Pairs that were brought into the spool.
    pub fn taken(&self) -> u64 {
        self.state.taken.load(Ordering::SeqCst)
    }

    /// Pairs that were left out: there was no room.
    pub fn shed(&self) -> u64 {
        self.state.shed.load(Ordering::SeqCst)
    }
}

struct Filling {
    source: Box<dyn Source>,
    spool: SharedSpool,
    when_full: WhenFull,
    stop: Arc<AtomicBool>,
    state: Arc<State>,
}

/// Says that the thread has ended, also where the source panics.
struct Ended<'a>(&'a State);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let why = io::Error::other("the thread panicked; see the log above");
            self.0.fail(IoError::Read { from: "the spool's source".into(), why });
        }
        self.0.has_ended.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn fail(&self, error: IoError) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Filling {
    fn run(mut self, shed: impl Fn()) {
        let state = self.state.clone();
        let _ended = Ended(&state);
        if let Err(error) = self.fill(&shed) {
            state.fail(error);
        }
    }

    fn fill(&mut self, shed: &impl Fn()) -> Result<(), IoError> {
        while let Some(sample) = self.source.next()? {
            match self.push(&sample)? {
                true => self.state.taken.fetch_add(1, Ordering::SeqCst),
                false => {
                    shed();
                    self.state.shed.fetch_add(1, Ordering::SeqCst)
                }
            };
        }
        self.spool.lock().sync()
    }

    /// Whether it was taken.
    fn push(&self, sample: &Sample) -> Result<bool, IoError> {
        let payload = write_pair(sample, &[]);
        loop {
            let mut spool = self.spool.lock();
            match spool.push(&payload)? {
                Push::Taken(_) => return Ok(true),
                Push::TooLarge => {
                    log::warn!("{:?} is larger than the spool, and left out", sample.key);
                    return Ok(false);
                }
                Push::Full => match self.when_full {
                    WhenFull::DropNewest => return Ok(false),
                    // A disk that others have filled has no room whatever is dropped here.
                    WhenFull::DropOldest if spool.bytes() == 0 => return Ok(false),
                    WhenFull::DropOldest => drop(spool.drop_oldest()?),
                    WhenFull::Block if self.stop.load(Ordering::SeqCst) => return Ok(false),
                    WhenFull::Block => {
                        drop(spool);
                        thread::sleep(NAP);
                    }
                },
            }
        }
    }
}
