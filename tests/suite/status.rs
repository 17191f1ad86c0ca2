//! What a running command tells of itself: metrics, health, the page, the service manager.

mod client;
mod health;
mod latest;
mod metrics;
mod page;
mod program;
#[cfg(target_os = "linux")]
mod systemd;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pairgate::agent::status::{Status, StatusOptions};
use pairgate::disk::{Clock, Disk, IoError, SystemFiles};
use pairgate::source::{Member, Sample, Source};
use pairgate::store::{Judged, Sink};
use pairgate_core::config::Config;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::Uid;

/// A clock that goes on when it is told to.
#[derive(Debug, Default)]
pub struct SetClock(AtomicU64);

impl SetClock {
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A run that a test plays: its status, its clock, a source that always has one more pair, and the
/// sinks.
pub struct Played {
    pub status: Arc<Status>,
    pub clock: Arc<SetClock>,
    source: Box<dyn Source>,
    storing: Box<dyn Sink>,
    observer: Box<dyn Sink>,
    number: u64,
}

impl Played {
    pub fn new(change: impl FnOnce(&mut StatusOptions)) -> Self {
        let clock = Arc::new(SetClock::default());
        let mut options = StatusOptions::new("capture", PathBuf::from("."), &Config::default());
        options.disk = Disk::new(Arc::new(SystemFiles), clock.clone());
        options.threshold = Some(0.25);
        change(&mut options);
        let status = Status::new(options).unwrap();
        let source = status.arrivals(Box::new(Endless));
        let (storing, observer) = (status.storing(), status.observer());
        Self { status, clock, source, storing, observer, number: 0 }
    }

    /// A pair comes.
    pub fn arrive(&mut self) -> Sample {
        self.source.next().unwrap().unwrap()
    }

    /// The oldest pair is decided.
    pub fn decide(&mut self, verdict: Verdict, reason: Reason, score: Option<f32>) {
        self.decide_sample(sample("a caption", b""), verdict, reason, score);
    }

    pub fn decide_sample(
        &mut self,
        sample: Sample,
        verdict: Verdict,
        reason: Reason,
        score: Option<f32>,
    ) {
        let facts = Facts { score, ..Facts::default() };
        let decision = Decision { verdict, reason, facts };
        let judged = Judged::new(self.number, sample, Uid::default(), decision);
        self.number += 1;
        self.storing.accept(&judged).unwrap();
        self.observer.accept(&judged).unwrap();
    }
}

struct Endless;

impl Source for Endless {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        Ok(Some(sample("a caption", b"")))
    }
}

/// A pair with this caption and picture.
pub fn sample(caption: &str, picture: &[u8]) -> Sample {
    let member =
        |extension: &str, data: &[u8]| Member { extension: extension.into(), data: data.to_vec() };
    Sample {
        shard: "00000.tar".into(),
        key: "one".into(),
        members: vec![member("jpg", picture), member("txt", caption.as_bytes())],
        fault: None,
    }
}

/// Waits for what must become so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}
