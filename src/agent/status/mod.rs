//! What a running command tells of itself: counts, latencies, scores, progress, the machine.
//!
//! A [`Status`] is shared. The run counts into it as pairs pass, through what stands around the run:
//! [`Status::arrivals`] before it, [`Status::storing`] and [`Status::observer`] among its sinks, and
//! [`Status::beat`] where its loop comes round. Whoever asks takes a [`Snapshot`], of which metrics,
//! the page and the service manager's line are made, so that they never contradict each other.
//!
//! Where pairs pass, counts are atomic additions. Scores and arrivals are under locks that nobody
//! holds longer than copying a sketch takes. Pictures are made small on a thread of their own, and
//! only while somebody looks.

mod arrivals;
mod counters;
mod history;
mod latest;
mod machine;
#[cfg(feature = "serve")]
mod metrics;
#[cfg(feature = "serve")]
mod page;
mod progress;
#[cfg(feature = "serve")]
mod routes;
mod scores;
mod sinks;
mod snapshot;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pairgate_core::config::{Config, ThermalConfig};
use pairgate_core::policy::pooled_score;

use crate::capture::queue::FrameQueue;
use crate::disk::Disk;
use crate::gate::{Latency, Stages};
use crate::journal::Terms;
use crate::pipeline::{Levels, Outcome};
use crate::store::{Judged, Sink};

use arrivals::Waiting;
use counters::Counters;
use history::History;
use latest::Latest;
use machine::Looks;
use scores::Scores;

pub use arrivals::Arrivals;
pub use machine::Machine;
#[cfg(feature = "serve")]
pub use metrics::{CONTENT_TYPE, text as metrics_text};
#[cfg(feature = "serve")]
pub use page::{html as page_html, policy as page_policy};
pub use progress::{Stall, State};
#[cfg(feature = "serve")]
pub use routes::routes;
pub use snapshot::{Pairs, Snapshot};

/// What is told of a run beside what is counted.
#[derive(Debug, Clone)]
pub struct StatusOptions {
    /// The command, such as `capture`.
    pub command: &'static str,
    /// The folder that kept pairs go to.
    pub output: PathBuf,
    /// The model's digest.
    pub model: String,
    /// The threshold that the run starts with.
    pub threshold: Option<f32>,
    /// The model's calibration: quantiles of its scores, evenly spaced from 0 % to 100 %; empty where
    /// it is not calibrated.
    pub calibration: Vec<f32>,
    /// The population stability index above which scores have drifted; 0: not looked at.
    pub drift_alarm: f64,
    /// Bytes that the output's shards may come to; 0: no bound.
    pub max_bytes: u64,
    /// Where the temperature is read, and from which on it is warm.
    pub thermal: ThermalConfig,
    /// Longest time without progress.
    pub max_stall: Duration,
    /// Latest kept, and rejected, pairs that are shown.
    pub thumbnails: usize,
    /// Largest picture that is made small, in bytes that decoding it takes.
    pub max_decode_bytes: u64,
    /// Is true once the run is to end.
    pub stop: Arc<AtomicBool>,
    /// Samples that wait for the run's workers.
    pub levels: Arc<Levels>,
    /// The clock.
    pub disk: Disk,
}

impl StatusOptions {
    /// What `config` says of a run of `command` into `output`, by the system's clock; nothing is known
    /// of the model yet.
    pub fn new(command: &'static str, output: PathBuf, config: &Config) -> Self {
        Self {
            command,
            output,
            model: String::new(),
            threshold: None,
            calibration: Vec::new(),
            drift_alarm: config.tracker.drift_alarm,
            max_bytes: config.storage.max_bytes,
            thermal: config.thermal.clone(),
            max_stall: Duration::from_millis(config.agent.max_stall_ms),
            thumbnails: config.agent.thumbnails as usize,
            max_decode_bytes: config.image.max_decode_bytes,
            stop: Arc::default(),
            levels: Arc::default(),
            disk: Disk::system(),
        }
    }
}

/// What a running command tells of itself. See the module's page.
#[derive(Debug)]
pub struct Status {
    options: StatusOptions,
    model: Mutex<Judging>,
    state: progress::Progress,
    counters: Counters,
    waiting: Mutex<Waiting>,
    stages: Arc<Stages>,
    store: Latency,
    /// When storing the pair began that is being stored.
    storing_since: Mutex<Option<Duration>>,
    pair: Latency,
    scores: Mutex<Scores>,
    history: Mutex<History>,
    looks: Mutex<Looks>,
    latest: Latest,
    frames: OnceLock<Arc<FrameQueue>>,
    spool: Spool,
}

/// How full the spool is, where there is one: others set it.
#[derive(Debug, Default)]
pub struct Spool {
    /// Pairs that wait.
    pub pairs: AtomicU64,
    /// Bytes that they take.
    pub bytes: AtomicU64,
    /// Bytes that they may take; 0: there is no spool.
    pub max_bytes: AtomicU64,
    /// Whether it takes no more.
    pub is_full: AtomicBool,
}

/// The model that scores now.
#[derive(Debug)]
struct Judging {
    digest: String,
    calibration: Vec<f32>,
}

