//! What the system tells the program: to stop.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run::INTERRUPTED;

/// Flags that the first signal sets.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// The run is to end.
    pub asked: Arc<AtomicBool>,
    /// It was asked by who runs services (SIGTERM), not by a person at a terminal.
    pub terminated: Arc<AtomicBool>,
}

impl Stop {
    /// Listens to Ctrl-C, SIGTERM and SIGHUP: the first one asks the run to end, the second ends the
    /// program.
    ///
    /// # Errors
    /// The system's.
    pub fn on_signal() -> io::Result<Self> {
        let stop = Self::default();
        let seen = stop.clone();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                seen.terminated.store(signal == SIGTERM, Ordering::SeqCst);
                if seen.asked.swap(true, Ordering::SeqCst) {
                    process::exit(INTERRUPTED.into());
                }
                log::warn!("stopping: finishing the pairs in flight (once more to stop at once)");
            }
        })?;
        Ok(stop)
    }
}
