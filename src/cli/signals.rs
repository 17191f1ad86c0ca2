//! What the system tells the program: to stop, or to load its config anew.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::session::INTERRUPTED;

/// Flags that the first signal sets.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// The run is to end.
    pub asked: Arc<AtomicBool>,
    /// It was asked by who runs services (SIGTERM), not by a person at a terminal.
    pub terminated: Arc<AtomicBool>,
    /// Who hears of SIGHUP, which then does not end the run.
    hangups: Arc<OnceLock<Sender<()>>>,
}

impl Stop {
    /// From now on SIGHUP asks for another config, by a message here, and ends nothing; several at once
    /// are one. But where the program was started at a terminal that is gone, it ends the run as before.
    pub fn hangups(&self) -> Receiver<()> {
        let (heard, hangups) = bounded(1);
        // Asked for a second time, the first one to ask hears of them.
        let _ = self.hangups.set(heard);
        hangups
    }
}

impl Stop {
    /// Listens to Ctrl-C, SIGTERM and SIGHUP: the first one asks the run to end, the second ends the
    /// program; see [`hangups`](Self::hangups) for SIGHUP.
    ///
    /// # Errors
    /// The system's.
    #[cfg(unix)]
    pub fn on_signal() -> io::Result<Self> {
        use std::io::{IsTerminal, stderr};
        use std::sync::atomic::Ordering;

        use signal_hook::consts::SIGHUP;
        use signal_hook::iterator::Signals;

        let stop = Self::default();
        let seen = stop.clone();
        let at_terminal = stderr().is_terminal();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let has_hung_up = at_terminal && !stderr().is_terminal();
                if let (SIGHUP, false, Some(hangups)) = (signal, has_hung_up, seen.hangups.get()) {
                    // One that waits already is enough.
                    let _ = hangups.try_send(());
                    continue;
                }
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
