//! What the system tells the program: to stop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::session::INTERRUPTED;

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
    #[cfg(unix)]
    pub fn on_signal() -> io::Result<Self> {
        use std::sync::atomic::Ordering;

        use signal_hook::consts::SIGHUP;
        use signal_hook::iterator::Signals;

        let stop = Self::default();
        let seen = stop.clone();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                seen.terminated.store(signal == SIGTERM, Ordering::SeqCst);
                if seen.asked.swap(true, Ordering::SeqCst) {
                    std::process::exit(INTERRUPTED.into());
                }
                log::warn!("stopping: finishing the pairs in flight (once more to stop at once)");
            }
        })?;
        Ok(stop)
    }

    /// The same where signals come one by one only: Ctrl-C and being ended.
    ///
    /// # Errors
    /// The system's.
    #[cfg(not(unix))]
    pub fn on_signal() -> io::Result<Self> {
        use signal_hook::flag::{register, register_conditional_shutdown};

        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first one finds the flag unset.
            register_conditional_shutdown(signal, INTERRUPTED.into(), stop.asked.clone())?;
            register(signal, stop.asked.clone())?;
        }
        register(SIGTERM, stop.terminated.clone())?;
        Ok(stop)
    }
}
