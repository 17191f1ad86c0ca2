//! What a service manager is told, by systemd's protocol: ready, how it goes, alive, stopping.
//!
//! It is told from a thread of its own, which looks at the run's [`Status`]: a service manager that
//! does not read never holds the run up. The watchdog hears only of progress: where the run's loop has
//! not come round since the last word, or pairs wait and none is decided, nothing is said, and the
//! service manager starts the program anew.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sd_notify::{NotifyState, notify, watchdog_enabled};

use crate::agent::status::{State, Status};

/// Longest time between two looks at the run.
const LOOK: Duration = Duration::from_secs(1);
/// Time between two status lines.
const LINE: Duration = Duration::from_secs(5);
/// What is asked for while the run drains and goes on; asked for again at each look.
const MORE_TIME: Duration = Duration::from_secs(30);
/// How long the last words may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells the service manager of a run until it is closed.
#[derive(Debug)]
pub struct ServiceManager {
    end: Sender<()>,
    told: Receiver<()>,
    _thread: JoinHandle<()>,
}

impl ServiceManager {
    /// Tells of `status` from now on; `None` where no service manager has asked for it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn tell(status: &Arc<Status>) -> io::Result<Option<Self>> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(None);
        }
        Self::tell_by(status, watchdog_enabled(), say).map(Some)
    }

    /// The same by `say`, with a watchdog of this time, where there is one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn tell_by(
        status: &Arc<Status>,
        watchdog: Option<Duration>,
        say: impl Fn(&[NotifyState<'_>]) + Send + 'static,
    ) -> io::Result<Self> {
        let (end, ended) = bounded(1);
        let (telling, told) = bounded(1);
        let teller = Teller::new(status.clone(), watchdog, say);
        let tell = move || {
            teller.run(&ended);
            let _ = telling.send(());
        };
        let thread = thread::Builder::new().name("service manager".into()).spawn(tell)?;
        Ok(Self { end, told, _thread: thread })
    }

    /// Says that the run stops, if that was not said yet; waits for it, but not long.
    pub fn close(self) {
        let _ = self.end.send(());
        let _ = self.told.recv_timeout(PATIENCE);
    }
}

/// The thread's side.
struct Teller<S> {
    say: S,
    status: Arc<Status>,
    watchdog: Option<Duration>,
    state: State,
    beats: u64,
    /// When the watchdog heard last, and the line was told last.
    fed: Option<Instant>,
    lined: Option<Instant>,
}

impl<S: Fn(&[NotifyState<'_>])> Teller<S> {
    fn new(status: Arc<Status>, watchdog: Option<Duration>, say: S) -> Self {
        Self { say, status, watchdog, state: State::Starting, beats: 0, fed: None, lined: None }
    }

    fn run(mut self, ended: &Receiver<()>) {
        // Half of the watchdog's time is what it is to hear at; a quarter leaves room.
        let every = self.watchdog.map_or(LOOK, |time| (time / 4).min(LOOK));
        loop {
            self.look(Instant::now());
            match ended.recv_timeout(every) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if !matches!(self.state, State::Draining | State::Ended) {
            (self.say)(&[NotifyState::Stopping]);
        }
        (self.say)(&[NotifyState::Status("ended")]);
    }

    fn look(&mut self, now: Instant) {
        let (before, state) = (self.state, self.status.run_state());
        self.state = state;
        match (before, state) {
            (State::Starting, State::Running) => (self.say)(&[NotifyState::Ready]),
            (State::Starting | State::Running, State::Draining | State::Ended) => {
                (self.say)(&[NotifyState::Stopping]);
            }
            _ => {}
        }
        let is_well = self.status.health().is_ok();
        if state == State::Draining && is_well {
            (self.say)(&[NotifyState::ExtendTimeoutUsec(MORE_TIME.as_micros() as u32)]);
        }
        self.feed(now, is_well);
        if before != state || is_due(self.lined, LINE, now) {
            self.lined = Some(now);
            (self.say)(&[NotifyState::Status(&self.line())]);
        }
    }

    /// Lets the watchdog hear of progress, at half of its time.
    fn feed(&mut self, now: Instant, is_well: bool) {
        let Some(watchdog) = self.watchdog else { return };
        let beats = self.status.beats();
        if is_well && beats != self.beats && is_due(self.fed, watchdog / 2, now) {
            (self.fed, self.beats) = (Some(now), beats);
            (self.say)(&[NotifyState::Watchdog]);
        }
    }

    fn line(&self) -> String {
        if let Err(stall) = self.status.health() {
            return stall.to_string();
        }
        let (pairs, rate) = (self.status.pairs(), self.status.pairs_per_second());
        let decided = pairs.kept + pairs.rejected + pairs.failed;
        let share = 100.0 * pairs.kept as f64 / decided.max(1) as f64;
        let (state, waiting) = (self.state.name(), pairs.in_flight);
        format!("{state}: {decided} pairs, {rate:.1}/s, {share:.1}% kept, {waiting} in flight")
    }
}

fn is_due(last: Option<Instant>, every: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= every)
}

/// A service manager that cannot be told is no reason to end; it is told of once, by the log.
fn say(states: &[NotifyState<'_>]) {
    if let Err(why) = notify(states) {
        log::debug!("the service manager was not told: {why}");
    }
}
