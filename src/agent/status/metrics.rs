//! A snapshot as metrics, in OpenMetrics' text. The names are an interface: docs/operations.md lists
//! them.

use std::fmt::Error;

use pairgate_core::decision::{Class, Reason, Verdict};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::snapshot::{LatencyRow, Snapshot};
use crate::gate::BUCKETS;

/// What the text is, for an answer's header.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The snapshot's metrics.
pub fn text(snapshot: Snapshot) -> String {
    let mut registry = Registry::with_prefix("pairgate");
    registry.register_collector(Box::new(Metrics(snapshot)));
    let mut text = String::new();
    // A String takes everything.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Metrics(Snapshot);

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut out = Out(encoder);
        let snapshot = &self.0;
        about(&mut out, snapshot)?;
        pairs(&mut out, snapshot)?;
        latencies(&mut out, snapshot)?;
        scores(&mut out, snapshot)?;
        queues(&mut out, snapshot)?;
        machine(&mut out, snapshot)
    }
}

fn about(out: &mut Out<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let labels = [
        ("version", snapshot.version),
        ("command", snapshot.command),
        ("model", snapshot.model.as_str()),
    ];
    out.info("build", "The program, its command and its model's digest", &labels.as_slice())?;
    let seconds = Some(Unit::Seconds);
    let uptime = snapshot.uptime_seconds;
    out.gauge("uptime", "Time since the run was set up", seconds.clone(), uptime)?;
    let age = snapshot.last_progress_seconds;
    out.gauge("last_progress", "Time since the run last made progress", seconds, age)?;
    let is_running = f64::from(u8::from(snapshot.state == "running"));
    out.gauge(
        "running",
        "1 while pairs are taken, 0 before, while draining and after",
        None,
        is_running,
    )
}

fn pairs(out: &mut Out<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let pairs = &snapshot.pairs;
    out.counter("pairs_received", "Pairs that came in", pairs.received)?;
    out.counter("pairs_kept", "Pairs that passed", pairs.kept)?;
    reasons(
        out,
        "pairs_rejected",
        "Pairs that were rejected, by reason",
        snapshot,
        Verdict::Rejected,
    )?;
    reasons(
        out,
        "pairs_failed",
        "Pairs that could not be judged, by reason",
        snapshot,
        Verdict::Failed,
    )?;
    out.counter("pairs_unstored", "Pairs that a failing output has lost", pairs.unstored)?;
    out.counter("pairs_dropped", "Pairs that found no place and were never judged", pairs.dropped)?;
    out.gauge("pairs_in_flight", "Pairs on their way", None, pairs.in_flight as f64)?;
    let refused: Vec<_> = snapshot.refused.iter().map(|(s, n)| (s.to_string(), *n)).collect();
    let refused = refused.iter().map(|(status, count)| (status.as_str(), *count));
    let help = "Requests that were refused, by HTTP status";
    out.counters("requests_refused", help, "status", refused)?;
    let Some(frames) = snapshot.frames else { return Ok(()) };
    out.counter("frames_read", "Frames that the camera gave", frames.read)?;
    let skipped = [("interval", frames.early), ("back_off", frames.backed_off)];
    let help = "Frames left out on purpose: within the interval, or for heat or battery";
    out.counters("frames_skipped", help, "reason", skipped.into_iter())
}

/// Every reason of the verdict's class is there from the start, so that a rate has a beginning.
fn reasons(
    out: &mut Out<'_>,
    name: &str,
    help: &str,
    snapshot: &Snapshot,
    verdict: Verdict,
) -> Result<(), Error> {
    let class = if verdict == Verdict::Failed { Class::Faulty } else { Class::Poor };
    let counted: Vec<(Reason, u64)> = snapshot.counts.reasons(verdict).collect();
    let count = |reason: Reason| {
        counted.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
    };
    let all = Reason::ALL.iter().copied().filter(|r| r.class() == class || count(*r) > 0);
    out.counters(name, help, "reason", all.map(|reason| (reason.name(), count(reason))))
}

fn latencies(out: &mut Out<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let rows = &snapshot.latencies;
    let stages: Vec<_> = rows.iter().filter(|row| row.step != "pair").collect();
    let help = "Time that a pair takes in a stage";
    out.histograms("stage_duration", help, &stages)?;
    let whole = rows.iter().find(|row| row.step == "pair");
    let help = "Time from a pair's coming to its being taken by all outputs";
    whole.map_or(Ok(()), |row| out.histogram("pair_duration", help, row))
}

