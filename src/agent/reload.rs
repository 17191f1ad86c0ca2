//! Config and model are loaded anew while a run goes on: all or nothing.
//!
//! Everything is loaded and checked beside what works, on a thread of its own, and handed over only then.
//! Whatever is wrong with it is one log line, and what decided so far goes on.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::pipeline::{Generation, Reloads};
use crate::printable::printable_line;

/// Loads what examines and decides.
pub trait Load<E>: Send {
    /// Loads and checks it anew, and touches nothing that works; `None` where nothing differs.
    ///
    /// # Errors
    /// What is wrong, with the file, the key, the value and what is allowed.
    fn load(&mut self) -> Result<Option<Generation<E>>, Box<dyn Error>>;

    /// What was loaded last decides from the pair with this ticket on, and what was before is not used
    /// any more.
    fn took_over(&mut self, first_ticket: u64);
}

/// A thread that loads where it is asked to; it ends when this is dropped, or with its run.
#[derive(Debug)]
pub struct Reloading {
    _run: Sender<Infallible>,
}

impl Reloading {
    /// Loads by `loader` for the run of `reloads`, once for each request.
    ///
    /// # Errors
    /// The system's, which gives no thread.
    pub fn start<E: Send + 'static>(
        requests: Receiver<()>,
        reloads: Reloads<E>,
        loader: impl Load<E> + 'static,
    ) -> io::Result<Self> {
        let (run, ended) = bounded(0);
        let thread = thread::Builder::new().name("reload".into());
        thread.spawn(move || serve(&requests, &ended, &reloads, loader))?;
        Ok(Self { _run: run })
    }
}

fn serve<E>(
    requests: &Receiver<()>,
    ended: &Receiver<Infallible>,
    reloads: &Reloads<E>,
    mut loader: impl Load<E>,
) {
    loop {
        select! {
            recv(requests) -> request => if request.is_err() { return },
            recv(ended) -> _ => return,
        }
        log::info!("reload: loading config and model");
        match loaded(&mut loader) {
            Ok(Some(next)) => {
                if reloads.offer(next).is_err() {
                    return;
                }
                let Some(first_ticket) = reloads.wait() else { return };
                loader.took_over(first_ticket);
            }
            Ok(None) => log::info!("reload: nothing has changed"),
            Err(error) => log::error!("reload: {}; the old ones go on", line(&*error)),
        }
    }
}

/// What was loaded; a panic in it ends nothing that works.
fn loaded<E>(loader: &mut impl Load<E>) -> Result<Option<Generation<E>>, Box<dyn Error>> {
    let loaded = catch_unwind(AssertUnwindSafe(|| loader.load()));
    loaded.unwrap_or_else(|_| Err("loading panicked: see the log above".into()))
}

/// An error as a single line.
fn line(error: &dyn Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(|line| printable_line(line.trim()).into_owned());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}
