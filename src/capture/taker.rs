//! The thread that reads a camera and waits for nobody else.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::Frame;
use super::backoff::{Backoff, State};
use super::queue::{FrameQueue, Skipped};
use super::silence::Silence;
use crate::disk::IoError;
use crate::pipeline::RunError;
use crate::source::Source;

/// Time between two looks at a board that is hot.
const REST: Duration = Duration::from_millis(100);

/// Reads a camera on a thread of its own.
#[derive(Debug)]
pub struct Taker {
    error: Arc<Mutex<Option<IoError>>>,
}

impl Taker {
    /// Starts the thread, which ends with the camera, or at the first frame after `stop` is set.
    /// The queue is closed when it ends, whatever ends it.
    ///
    /// # Errors
    /// [`RunError::Thread`] if the system gives none.
    pub fn start(
        mut camera: Box<dyn Source>,
        queue: Arc<FrameQueue>,
        pace: Pace,
        silence: Arc<Silence>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, RunError> {
        let error = Arc::new(Mutex::new(None));
        let ended = error.clone();
        let spawned = thread::Builder::new().name("taker".into()).spawn(move || {
            // Closed also where the camera panics.
            let _close = Close(&queue);
            let result = take_all(&mut *camera, &queue, pace, &silence, &stop);
            *ended.lock().unwrap_or_else(|held| held.into_inner()) = result.err();
        });
        match spawned {
            Ok(_) => Ok(Self { error }),
            Err(why) => Err(RunError::Thread { name: "taker".into(), why }),
        }
    }

    /// What ended the camera, if it was an error.
    pub fn error(&self) -> Option<IoError> {
        self.error.lock().unwrap_or_else(|held| held.into_inner()).take()
    }
}

struct Close<'a>(&'a FrameQueue);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn take_all(
    camera: &mut dyn Source,
    queue: &FrameQueue,
    mut pace: Pace,
    silence: &Silence,
    stop: &AtomicBool,
) -> Result<(), IoError> {
    for number in 0.. {
        let Some(sample) = camera.next()? else { return Ok(()) };
        if stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        queue.count_read();
        while pace.waits(Instant::now()) && !stop.load(Ordering::SeqCst) {
            thread::sleep(REST);
        }
        match pace.refuses(Instant::now()) {
            Some(why) => {
                queue.count_left_out(why);
                if why == Skipped::BackedOff {
                    silence.left_out();
                }
            }
            None => queue.push(Frame { sample, time: SystemTime::now(), number }, stop),
        }
    }
    Err(IoError::Read { from: "camera".into(), why: io::Error::other("it gave 2^64 frames") })
}

/// Which frames are taken: by the interval, and by what heat and battery allow.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    backoff: Backoff,
    last: Option<Instant>,
    /// Whether the last frame that was due was left out because it is warm.
    skipped: bool,
    /// Whether frames wait for a board to cool down.
    is_patient: bool,
}

impl Pace {
    /// At most one frame in `interval`, fewer while `backoff` says so.
    pub fn new(interval: Duration, backoff: Backoff) -> Self {
        Self { interval, backoff, last: None, skipped: false, is_patient: false }
    }

    /// The same for frames that can wait, as those of a file: none is left out for heat or battery.
    pub fn patient(self) -> Self {
        Self { is_patient: true, ..self }
    }

    /// Whether the frame that is there `now` is to wait.
    fn waits(&mut self, now: Instant) -> bool {
        self.is_patient && matches!(self.backoff.look(now), State::Hot | State::Low)
    }

    /// Why the frame that comes `now` is not taken.
    fn refuses(&mut self, now: Instant) -> Option<Skipped> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            return Some(Skipped::Early);
        }
        self.last = Some(now);
        let refused = match self.backoff.look(now) {
            State::Normal => false,
            State::Warm => !self.skipped && !self.is_patient,
            State::Hot | State::Low => true,
        };
        self.skipped = refused;
        refused.then_some(Skipped::BackedOff)
    }
}
