//! Work over threads. They start with a call and end with it, so that a process may be forked between
//! any two calls.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Items that are worked on together, at most: of so many captions more make none of them faster.
const MOST: usize = 16;

/// How often a long call looks whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Cores that this process may run on.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Calls `work` on parts of `0..count`, on up to `threads` threads, the calling one among them, which
/// must be detached from Python; the results in the order of the parts.
///
/// # Errors
/// The first error of `work`, by the place of its part; what Python raises for a signal.
pub fn spread<T: Send, E: Send + Into<PyErr>>(
    count: usize,
    threads: usize,
    work: impl Fn(Range<usize>) -> Result<T, E> + Sync,
) -> PyResult<Vec<T>> {
    let shared = Shared { left: Mutex::new(0..count), count, threads, done: Mutex::default() };
    let interrupted = thread::scope(|scope| {
        for place in 1..threads.min(count) {
            let helper = thread::Builder::new().name(format!("pairgate-{place}"));
            // Where the system gives none, those that there are do it all.
            if helper.spawn_scoped(scope, || shared.run(&work, || Ok(()))).is_err() {
                break;
            }
        }
        let mut looked = Instant::now();
        shared.run(&work, || {
            if looked.elapsed() < LOOK_EVERY {
                return Ok(());
            }
            looked = Instant::now();
            Python::attach(|py| py.check_signals())
        })
    });
    interrupted?;
    let mut done = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(start, _)| *start);
    done.into_iter().map(|(_, result)| result.map_err(Into::into)).collect()
}

/// What the threads of one call share.
struct Shared<T, E> {
    left: Mutex<Range<usize>>,
    count: usize,
    threads: usize,
    /// Results by the start of their part.
    done: Mutex<Vec<(usize, Result<T, E>)>>,
}

impl<T, E> Shared<T, E> {
    /// Takes part after part; ends where nothing is left, and leaves nothing where `look` fails.
    fn run(
        &self,
        work: &impl Fn(Range<usize>) -> Result<T, E>,
        mut look: impl FnMut() -> PyResult<()>,
    ) -> PyResult<()> {
        while let Some(part) = self.next() {
            let start = part.start;
            let result = work(part);
            if result.is_err() {
                self.leave();
            }
            self.done.lock().unwrap_or_else(PoisonError::into_inner).push((start, result));
            if let Err(signal) = look() {
                self.leave();
                return Err(signal);
            }
        }
        Ok(())
    }

    /// The next part: smaller ones towards the end, so that no thread waits long for the others.
    fn next(&self) -> Option<Range<usize>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let size = (left.len() / (2 * self.threads)).clamp(1, MOST).min(left.len());
        let part = left.start..left.start + size;
        left.start = part.end;
        (!part.is_empty()).then_some(part)
    }

    fn leave(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = self.count..self.count;
    }
}
