//! Metrics: their text is well formed, adds up, and holds what the documentation lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use pairgate::agent::status::{CONTENT_TYPE, metrics_text};
use pairgate::capture::Frame;
use pairgate::capture::queue::FrameQueue;
use pairgate::gate::Stage;
use pairgate_core::config::OnFull;
use pairgate_core::decision::{Reason, Verdict};

use super::client::{get, serve};
use super::{Played, sample};

/// Metrics of OpenMetrics' text, checked as they are read.
pub struct Metrics {
    /// Family and type.
    pub families: BTreeMap<String, String>,
    /// Name with its labels, and value.
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    /// Every line is what the format allows: a family's lines stand together, its type before its
    /// samples, its unit at the end of its name; a counter's sample ends in `_total`.
    pub fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it must end with EOF");
        let (mut families, mut samples) = (BTreeMap::new(), BTreeMap::new());
        let mut family = String::new();
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                let mut word = || words.next().unwrap();
                let (kind, name, value) = (word(), word(), word());
                match kind {
                    "HELP" => assert!(!value.is_empty() && !value.ends_with('.'), "{line}"),
                    "TYPE" => {
                        let is_new = families.insert(name.to_owned(), value.to_owned()).is_none();
                        assert!(is_new, "{name} twice");
                        family = name.to_owned();
                    }
                    "UNIT" => assert!(name == family && name.ends_with(&format!("_{value}"))),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').unwrap();
            let bare = name.split('{').next().unwrap();
            let suffix = bare.strip_prefix(&family).unwrap_or_else(|| panic!("{line} in {family}"));
            let allowed: &[&str] = match families[&family].as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "info" => &["_info"],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("{other}"),
            };
            assert!(allowed.contains(&suffix), "{line}");
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite(), "{line}");
            assert!(samples.insert(name.to_owned(), value).is_none(), "{name} twice");
        }
        let metrics = Self { families, samples };
        metrics.check_histograms();
        metrics
    }

    /// Buckets grow, and the last one holds all.
    fn check_histograms(&self) {
        let histograms = self.families.iter().filter(|(_, kind)| *kind == "histogram");
        for (name, _) in histograms {
            let counts: Vec<_> = self
                .samples
                .iter()
                .filter(|(n, _)| n.starts_with(&format!("{name}_count")))
                .collect();
            assert!(!counts.is_empty(), "{name}");
            for (count_name, count) in counts {
                let labels = count_name.trim_start_matches(&format!("{name}_count"));
                let inner = labels.trim_matches(['{', '}']);
                let mut buckets: Vec<(f64, f64)> = Vec::new();
                for (sample, value) in &self.samples {
                    let Some(rest) = sample.strip_prefix(&format!("{name}_bucket{{le=\"")) else {
                        continue;
                    };
                    let (end, rest) = rest.split_once('"').unwrap();
                    if rest.trim_matches([',', '}']) == inner {
                        buckets.push((end.parse().unwrap(), *value));
                    }
                }
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.is_sorted_by_key(|(_, value)| *value), "{count_name}");
                assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{count_name}");
            }
        }
    }

    #[track_caller]
    pub fn get(&self, name: &str) -> f64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.samples))
    }

    /// The sum of a family's samples over its labels.
    pub fn sum(&self, name: &str) -> f64 {
        let of = |sample: &str| sample.split('{').next() == Some(name);
        self.samples.iter().filter(|(sample, _)| of(sample)).map(|(_, value)| value).sum()
    }

    /// What came in is what became of it.
    pub fn assert_they_add_up(&self) {
        let kept = self.get("pairgate_pairs_kept_total");
        let parts = self.sum("pairgate_pairs_rejected_total")
            + self.sum("pairgate_pairs_failed_total")
            + self.get("pairgate_pairs_unstored_total")
            + self.get("pairgate_pairs_dropped_total")
            + self.get("pairgate_pairs_in_flight");
        assert_eq!(self.get("pairgate_pairs_received_total"), kept + parts);
    }
}

/// A run of which everything is told: a camera, a spool, a zone, drift.
fn everything() -> Played {
    let zone = tempfile::tempdir().unwrap();
    fs::write(zone.path().join("temp"), "58500\n").unwrap();
    let mut played = Played::new(|options| {
        options.calibration = (0..101).map(|score| score as f32 / 100.0).collect();
        options.drift_alarm = 0.2;
        options.max_bytes = 1 << 30;
        options.thermal.zone = zone.path().to_str().unwrap().try_into().unwrap();
        options.model = "c0ffee".into();
    });
    let queue = FrameQueue::new(1, OnFull::DropNewest);
    for number in 0..3 {
        let (sample, time) = (sample("a door", b""), SystemTime::UNIX_EPOCH);
        queue.push(Frame { sample, time, number }, &AtomicBool::new(false));
    }
    played.status.set_frames(queue);
    let spool = played.status.spool();
    spool.pairs.store(7, Ordering::SeqCst);
    spool.bytes.store(7000, Ordering::SeqCst);
    spool.max_bytes.store(1 << 20, Ordering::SeqCst);
    played.status.beat();
    for number in 0..2000 {
        played.arrive();
        played.clock.pass(Duration::from_millis(2));
        // All in the lower half of the calibration.
        let score = number as f32 / 4000.0;
        let kept = score >= 0.25;
        let (verdict, reason) = if kept {
            (Verdict::Kept, Reason::Passed)
        } else {
            (Verdict::Rejected, Reason::LowSimilarity)
        };
        played.decide(verdict, reason, Some(score));
    }
    for reason in [Reason::Undecodable, Reason::ImageTruncated, Reason::Undecodable] {
        played.arrive();
        played.decide(Verdict::Failed, reason, None);
    }
    for _ in 0..5 {
        played.arrive();
    }
    played.status.stages().of(Stage::Decode).observe(Duration::from_millis(20));
    played.status.count_dropped(4);
    played.status.machine();
    played
}

