//! All that is told of a run, at one moment: the answer of `/status.json`, and what metrics are made
//! of.

use std::sync::atomic::Ordering;

use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use serde::Serialize;

use super::latest::Shown;
use super::machine::Machine;
use super::progress::State;
use super::scores::{self, RANKS};
use super::{Status, lock};
use crate::decide::Distance;
use crate::gate::{BUCKETS, Latency, Stage};

/// A run at one moment. Times are in seconds, sizes in bytes, shares from 0 to 1.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The program's version.
    pub version: &'static str,
    /// The command that runs.
    pub command: &'static str,
    /// The model's digest.
    pub model: String,
    /// Since the run was set up.
    pub uptime_seconds: f64,
    /// `starting`, `running`, `draining` or `ended`.
    pub state: &'static str,
    /// Why it is unhealthy, where it is.
    pub stalled: Option<String>,
    /// Time without progress.
    pub last_progress_seconds: f64,
    /// What became of pairs.
    pub pairs: Pairs,
    /// The same by verdict and reason, the most frequent first.
    pub reasons: Vec<ReasonRow>,
    /// Requests that were refused, by HTTP status.
    pub refused: Vec<(u16, u64)>,
    /// Pairs decided a second, over the last ten.
    pub pairs_per_second: f64,
    /// Pairs decided, and kept, in each of the last 120 seconds, oldest first.
    pub seconds: Vec<(u64, u64)>,
    /// The last scores.
    pub scores: ScoreSummary,
    /// How long pairs take.
    pub latencies: Vec<LatencyRow>,
    /// Pairs that wait, by where they do.
    pub queues: Vec<(&'static str, u64)>,
    /// A camera's frames, where there is a camera.
    pub frames: Option<Frames>,
    /// The spool, where there is one.
    pub spool: Option<SpoolLevel>,
    /// The machine.
    pub machine: Machine,
    /// Bytes that the output's shards may come to; 0: no bound.
    pub max_bytes: u64,
    /// Degrees Celsius from which it is warm, and hot.
    pub warm_celsius: f32,
    /// As above.
    pub hot_celsius: f32,
    /// Latest kept, and as many rejected, pairs that are shown; 0: none.
    pub thumbnails: usize,
    /// Latest kept and rejected pairs that are newer than was asked, oldest first; empty where nobody
    /// asked for them.
    pub latest: Vec<Shown>,
    #[serde(skip)]
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "metrics are made of it"))]
    pub(super) counts: Counts,
}

/// What became of pairs: `received` is the sum of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// Came in.
    pub received: u64,
    /// Passed.
    pub kept: u64,
    /// Broke a rule, or the score was too low.
    pub rejected: u64,
    /// Could not be judged.
    pub failed: u64,
    /// Decided, to be stored, and not stored because an output failed.
    pub unstored: u64,
    /// Never judged, because nowhere was room for them.
    pub dropped: u64,
    /// On their way.
    pub in_flight: u64,
}

/// How many pairs ended for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// The verdict's name.
    pub verdict: &'static str,
    /// The reason's name.
    pub reason: &'static str,
    /// Pairs.
    pub count: u64,
}

/// The last 10,000 to 20,000 scores.
#[derive(Debug, Clone, Serialize)]
pub struct ScoreSummary {
    /// Lowest score that passes now.
    pub threshold: Option<f32>,
    /// Scores that are looked at.
    pub count: u64,
    /// Ranks, 0 to 1, and the score below which that share of them lies.
    pub quantiles: Vec<(f64, f32)>,
    /// How many are in each of equal parts from -1 to 1.
    pub bins: Vec<u32>,
    /// How far they are from the model's calibration.
    pub drift: Option<Distance>,
    /// The index above which that is an alarm; 0: none.
    pub drift_alarm: f64,
}

/// The latencies of one step.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyRow {
    /// `screen`, `decode`, `prepare`, `score`, `store`, or `pair` for all of it with what waiting
    /// takes.
    pub step: &'static str,
    /// How many were measured.
    pub count: u64,
    /// All of them together.
    pub sum_seconds: f64,
    /// The bucket's end in which the median is, and the 99th percentile; `None` without any, or
    /// beyond the last bucket.
    pub median_seconds: Option<f64>,
    /// As above.
    pub p99_seconds: Option<f64>,
    #[serde(skip)]
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "metrics are made of it"))]
    pub(super) buckets: [u64; BUCKETS.len() + 1],
}

/// A camera's frames before the gate saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Frames {
    /// The camera gave.
    pub read: u64,
    /// The queue was full.
    pub shed: u64,
    /// Came before the interval was over.
    pub early: u64,
    /// Left out because of heat or a low battery.
    pub backed_off: u64,
}

/// How full a spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpoolLevel {
    /// Pairs that wait.
    pub pairs: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Bytes that they may take.
    pub max_bytes: u64,
    /// Whether it takes no more.
    pub is_full: bool,
}