impl Status {
    /// A status of a run that has not begun.
    ///
    /// # Errors
    /// The system gives no thread for the pictures of the latest pairs.
    pub fn new(options: StatusOptions) -> std::io::Result<Arc<Self>> {
        let now = options.disk.elapsed();
        let latest = Latest::new(options.thumbnails, options.max_decode_bytes)?;
        Ok(Arc::new(Self {
            model: Mutex::new(Judging {
                digest: options.model.clone(),
                calibration: options.calibration.clone(),
            }),
            state: progress::Progress::new(now),
            counters: Counters::default(),
            waiting: Mutex::default(),
            stages: Arc::default(),
            store: Latency::default(),
            storing_since: Mutex::default(),
            pair: Latency::default(),
            scores: Mutex::new(Scores::new(options.threshold)),
            history: Mutex::new(History::new(now)),
            looks: Mutex::default(),
            latest,
            frames: OnceLock::new(),
            spool: Spool::default(),
            options,
        }))
    }

    /// Other terms decide from here on. Of another model's scores no calibration is known.
    fn set_terms(&self, terms: &Terms) {
        let digest = terms.model().to_string();
        let (mut model, mut scores) = (lock(&self.model), lock(&self.scores));
        if model.digest != digest {
            *model = Judging { digest, calibration: Vec::new() };
            *scores = Scores::new(None);
        }
        scores.set_threshold(terms.threshold);
    }

    /// Bytes of memory that a status takes at worst.
    pub fn memory(config: &Config) -> u64 {
        scores::MEMORY + Latest::memory(config)
    }

    /// Where gates count how long their stages take.
    pub fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    /// How full the spool is, to be set.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// A camera's frames wait in `queue`, which counts those that are left out.
    pub fn set_frames(&self, queue: Arc<FrameQueue>) {
        // There is one queue a run.
        let _ = self.frames.set(queue);
    }

    /// Counts pairs that came and were never judged, because nowhere was room for them.
    pub fn count_dropped(&self, pairs: u64) {
        self.counters.dropped.fetch_add(pairs, Ordering::Relaxed);
    }

    /// Counts a request that was refused with an HTTP status.
    pub fn count_refused(&self, status: u16) {
        *lock(&self.counters.refused).entry(status).or_default() += 1;
    }

    /// A sink to stand before the one that stores: the time from it to the
    /// [`observer`](Self::observer) is what storing a pair takes.
    pub fn storing(self: &Arc<Self>) -> Box<dyn Sink> {
        Box::new(sinks::Storing(self.clone()))
    }

    /// A sink to stand last: it counts what all others have taken.
    pub fn observer(self: &Arc<Self>) -> Box<dyn Sink> {
        Box::new(sinks::Observer(self.clone()))
    }

    /// The run's loop has come round.
    pub fn beat(&self) {
        let now = self.now();
        self.state.beat(now);
        let (decided, kept) = self.counters.decided_and_kept();
        lock(&self.history).note(now, decided, kept);
    }

    /// The run is over: what it came to stands.
    pub fn ended(&self, outcome: &Outcome) {
        self.counters.unstored.store(outcome.unstored, Ordering::Relaxed);
        lock(&self.waiting).clear();
        self.state.end();
    }

    /// Whether the run makes progress.
    ///
    /// # Errors
    /// [`Stall`]: what stands still, and for how long.
    pub fn health(&self) -> Result<(), Stall> {
        let waiting = lock(&self.waiting);
        let (pairs, since) = (waiting.len(), waiting.oldest());
        drop(waiting);
        self.state.health(self.now(), self.options.max_stall, pairs, since)
    }

    /// Whether more work can be given to it.
    ///
    /// # Errors
    /// Why not.
    pub fn readiness(&self) -> Result<(), String> {
        match self.run_state() {
            State::Starting => return Err("starting".into()),
            State::Draining => return Err("draining".into()),
            State::Ended => return Err("the run has ended".into()),
            State::Running => {}
        }
        if self.spool.is_full.load(Ordering::Relaxed) {
            return Err("the spool is full".into());
        }
        self.health().map_err(|stall| stall.to_string())
    }

    /// Where the run is.
    pub fn run_state(&self) -> State {
        self.state.state(self.options.stop.load(Ordering::SeqCst))
    }

    /// How often the run's loop has come round.
    pub fn beats(&self) -> u64 {
        self.state.beats()
    }

    /// How the machine is; looked at once in a while, on the calling thread.
    pub fn machine(&self) -> Machine {
        let (now, options) = (self.now(), &self.options);
        lock(&self.looks).look(now, &options.output, options.thermal.zone.as_str())
    }

    /// Pairs decided a second, over the last ten.
    pub fn pairs_per_second(&self) -> f64 {
        lock(&self.history).rate(self.now())
    }

    /// Frames or pairs that came and were never judged, because nowhere was room for them.
    pub fn dropped(&self) -> u64 {
        let shed = self.frames.get().map_or(0, |queue| queue.taken().shed);
        self.counters.dropped.load(Ordering::Relaxed) + shed
    }

    fn arrived(&self) {
        lock(&self.waiting).arrived(self.now());
        self.counters.arrived.fetch_add(1, Ordering::Relaxed);
    }

    fn decided(&self, judged: &Judged) {
        let now = self.now();
        let decision = &judged.decision;
        self.counters.add(decision);
        self.state.decided(now);
        if let Some(came) = lock(&self.waiting).decided() {
            self.pair.observe(now.saturating_sub(came));
        }
        let score = pooled_score(decision.reason, &decision.facts);
        if score.is_some() || judged.threshold.is_some() {
            lock(&self.scores).add(score, judged.threshold);
        }
        self.latest.offer(now, judged);
    }

    fn now(&self) -> Duration {
        self.options.disk.elapsed()
    }
}

/// No step under these locks leaves what they hold half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
