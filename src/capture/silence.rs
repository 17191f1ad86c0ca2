//! A camera that is open and gives no picture that can be read: it is silent, or what it gives is none.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pairgate_core::decision::Reason;

use crate::disk::IoError;
use crate::sink::{Judged, RunEnd, Sink};

/// The share of the longest silence after which it is warned of.
const WARNED_AFTER: u32 = 10;

/// Frames on their way to a decision, and when the last picture came that could be read.
#[derive(Debug)]
pub struct Silence {
    /// What the camera is called.
    from: String,
    /// Longest silence; `None`: any.
    limit: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the last frame came that could be read, or the watch began.
    seen: Instant,
    /// When the frames came that are not decided, oldest first.
    undecided: VecDeque<Instant>,
    /// Whether the silence that lasts was warned of.
    is_warned: bool,
    silences: u64,
}

impl Silence {
    /// Watches a camera that errors call `from`, and that may be silent for `limit`; `None` is as long
    /// as it likes.
    pub fn new(from: &str, limit: Option<Duration>) -> Arc<Self> {
        let seen = Instant::now();
        let state = State { seen, undecided: VecDeque::new(), is_warned: false, silences: 0 };
        Arc::new(Self { from: from.to_owned(), limit, state: Mutex::new(state) })
    }

    /// A sink that tells which frames could be read. It gets a decision for each frame that
    /// [`came`](Self::came), in their order.
    pub fn sink(self: &Arc<Self>) -> Box<dyn Sink> {
        Box::new(Readable(self.clone()))
    }

    /// Silences that were warned of.
    pub fn silences(&self) -> u64 {
        self.state().silences
    }

    /// A frame came, and will be decided on.
    pub(super) fn came(&self) {
        if self.limit.is_some() {
            self.state().undecided.push_back(Instant::now());
        }
    }

    /// The frame that came last found no place, and will not be decided on.
    pub fn shed(&self) {
        self.state().undecided.pop_back();
    }

    /// A frame came that is left out on purpose, whatever it shows.
    pub(super) fn left_out(&self) {
        self.state().hear(Instant::now());
    }

    /// Looks how long the silence is `now`: warns once of a long one.
    ///
    /// # Errors
    /// [`IoError::Read`] if it is longer than the limit.
    pub(super) fn look(&self, now: Instant) -> Result<(), IoError> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut state = self.state();
        // Whether the oldest undecided frame can be read is not known yet.
        let until = state.undecided.front().copied().unwrap_or(now);
        let silence = until.saturating_duration_since(state.seen);
        if silence > limit / WARNED_AFTER && !state.is_warned {
            state.is_warned = true;
            state.silences += 1;
            let (from, seconds, limit) = (&self.from, silence.as_secs(), limit.as_secs());
            log::warn!(
                "{from}: no picture that can be read in {seconds} s; after {limit} s the run ends \
                 (capture.max_silence_ms)"
            );
        }
        if silence > limit {
            let why = format!("no picture that can be read in {} s", silence.as_secs());
            let why = io::Error::new(io::ErrorKind::TimedOut, why + ": capture.max_silence_ms");
            return Err(IoError::Read { from: self.from.clone(), why });
        }
        Ok(())
    }

    fn decided(&self, readable: bool) {
        let mut state = self.state();
        let came = state.undecided.pop_front();
        if let Some(came) = came.filter(|_| readable) {
            state.hear(came);
        }
    }

    /// No step under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hear(&mut self, when: Instant) {
        self.seen = self.seen.max(when);
        self.is_warned = false;
    }
}

struct Readable(Arc<Silence>);

impl Sink for Readable {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.0.decided(is_readable(judged.decision.reason));
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

/// Whether the reason does not speak of a picture that cannot be read.
fn is_readable(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::ImageMissing
            | Reason::ImageTruncated
            | Reason::Undecodable
            | Reason::UnknownFormat
            | Reason::UnsupportedFormat
            | Reason::SampleTooLarge
            | Reason::FrameTorn
    )
}