#[test]
fn metrics_are_well_formed_and_add_up() {
    let played = everything();
    let server = serve(&played.status);
    let answer = get(server.address(), "/metrics");
    assert!(answer.head.contains(&format!("content-type: {CONTENT_TYPE}")), "{}", answer.head);
    let metrics = Metrics::parse(&answer.body);
    metrics.assert_they_add_up();
    for (name, value) in [
        // Two of the three frames found no place, beside the four.
        ("pairgate_pairs_received_total", 2000.0 + 3.0 + 5.0 + 4.0 + 2.0),
        ("pairgate_pairs_kept_total", 1000.0),
        ("pairgate_pairs_rejected_total{reason=\"low_similarity\"}", 1000.0),
        // There from the start, so that its first one is seen as a growth.
        ("pairgate_pairs_rejected_total{reason=\"blurred\"}", 0.0),
        ("pairgate_pairs_failed_total{reason=\"undecodable\"}", 2.0),
        ("pairgate_pairs_dropped_total", 6.0),
        ("pairgate_pairs_in_flight", 5.0),
        ("pairgate_stage_duration_seconds_count{stage=\"decode\"}", 1.0),
        ("pairgate_stage_duration_seconds_count{stage=\"store\"}", 2003.0),
        ("pairgate_pair_duration_seconds_count", 2003.0),
        ("pairgate_queue_pairs{queue=\"frames\"}", 1.0),
        ("pairgate_threshold", 0.25),
        ("pairgate_drift_alarm", 1.0),
        ("pairgate_spool_bytes", 7000.0),
        ("pairgate_disk_max_bytes", (1_u64 << 30) as f64),
        ("pairgate_temperature_celsius", 58.5),
        ("pairgate_running", 1.0),
        ("pairgate_build_info{version=\"VERSION\",command=\"capture\",model=\"c0ffee\"}", 1.0),
    ] {
        let name = name.replace("VERSION", env!("CARGO_PKG_VERSION"));
        assert_eq!(metrics.get(&name), value, "{name}");
    }
    let median = metrics.get("pairgate_score{quantile=\"0.5\"}");
    assert!((median - 0.25).abs() < 0.01, "{median}");
    let whole = metrics.get("pairgate_pair_duration_seconds_sum");
    assert!((whole - 4.0).abs() < 1e-6, "{whole}");
    if cfg!(target_os = "linux") {
        assert!(metrics.get("pairgate_disk_free_bytes") > 0.0);
        assert!(metrics.get("pairgate_memory_resident_bytes") > 1e6);
    }
}

/// Names are an interface: the table is what there is.
#[test]
fn the_documentation_lists_every_metric() {
    let played = everything();
    let metrics = Metrics::parse(&metrics_text(played.status.snapshot()));
    let full = |(name, kind): (&String, &String)| match kind.as_str() {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.clone(),
    };
    let there: BTreeSet<String> = metrics.families.iter().map(full).collect();
    let page = fs::read_to_string("docs/operations.md").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `pairgate_"));
    let names = rows.map(|row| format!("pairgate_{}", row.split(['`', '{']).next().unwrap()));
    assert_eq!(there, names.collect());
}

/// No label holds what a stranger wrote.
#[test]
fn no_metric_names_a_pair() {
    let mut played = Played::new(|_| {});
    played.arrive();
    let secret = sample("a secret caption", b"");
    played.decide_sample(secret, Verdict::Kept, Reason::Passed, Some(0.5));
    let text = metrics_text(played.status.snapshot());
    assert!(!text.contains("secret") && !text.contains("00000.tar"), "{text}");
}

#[test]
fn the_rate_is_that_of_the_last_seconds() {
    let mut played = Played::new(|_| {});
    for _ in 0..30 {
        for _ in 0..4 {
            played.arrive();
            played.decide(Verdict::Kept, Reason::Passed, Some(0.5));
        }
        played.clock.pass(Duration::from_secs(1));
        played.status.beat();
    }
    assert_eq!(played.status.pairs_per_second(), 4.0);
    assert_eq!(played.status.snapshot().seconds, [(4, 4); 30]);
    // Nothing more comes, and the loop stands still.
    played.clock.pass(Duration::from_secs(6));
    assert_eq!(played.status.pairs_per_second(), 2.0);
    played.clock.pass(Duration::from_secs(1000));
    assert_eq!(played.status.pairs_per_second(), 0.0);
    assert_eq!(played.status.snapshot().seconds.len(), 120);
}
