//! Brings decided pairs from the spool to the output folder, and waits while that is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::output::{Output, Target};
use super::state::{Phase, State};
use super::waiting::{self, Waiting};
use crate::disk::{Disk, IoError};
use crate::journal::Terms;
use crate::store::{RunEnd, Sink};

/// Time between two looks at a spool in which nothing waits.
const NAP: Duration = Duration::from_millis(20);
/// Shortest and longest time between two tries to reach an output that is away.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A pair was brought.
    Brought,
    /// None waits.
    Idle,
}

/// Brings pairs, each exactly once: the output's journal notes the ticket of each in the spool, and what
/// it tells of is passed over.
pub struct Forwarder {
    pub(super) disk: Disk,
    pub(super) state: Arc<State>,
    pub(super) target: Target,
    /// The spool's number.
    pub(super) spool: u32,
    /// What decides where nothing waits.
    pub(super) terms: Terms,
    pub(super) output: Option<Output>,
    /// The next pair, which was read already.
    pub(super) next: Option<(u64, Waiting)>,
    /// Whether the output was looked for in this run.
    pub(super) was_tried: bool,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("folder", &self.target.folder).finish_non_exhaustive()
    }
}

impl Forwarder {
    /// Brings the next pair.
    ///
    /// # Errors
    /// [`IoError`] if the output cannot be written: the next step opens it anew, and brings everything
    /// again that is not on disk there.
    pub fn step(&mut self) -> Result<Step, IoError> {
        let step = self.try_step();
        if step.is_err() {
            self.lose_output();
        }
        step
    }

    fn try_step(&mut self) -> Result<Step, IoError> {
        if self.next.is_none() {
            self.next = self.next_waiting()?;
        }
        if self.output.is_none() && (self.next.is_some() || !self.was_tried) {
            self.was_tried = true;
            self.output = Some(self.open()?);
        }
        let Some(output) = &mut self.output else { return Ok(Step::Idle) };
        let step = match self.next.take() {
            Some((sequence, waiting)) => {
                output.take(sequence, waiting)?;
                Step::Brought
            }
            None => {
                output.sink().idle()?;
                Step::Idle
            }
        };
        self.settle()?;
        Ok(step)
    }

    fn open(&mut self) -> Result<Output, IoError> {
        let (terms, first) = match &self.next {
            Some((_, waiting)) => (&waiting.terms, waiting.judged.ticket),
            None => (&self.terms, u64::MAX),
        };
        let was_reached = self.state.brought.load(Ordering::SeqCst) > 0;
        self.target.open(&self.disk, terms, first, self.spool, was_reached)
    }

    /// The next pair that is on disk in the spool.
    fn next_waiting(&self) -> Result<Option<(u64, Waiting)>, IoError> {
        let mut spool = self.state.spool.lock();
        while let Some((sequence, payload)) = spool.next_durable()? {
            match waiting::read(&payload) {
                Some(waiting) => return Ok(Some((sequence, waiting))),
                None => spool.spoil(sequence),
            }
        }
        Ok(None)
    }

    fn settle(&mut self) -> Result<(), IoError> {
        let settled = self.output.as_mut().map_or(Ok(None), Output::settled)?;
        self.state.brought.fetch_max(settled.unwrap_or(0), Ordering::SeqCst);
        Ok(())
    }

    /// What was brought and is not on disk is brought again.
    fn lose_output(&mut self) {
        (self.output, self.next) = (None, None);
        let brought = self.state.brought.load(Ordering::SeqCst);
        self.state.spool.lock().read_again_from(brought);
    }

    /// Brings everything to disk that was brought to the output.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn sync(&mut self) -> Result<(), IoError> {
        let synced = self.output.as_mut().map_or(Ok(()), |output| output.sink().sync());
        let settled = synced.and_then(|()| self.settle());
        if settled.is_err() {
            self.lose_output();
        }
        settled
    }

    /// Ends the output folder's run, where it is open.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn finish(&mut self) -> Result<(), IoError> {
        let has_all = self.next.is_none() && self.output.as_ref().is_some_and(Output::is_settled);
        let end = if has_all { RunEnd::Complete } else { RunEnd::Interrupted };
        let Some(output) = &mut self.output else { return Ok(()) };
        output.sink().finish(end)?;
        self.settle()
    }

    /// Starts the thread that brings pairs until the run ends.
    pub(super) fn start(self) -> std::io::Result<()> {
        thread::Builder::new().name("forwarder".into()).spawn(move || self.run()).map(drop)
    }

    fn run(mut self) {
        let state = self.state.clone();
        let _ended = Ended(&state);
        let mut outage = Outage::default();
        loop {
            let phase = state.phase();
            if phase == Phase::Ending {
                break;
            }
            match self.step() {
                Ok(Step::Brought) => outage.end(&self),
                Ok(Step::Idle) if phase == Phase::Draining => break,
                Ok(Step::Idle) => {
                    if self.output.is_some() {
                        outage.end(&self);
                    }
                    state.nap(NAP);
                }
                Err(error) => {
                    outage.begin(&error);
                    if phase == Phase::Draining {
                        break;
                    }
                    state.nap(outage.wait());
                }
            }
        }
        if let Err(error) = self.sync().and_then(|()| self.finish()) {
            outage.begin(&error);
        }
    }
}

/// A time in which the output is away; it is told once.
#[derive(Default)]
struct Outage {
    told: Option<String>,
    tries: u32,
}

impl Outage {
    fn begin(&mut self, error: &IoError) {
        self.tries += 1;
        let why = error.to_string();
        if self.told.as_ref() != Some(&why) {
            log::warn!("{why}; decided pairs wait in the spool until it works");
            self.told = Some(why);
        }
    }

    fn wait(&self) -> Duration {
        let doubled = 1u32 << self.tries.saturating_sub(1).min(6);
        (FIRST_WAIT * doubled).min(LONGEST_WAIT)
    }

    fn end(&mut self, forwarder: &Forwarder) {
        self.tries = 0;
        if self.told.take().is_some() {
            log::info!("{}: it works again", forwarder.target.folder.display());
        }
    }
}

/// Says that the thread has ended, also by a panic.
struct Ended<'a>(&'a State);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.has_panicked.store(thread::panicking(), Ordering::SeqCst);
        self.0.set_ended();
    }
}
