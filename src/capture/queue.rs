//! The frame queue: lock-free, a fixed number of places, and a decision for when it is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use pairgate_core::config::OnFull;

use super::Frame;

/// Time between two looks at a queue that is full, or empty.
const NAP: Duration = Duration::from_millis(1);

/// Frames between the taker and the pipeline, and what became of the others.
#[derive(Debug)]
pub struct FrameQueue {
    frames: ArrayQueue<Frame>,
    on_full: OnFull,
    closed: AtomicBool,
    tally: Tally,
}

/// Frames by what became of them before the gate saw them.
#[derive(Debug, Default)]
struct Tally {
    read: AtomicU64,
    shed: AtomicU64,
    early: AtomicU64,
    backed_off: AtomicU64,
}

/// Frames by what became of them before the gate saw them: `read` is the sum of the next three and of
/// those that the gate got or will get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Frames that the camera gave.
    pub read: u64,
    /// Left out because the queue was full.
    pub shed: u64,
    /// Left out because they came before the interval was over.
    pub early: u64,
    /// Left out because of heat or a low battery.
    pub backed_off: u64,
    /// Times without a picture that were long enough for a warning; not frames.
    pub silences: u64,
}

/// What is in the queue.
#[derive(Debug)]
pub(super) enum Next {
    /// The oldest frame.
    Frame(Frame),
    /// None so far.
    Empty,
    /// None, and none will follow.
    Ended,
}

/// Why a frame does not reach the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    Early,
    BackedOff,
}

/// Waits before the next look at the queue.
pub(super) fn nap() {
    thread::sleep(NAP);
}

impl FrameQueue {
    /// A queue with `places`, at least one.
    pub fn new(places: usize, on_full: OnFull) -> Arc<Self> {
        Arc::new(Self {
            frames: ArrayQueue::new(places.max(1)),
            on_full,
            closed: AtomicBool::new(false),
            tally: Tally::default(),
        })
    }

    /// Adds a frame. Waits where the queue is full and the config says so, but not once `stop` is
    /// set.
    pub fn push(&self, frame: Frame, stop: &AtomicBool) {
        match self.on_full {
            // Behind it is a disk, which may be slow too.
            OnFull::DropNewest | OnFull::Spool => {
                if self.frames.push(frame).is_err() {
                    self.tally.shed.fetch_add(1, Ordering::Relaxed);
                }
            }
            OnFull::DropOldest => {
                if self.frames.force_push(frame).is_some() {
                    self.tally.shed.fetch_add(1, Ordering::Relaxed);
                }
            }
            OnFull::Block => self.wait_and_push(frame, stop),
        }
    }

    fn wait_and_push(&self, mut frame: Frame, stop: &AtomicBool) {
        while let Err(refused) = self.frames.push(frame) {
            if stop.load(Ordering::SeqCst) {
                self.tally.shed.fetch_add(1, Ordering::Relaxed);
                return;
            }
            frame = refused;
            nap();
        }
    }

    /// The oldest frame; waits for one. `None` when the queue is closed and empty, or `stop` set.
    pub fn pop(&self, stop: &AtomicBool) -> Option<Frame> {
        loop {
            match self.next(stop) {
                Next::Frame(frame) => return Some(frame),
                Next::Empty => nap(),
                Next::Ended => return None,
            }
        }
    }

    /// The oldest frame, where there is one; the queue has ended when it is closed and empty, or
    /// `stop` set.
    pub(super) fn next(&self, stop: &AtomicBool) -> Next {
        // Looked at before the queue: what was pushed before it was closed is then seen.
        let closed = self.closed.load(Ordering::SeqCst);
        match self.frames.pop() {
            Some(frame) => Next::Frame(frame),
            None if closed || stop.load(Ordering::SeqCst) => Next::Ended,
            None => Next::Empty,
        }
    }

    /// No frame will follow.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn count_read(&self) {
        self.tally.read.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_left_out(&self, why: Skipped) {
        let count = match why {
            Skipped::Early => &self.tally.early,
            Skipped::BackedOff => &self.tally.backed_off,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames that wait for the gate.
    pub fn waiting(&self) -> usize {
        self.frames.len()
    }

    /// What became of frames so far.
    pub fn taken(&self) -> Taken {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Tally { read, shed, early, backed_off } = &self.tally;
        Taken {
            read: get(read),
            shed: get(shed),
            early: get(early),
            backed_off: get(backed_off),
            silences: 0,
        }
    }
}