fn scores(out: &mut Out<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let scores = &snapshot.scores;
    let ranks = scores.quantiles.iter();
    let ranks: Vec<_> = ranks.map(|(rank, score)| (rank.to_string(), f64::from(*score))).collect();
    let quantiles = ranks.iter().map(|(rank, score)| (rank.as_str(), *score));
    let help = "Quantiles of the last 10,000 to 20,000 scores";
    out.gauges("score", help, None, "quantile", quantiles)?;
    if let Some(threshold) = scores.threshold {
        out.gauge("threshold", "Lowest score that passes", None, threshold.into())?;
    }
    if let Some(drift) = scores.drift {
        let help = "Population stability index of the last scores against the model's calibration";
        out.gauge("drift_psi", help, None, drift.psi)?;
        let help = "Kolmogorov and Smirnov's distance of the same two";
        out.gauge("drift_ks", help, None, drift.ks)?;
        let is_alarm = scores.drift_alarm > 0.0 && drift.psi > scores.drift_alarm;
        let help = "1 while the index is above follow.drift_alarm";
        out.gauge("drift_alarm", help, None, f64::from(u8::from(is_alarm)))?;
    }
    Ok(())
}

fn queues(out: &mut Out<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let levels = snapshot.queues.iter().map(|(name, pairs)| (*name, *pairs as f64));
    out.gauges("queue_pairs", "Pairs that wait, by where they do", None, "queue", levels)?;
    let Some(spool) = snapshot.spool else { return Ok(()) };
    let bytes = Some(Unit::Bytes);
    out.gauge("spool_pairs", "Pairs in the spool", None, spool.pairs as f64)?;
    out.gauge("spool", "Bytes in the spool", bytes.clone(), spool.bytes as f64)?;
    out.gauge("spool_max", "Bytes that the spool may take", bytes, spool.max_bytes as f64)
}

fn machine(out: &mut Out<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let machine = &snapshot.machine;
    let bounded = (snapshot.max_bytes > 0).then_some(snapshot.max_bytes);
    let bytes = [
        ("disk_used", "Bytes of the shards in the output folder", machine.used_bytes),
        ("disk_max", "Bytes that they may come to", bounded),
        ("disk_free", "Bytes free on the output's file system", machine.free_bytes),
        ("disk_total", "Bytes of that file system in all", machine.total_bytes),
        ("memory_resident", "Bytes of memory that the process has", machine.resident_bytes),
    ];
    for (name, help, value) in bytes {
        if let Some(value) = value {
            out.gauge(name, help, Some(Unit::Bytes), value as f64)?;
        }
    }
    let Some(celsius) = machine.celsius else { return Ok(()) };
    let help = "Temperature of the configured thermal zone";
    out.gauge("temperature", help, Some(Unit::Celsius), celsius.into())
}

/// Writes metrics one by one.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn info(&mut self, name: &str, help: &str, labels: &impl EncodeLabelSet) -> Result<(), Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'v str, u64)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            let labels = [(label, value)];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        value: f64,
    ) -> Result<(), Error> {
        self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        label: &str,
        values: impl Iterator<Item = (&'v str, f64)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (value, number) in values {
            let labels = [(label, value)];
            metric.encode_family(&labels)?.encode_gauge(&number)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, row: &LatencyRow) -> Result<(), Error> {
        let unit = Some(Unit::Seconds);
        let mut metric =
            self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(row.sum_seconds, row.count, &buckets(row), None)
    }

    fn histograms(&mut self, name: &str, help: &str, rows: &[&LatencyRow]) -> Result<(), Error> {
        let unit = Some(Unit::Seconds);
        let mut metric =
            self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Histogram)?;
        for row in rows {
            let labels = [("stage", row.step)];
            let mut family = metric.encode_family(&labels)?;
            family.encode_histogram::<NoLabelSet>(
                row.sum_seconds,
                row.count,
                &buckets(row),
                None,
            )?;
        }
        Ok(())
    }
}

/// Each bucket's end and what is in it.
fn buckets(row: &LatencyRow) -> Vec<(f64, u64)> {
    BUCKETS.into_iter().chain([f64::INFINITY]).zip(row.buckets).collect()
}
