//! Long work that listens for Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

/// How often it is looked whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs `work` on a thread of its own, detached from Python, until it ends. What it is given is set where it
/// is to end early.
///
/// # Errors
/// What Python raises for a signal; the system's error where there is no thread.
pub fn waited<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    let stop = &AtomicBool::new(false);
    py.detach(|| {
        thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let worker = thread::Builder::new().name("pairgate-select".into());
            let worker = worker.spawn_scoped(scope, move || {
                // Held until the work has ended, however that is.
                let _done = done;
                work(stop)
            })?;
            let mut signal = Ok(());
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY) {
                if signal.is_ok() {
                    signal = Python::attach(|py| py.check_signals());
                    stop.store(signal.is_err(), Ordering::SeqCst);
                }
            }
            let made = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            signal.map(|()| made)
        })
    })
}