impl Status {
    /// The run now.
    pub fn snapshot(&self) -> Snapshot {
        let (now, options) = (self.now(), &self.options);
        // Decided before arrived: so none is missing among those that are on their way.
        let counts = self.counters.counts();
        let waiting = lock(&self.waiting);
        let stall = self.state.age(now, waiting.len(), waiting.oldest());
        drop(waiting);
        let history = lock(&self.history);
        let (rate, seconds) = (history.rate(now), history.seconds(now));
        drop(history);
        let state = self.run_state();
        let model = lock(&self.model).digest.clone();
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            command: options.command,
            model,
            uptime_seconds: self.state.uptime(now).as_secs_f64(),
            state: state.name(),
            stalled: self.health().err().map(|stall| stall.to_string()),
            last_progress_seconds: stall.age.as_secs_f64(),
            pairs: self.pairs_of(&counts, state),
            reasons: reasons(&counts),
            refused: self.refused(),
            pairs_per_second: rate,
            seconds,
            scores: self.score_summary(),
            latencies: self.latencies(),
            queues: self.queues(),
            frames: self.frame_counts(),
            spool: self.spool_level(),
            machine: self.machine(),
            max_bytes: options.max_bytes,
            warm_celsius: options.thermal.warm_c,
            hot_celsius: options.thermal.hot_c,
            thumbnails: options.thumbnails,
            latest: Vec::new(),
            counts,
        }
    }

    /// The same with the latest pairs that are newer than `after`. It counts as a look: pictures are
    /// made for a while.
    pub fn snapshot_with_latest(&self, after: u64) -> Snapshot {
        Snapshot { latest: self.latest.look(self.now(), after), ..self.snapshot() }
    }

    /// What has become of pairs.
    pub fn pairs(&self) -> Pairs {
        self.pairs_of(&self.counters.counts(), self.run_state())
    }

    fn pairs_of(&self, counts: &Counts, state: State) -> Pairs {
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let (unstored, dropped) = (load(&self.counters.unstored), self.dropped());
        let settled = counts.decided() + unstored;
        // Of a run that is over nothing is on its way: what its source gave last may not have been
        // taken.
        let came = if state == State::Ended { settled } else { load(&self.counters.arrived) };
        let in_flight = came.saturating_sub(settled);
        Pairs {
            received: settled + in_flight + dropped,
            kept: counts.total(Verdict::Kept),
            rejected: counts.total(Verdict::Rejected),
            failed: counts.total(Verdict::Failed),
            unstored,
            dropped,
            in_flight,
        }
    }

    fn score_summary(&self) -> ScoreSummary {
        let options = &self.options;
        let scores = lock(&self.scores);
        let (threshold, bins, mut sketch) = (scores.threshold(), scores.bins(), scores.sketch());
        drop(scores);
        let quantiles =
            RANKS.into_iter().filter_map(|rank| Some((rank, sketch.quantile(rank)?))).collect();
        let drift = scores::distance(&mut sketch, &lock(&self.model).calibration);
        ScoreSummary {
            threshold,
            count: sketch.count(),
            quantiles,
            bins,
            drift,
            drift_alarm: options.drift_alarm,
        }
    }

    fn refused(&self) -> Vec<(u16, u64)> {
        lock(&self.counters.refused).iter().map(|(status, count)| (*status, *count)).collect()
    }

    fn latencies(&self) -> Vec<LatencyRow> {
        let stages = Stage::ALL.map(|stage| (stage.name(), self.stages.of(stage)));
        let more = [("store", &self.store), ("pair", &self.pair)];
        stages.into_iter().chain(more).map(|(step, latency)| row(step, latency)).collect()
    }

    fn queues(&self) -> Vec<(&'static str, u64)> {
        let frames = self.frames.get().map(|queue| ("frames", queue.waiting() as u64));
        let workers = ("workers", self.options.levels.queued() as u64);
        frames.into_iter().chain([workers]).collect()
    }

    fn frame_counts(&self) -> Option<Frames> {
        let taken = self.frames.get()?.taken();
        let crate::capture::queue::Taken { read, shed, early, backed_off, .. } = taken;
        Some(Frames { read, shed, early, backed_off })
    }

    fn spool_level(&self) -> Option<SpoolLevel> {
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let max_bytes = load(&self.spool.max_bytes);
        (max_bytes > 0).then(|| SpoolLevel {
            pairs: load(&self.spool.pairs),
            bytes: load(&self.spool.bytes),
            max_bytes,
            is_full: self.spool.is_full.load(Ordering::Relaxed),
        })
    }
}

fn reasons(counts: &Counts) -> Vec<ReasonRow> {
    let of = |verdict: Verdict| {
        let rows = counts.reasons(verdict);
        rows.map(move |(reason, count)| ReasonRow {
            verdict: verdict.name(),
            reason: reason.name(),
            count,
        })
    };
    let mut rows: Vec<_> = Verdict::ALL.into_iter().flat_map(of).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

fn row(step: &'static str, latency: &Latency) -> LatencyRow {
    let (buckets, sum_seconds) = latency.counts();
    let count = buckets.iter().sum();
    let at = |share: f64| bucket_end(&buckets, share);
    LatencyRow { step, count, sum_seconds, median_seconds: at(0.5), p99_seconds: at(0.99), buckets }
}

/// The end of the bucket below which a `share` of all lies.
fn bucket_end(buckets: &[u64], share: f64) -> Option<f64> {
    let count: u64 = buckets.iter().sum();
    let wanted = (share * count as f64).ceil().max(1.0) as u64;
    let mut below = 0;
    let bucket = buckets.iter().position(|pairs| {
        below += pairs;
        below >= wanted
    });
    bucket.and_then(|bucket| BUCKETS.get(bucket).copied())
}
