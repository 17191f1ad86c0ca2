//! A threshold that follows the scores: the share it keeps, when it moves, drift, and journals that
//! tell of it.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use pairgate::decide::sketch::ScoreSketch;
use pairgate::decide::{Decider, Drift, Fixed, Tracker, stability_index};
use pairgate::disk::IoError;
use pairgate::gate::{Evidence, Examine, ExamineError};
use pairgate::journal::{Header, ModelName, Reader, Record, Terms};
use pairgate::pipeline::{Outcome, Run, Signals};
use pairgate::score_text::shortest;
use pairgate::sink::Sink;
use pairgate::sink::journal::JournalSink;
use pairgate::source::{Member, Sample, Source};
use pairgate::store::Step;
use pairgate_core::config::PipelineConfig;
use pairgate_core::config::packed::{MAX_BYTES, pack, unpack};
use pairgate_core::decision::{Decision, Facts, Reason, ReasonSet, Verdict};
use pairgate_core::pair::{Digest, PairRef, Position, Uid};
use pairgate_core::policy::{Policy, TrackerRule};
use pairgate_core::wire;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{pairgate, run as run_command, shard, summary, text};
use crate::support::data;

const RULE: TrackerRule = TrackerRule { keep: 0.15, warm_up: 200, window: 2000, every: 50 };

/// Numbers from 0 to 1 that look random, the same in every run.
fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(2) + 1;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32
    })
}

/// Scores spread evenly over 0.3, from `lowest` on.
fn scores(lowest: f32, seed: u64, count: usize) -> Vec<f32> {
    noise(seed).map(|x| lowest + 0.3 * x).take(count).collect()
}

/// Quantiles of scores that are spread evenly from 0 to 0.3.
fn calibration() -> Vec<f32> {
    (0..=100).map(|percent| 0.3 * percent as f32 / 100.0).collect()
}

fn start(rule: TrackerRule, first: f32) -> Tracker {
    let policy = Policy { threshold: Some(first), ..Policy::default() };
    Tracker::new(rule, policy, Drift::new(&calibration(), 0.2))
}

fn scored(score: f32) -> Evidence {
    Evidence::new(Reason::Passed, Facts { score: Some(score), ..Facts::default() })
}

fn decided(score: f32) -> Decision {
    let Evidence { found, facts, .. } = scored(score);
    Policy::default().decide(found, facts)
}

fn step(score: f32) -> Step {
    let Decision { verdict, reason, facts } = decided(score);
    Step::Decision(Box::new(Record {
        ticket: 0,
        uid: Uid::default(),
        key: String::new(),
        shard: String::new(),
        position: Position::default(),
        verdict,
        reason,
        facts,
        image_bytes: 0,
        broken: ReasonSet::default(),
        stored: None,
        threshold: None,
        recovered: false,
        spooled: None,
        choice: None,
        group: None,
    }))
}

/// The share that is kept of these scores.
fn share(tracker: &mut Tracker, scores: &[f32]) -> f64 {
    let kept = |score: &&f32| tracker.decide_on(&scored(**score)).verdict == Verdict::Kept;
    scores.iter().filter(kept).count() as f64 / scores.len() as f64
}

fn near(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{found} is not {wanted} within {tolerance}");
}

#[test]
fn the_share_comes_back_after_a_shift_and_the_alarm_is_raised_once() {
    let mut tracker = start(RULE, 0.255);
    near(share(&mut tracker, &scores(0.0, 1, 5000)), 0.15, 0.015);
    assert_eq!(tracker.drift().unwrap().alarms(), 0);
    near(tracker.threshold().unwrap().into(), 0.255, 0.005);

    // Higher scores: too much is kept at first, and the share again once the window is full of them.
    let shifted = scores(0.1, 2, 6000);
    let at_once = share(&mut tracker, &shifted[..250]);
    assert!(at_once > 0.35, "{at_once}");
    share(&mut tracker, &shifted[250..3000]);
    near(share(&mut tracker, &shifted[3000..]), 0.15, 0.015);
    near(tracker.threshold().unwrap().into(), 0.355, 0.005);
    let drift = tracker.drift().unwrap();
    assert!(drift.is_raised() && drift.alarms() == 1);

    // Back again: the alarm is over, and was one.
    let back = scores(0.0, 3, 6000);
    share(&mut tracker, &back[..3000]);
    near(share(&mut tracker, &back[3000..]), 0.15, 0.015);
    let drift = tracker.drift().unwrap();
    assert!(!drift.is_raised() && drift.alarms() == 1);
}

#[test]
fn the_first_threshold_decides_until_the_scores_are_enough() {
    let mut tracker = start(RULE, -1.0);
    assert_eq!(share(&mut tracker, &scores(0.0, 1, 200)), 1.0);
    let warm = tracker.threshold().unwrap();
    near(warm.into(), 0.255, 0.02);
    assert_eq!(tracker.moves(), 1);
    // The next one comes `every` scores later, and pairs without a score do not count.
    let faulty = Evidence::new(Reason::Undecodable, Facts::default());
    let screened = Evidence::new(Reason::ImageTooSmall, scored(0.9).facts);
    for (n, score) in scores(0.0, 2, 49).into_iter().enumerate() {
        tracker.decide_on(&scored(score));
        assert_eq!(tracker.decide_on(&faulty).reason, Reason::Undecodable);
        assert_eq!(tracker.decide_on(&screened).reason, Reason::ImageTooSmall);
        assert_eq!((tracker.threshold(), tracker.moves()), (Some(warm), 1), "{n}");
    }
    tracker.decide_on(&scored(0.1));
    assert_eq!(tracker.moves(), 2);
}

/// What is decided, and by which threshold, is the same for a run that was cut in two.
#[test]
fn a_run_that_goes_on_follows_as_if_it_had_not_ended() {
    let all = scores(0.0, 4, 7000);
    let mut whole = start(RULE, 0.2);
    let mut parted = start(RULE, 0.2);
    share(&mut whole, &all[..4321]);
    parted.catch_up(all[..2000].iter().map(|score| Ok(step(*score)))).unwrap();
    // What is left of the checkpoint in between is all that the rest needs.
    let state = parted.state();
    let mut restored = start(RULE, 0.9);
    assert!(restored.restore(&state) && !restored.restore(&state[..9]) && !restored.restore(&[]));
    restored.catch_up(all[2000..4321].iter().map(|score| Ok(step(*score)))).unwrap();
    parted.catch_up(all[2000..4321].iter().map(|score| Ok(step(*score)))).unwrap();
    assert_eq!(restored.state(), parted.state());
    for score in &all[4321..] {
        assert_eq!(restored.threshold(), parted.threshold());
        assert!((whole.threshold().unwrap() - parted.threshold().unwrap()).abs() < 1e-3);
        whole.decide_on(&scored(*score));
        assert_eq!(restored.decide_on(&scored(*score)), parted.decide_on(&scored(*score)));
    }
}

/// The old scores go: what is held is bounded, and so is how long they count.
#[test]
fn scores_leave_the_window() {
    let mut tracker = start(TrackerRule { every: 1, ..RULE }, 0.0);
    share(&mut tracker, &scores(10.0, 1, 2000));
    // The window, and the eighth that goes as a whole.
    share(&mut tracker, &scores(0.0, 2, 2000 + 250));
    near(tracker.threshold().unwrap().into(), 0.255, 0.02);
}

#[test]
fn the_stability_index_is_that_of_the_books() {
    // 0.25 ln 2 + 0.25 ln 1.5
    near(stability_index(&[0.5, 0.5], &[0.25, 0.75]), 0.274_653, 1e-6);
    assert_eq!(stability_index(&[0.2, 0.8], &[0.2, 0.8]), 0.0);
    // An empty bin counts as 0.0001: 0.4999 ln 5000 + 0.5 ln 2
    near(stability_index(&[0.5, 0.5], &[0.0, 1.0]), 4.604_318, 1e-5);
}

proptest! {
    #[test]
    fn the_stability_index_is_never_negative(
        wanted in proptest::collection::vec(0.0_f64..1.0, 10),
        found in proptest::collection::vec(0.0_f64..1.0, 10),
    ) {
        prop_assert!(stability_index(&wanted, &found) >= 0.0);
        prop_assert!(stability_index(&wanted, &wanted) == 0.0);
    }

    #[test]
    fn any_calibration_and_any_scores_have_a_finite_distance(
        mut quantiles in proptest::collection::vec(-1.0_f32..1.0, 2..60),
        scores in proptest::collection::vec(-1.0_f32..1.0, 1..300),
        ties in 0..30_usize,
    ) {
        quantiles.sort_by(f32::total_cmp);
        let tied = quantiles[0];
        quantiles.iter_mut().take(ties).for_each(|q| *q = tied);
        let mut sketch = ScoreSketch::new();
        scores.iter().for_each(|score| sketch.add(*score));
        let distance = Drift::new(&quantiles, 0.2).unwrap().distance(&mut sketch).unwrap();
        prop_assert!(distance.psi.is_finite() && distance.psi >= 0.0);
        prop_assert!((0.0..=1.0).contains(&distance.ks));
    }
}

fn distance_of(quantiles: &[f32], scores: impl IntoIterator<Item = f32>) -> (f64, f64) {
    let mut sketch = ScoreSketch::new();
    scores.into_iter().for_each(|score| sketch.add(score));
    let distance = Drift::new(quantiles, 0.2).unwrap().distance(&mut sketch).unwrap();
    (distance.psi, distance.ks)
}

#[test]
fn drift_is_the_distance_to_the_calibration() {
    let quantiles: Vec<f32> = (0..=100).map(|percent| percent as f32 / 100.0).collect();
    let even = |from: f32| (0..10_000).map(move |n| from + n as f32 / 10_000.0);
    let (psi, ks) = distance_of(&quantiles, even(0.0));
    assert!(psi < 0.001 && ks < 0.005, "{psi} {ks}");
    // Moved by a half: the lower five bins are empty, the last one holds 0.6:
    // 5 x 0.0999 ln 1000 + 0.5 ln 6, and at 0.5 there is nothing below where half should be.
    let (psi, ks) = distance_of(&quantiles, even(0.5));
    near(psi, 4.346_303, 0.02);
    near(ks, 0.5, 0.002);
    // Most scores of the calibration the same, and most of these.
    let tied: Vec<f32> = (0..=100).map(|percent| (percent - 60).max(0) as f32 / 100.0).collect();
    let (psi, ks) = distance_of(&tied, (0..10_000).map(|n| (n - 6000).max(0) as f32 / 10_000.0));
    assert!(psi < 0.01 && ks < 0.01, "{psi} {ks}");
    assert!(Drift::new(&[], 0.2).is_none() && Drift::new(&[0.5], 0.2).is_none());
    assert_eq!(Drift::new(&[0.0, 1.0], 0.2).unwrap().distance(&mut ScoreSketch::new()), None);
}

/// Pairs whose captions are their scores.
struct Scores(std::vec::IntoIter<f32>, u64);

impl Source for Scores {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        let Some(score) = self.0.next() else { return Ok(None) };
        let data = score.to_string().into_bytes();
        let members = vec![Member { extension: "txt".into(), data }];
        self.1 += 1;
        Ok(Some(Sample { shard: "s".into(), key: self.1.to_string(), members, fault: None }))
    }
}

/// Reads the score from the caption, and takes its time now and then, so that workers overtake each
/// other.
struct Reads;

impl Examine for Reads {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        let score = |pair: &PairRef<'_>| -> f32 {
            std::str::from_utf8(pair.caption.unwrap()).unwrap().parse().unwrap()
        };
        let one = |pair| {
            let score = score(pair);
            if score.to_bits().is_multiple_of(97) {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            scored(score)
        };
        Ok(pairs.iter().map(one).collect())
    }
}

fn header(tracker: Option<TrackerRule>) -> Header {
    let model = ModelName { name: "m".into(), digest: Digest([1; 32]) };
    Header::new(Terms::new(model, Digest([2; 32]), Vec::new(), Some(0.255), tracker), Vec::new())
}

fn run(
    source: Scores,
    workers: usize,
    decider: &mut dyn Decider,
    sink: &mut dyn Sink,
    config: &PipelineConfig,
) -> Outcome {
    let (source, signals) = (Box::new(source), &Signals::default());
    let run = Run { source, decider, sink, config, signals, first_ticket: 0 };
    run.through((0..workers).map(|_| Reads).collect(), |_| ())
}

/// Runs scores that shift through `workers`; the journal and the outcome.
fn followed(workers: usize, path: &Path) -> Outcome {
    let all = [scores(0.0, 5, 3000), scores(0.1, 6, 3000)].concat();
    let config = PipelineConfig { batch: 1 + 6 % workers, queue: 16, ..PipelineConfig::default() };
    let mut tracker = start(RULE, 0.255);
    let mut journal = JournalSink::create(path, &header(Some(RULE))).unwrap();
    run(Scores(all.into_iter(), 0), workers, &mut tracker, &mut journal, &config)
}

#[test]
fn any_number_of_workers_gives_the_same_decisions_and_the_journal_explains_them() {
    let folder = tempdir().unwrap();
    let path = |workers: usize| folder.path().join(format!("{workers}.pairgate"));
    let outcomes = [1, 4].map(|workers| followed(workers, &path(workers)));
    assert_eq!(outcomes[0].counts, outcomes[1].counts);
    assert_eq!(fs::read(path(1)).unwrap(), fs::read(path(4)).unwrap());

    let journal = Reader::open(&path(1)).unwrap();
    assert_eq!(journal.terms().tracker, Some(RULE));
    let records: Vec<Record> = journal.map(Result::unwrap).collect();
    let mut again = start(RULE, 0.255);
    for record in &records {
        assert_eq!(record.threshold, again.threshold(), "{}", record.key);
        let passes = record.facts.score.unwrap() >= record.threshold.unwrap();
        assert_eq!(record.verdict == Verdict::Kept, passes, "{}", record.key);
        again.decide_on(&Evidence::of(&record.decision()));
    }
    assert_eq!(records[199].threshold, Some(0.255));
    assert_ne!(records[200].threshold, Some(0.255));
    let kept = records[4500..].iter().filter(|r| r.verdict == Verdict::Kept).count();
    near(kept as f64 / 1500.0, 0.15, 0.03);

    let verified = run_command(pairgate(["replay", "--verify", &text(&path(4))]), 0);
    assert!(String::from_utf8(verified.stdout).unwrap().contains("6000 decisions, 0 differ"));
}

#[test]
fn a_threshold_that_stands_is_told_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("j");
    let mut journal = JournalSink::create(&path, &header(None)).unwrap();
    let source = Scores(scores(0.0, 1, 50).into_iter(), 0);
    let policy = Policy { threshold: Some(0.255), ..Policy::default() };
    run(source, 1, &mut Fixed(policy), &mut journal, &PipelineConfig::default());
    let mut records = Reader::open(&path).unwrap();
    assert_eq!(records.terms().threshold, Some(0.255));
    assert_eq!(records.by_ref().count(), 50);
    assert!(Reader::open(&path).unwrap().all(|record| record.unwrap().threshold.is_none()));
}

#[test]
fn followed_journals_have_these_bytes() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut buffer = [0; 512];
    let expected = [
        "54000000",         // 84 bytes
        "02",               // version 2
        &"01".repeat(32),   // model
        &"02".repeat(32),   // config
        "015c8f823e",       // the first threshold, 0.255
        "01",               // a rule
        "333333333333c33f", // keeps 0.15
        "c801d00f32",       // warm-up 200, window 2000, every 50
    ];
    let header = wire::Header::new(Digest([1; 32]), Digest([2; 32]), Some(0.255), Some(RULE));
    let frame = wire::frame(&header, &mut buffer).unwrap();
    assert_eq!(hex(&frame[..frame.len() - 4]), expected.concat());
    let Decision { verdict, reason, facts } = decided(0.5);
    let record =
        wire::Record { uid: Default::default(), key: "k", shard: "", verdict, reason, facts };
    let plain = wire::frame(&record, &mut buffer).unwrap();
    let plain = hex(&plain[4..plain.len() - 4]);
    let followed = wire::TrackedRecord { record, threshold: 0.25 };
    let frame = wire::frame(&followed, &mut buffer).unwrap();
    assert_eq!(hex(&frame[4..frame.len() - 4]), plain + "0000803e");
}

/// The default config's error for this text.
fn fault(text: &str) -> String {
    let mut layers = pairgate::config::Layers::default();
    let added = layers.add("mine.toml", text).and_then(|()| layers.resolve());
    added.unwrap_err().to_string()
}

#[test]
fn values_out_of_range_are_named_with_key_and_range() {
    for (text, parts) in [
        ("window = 5", ["follow.window = 5", "100 to"]),
        ("window = 200", ["follow.warm_up = 1000", "1 to 200"]),
        ("warm_up = 0", ["follow.warm_up = 0", "1 to 100000"]),
        ("every = 0", ["follow.every = 0", "1 to 100000"]),
        ("drift_alarm = -0.1", ["follow.drift_alarm = -0.1", "0 to 100"]),
        ("drift_alarm = nan", ["follow.drift_alarm = NaN", "0 to 100"]),
        ("first_threshold = 1.5", ["follow.first_threshold = 1.5", "-1 to 1"]),
        ("enabled = true", ["follow.enabled", "policy.keep"]),
        ("windows = 5", ["line 2", "windows"]),
        ("window = -1", ["line 2", "-1"]),
    ] {
        let error = fault(&format!("[follow]\n{text}"));
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        assert!(error.contains("mine.toml, line 2") || text == "window = 200", "{error}");
    }
}

#[test]
fn packed_configs_hold_nothing_of_it() {
    let mut config = pairgate_core::config::Config::default();
    config.policy.keep = Some(0.15);
    let mut buffer = [0; MAX_BYTES];
    let without = pack(&config, &mut buffer).unwrap().to_vec();
    config.tracker.enabled = true;
    let with = pack(&config, &mut buffer).unwrap().to_vec();
    assert_eq!(with, without);
    assert_eq!(unpack(&with).unwrap().tracker, Default::default());
}

/// The command on a stream, from warm-up to verification.
#[test]
fn the_command_follows_a_stream_and_replay_verifies_it() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let (tar, config) = (at("pairs.tar"), at("follow.toml"));
    shard(Path::new(&tar));
    let keys = "[follow]\nwarm_up = 3\nwindow = 100\nevery = 1\nfirst_threshold = -1.0\n";
    fs::write(&config, keys).unwrap();
    let filter = |out: &str, workers: &str, extra: &[&str]| {
        let args = ["filter", "-", "-o", out, "--config", &config, "-w", workers, "--json"];
        let mut command = pairgate(args.iter().chain(extra));
        command.stdin(Stdio::from(fs::File::open(&tar).unwrap()));
        summary(&run_command(command, 0))
    };
    let follow = ["--keep", "40%", "--follow"];
    let (one, three) = (at("one"), at("three"));
    let told = filter(&one, "1", &follow);
    filter(&three, "3", &follow);
    let segment = "journal/00000000.pairgate";
    let journal = |folder: &str| fs::read(Path::new(folder).join(segment)).unwrap();
    assert_eq!(journal(&one), journal(&three));
    assert_eq!(told["follow"]["first_threshold"], -1.0);
    assert!(told["follow"]["moves"].as_u64().unwrap() > 1);
    assert_eq!(told["follow"]["last_threshold"], told["threshold"]);

    let cat = run_command(pairgate(["journal", "cat", &one]), 0);
    let lines = String::from_utf8(cat.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let number = |value: &Value| value.as_f64().unwrap();
    let open = lines
        .iter()
        .filter(|line| ["passed", "low_similarity"].contains(&line["reason"].as_str().unwrap()));
    let moved = open.filter(|line| number(&line["threshold"]) > -1.0);
    let rejected = moved.filter(|line| line["verdict"] == "rejected").count();
    assert!(rejected > 0, "some pairs are decided by a threshold that has moved");
    for line in &lines {
        let by_score = line["score"].as_f64().map(|score| score >= number(&line["threshold"]));
        assert!(by_score.is_none_or(|passes| passes == (line["verdict"] == "kept")), "{line}");
    }
    let verified = summary(&run_command(pairgate(["replay", &one, "--verify", "--json"]), 0));
    assert_eq!((&verified["compared"], &verified["different"]), (&12.into(), &0.into()));
    let listed = summary(&run_command(pairgate(["journal", "ls", &one, "--json"]), 0));
    assert_eq!((&listed["records"], &listed["follow"]["window"]), (&12.into(), &100.into()));
    run_command(pairgate(["journal", "check", &one]), 0);

    // A file is read once then. Judged again, it gives the same, by each record's own threshold.
    let file = at("file");
    let from_file = ["filter", &tar, "-o", &file, "--config", &config, "--keep", "40%", "--follow"];
    run_command(pairgate(from_file), 0);
    let shard = |folder: &str| fs::read(Path::new(folder).join("00000.tar")).unwrap();
    assert_eq!(shard(&file), shard(&one));
    let again = ["replay", &file, "--verify", "--source", &tar, "--json"];
    let verified = summary(&run_command(pairgate(again), 0));
    assert_eq!((&verified["compared"], &verified["different"]), (&12.into(), &0.into()));
    let off = filter(&at("off"), "1", &["--keep", "40%"]);
    assert_eq!(off["follow"], Value::Null);
    // A threshold that is said stands, whatever a config says.
    fs::write(&config, "[policy]\nkeep = 0.4\n[follow]\nenabled = true\n").unwrap();
    let stands = filter(&at("stands"), "1", &["-t", "0.1"]);
    assert_eq!(stands["follow"], Value::Null);
    let refused = run_command(pairgate(["filter", "-", "-o", &at("no"), "--follow"]), 2);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("policy.keep"));
}

/// A board that starts again does not begin with the first threshold.
#[test]
fn capture_goes_on_with_the_scores_of_its_journal() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let mut pictures: Vec<_> =
        fs::read_dir(data("pairs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pictures.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    pictures.sort();
    let stream: Vec<u8> = pictures.iter().flat_map(|path| fs::read(path).unwrap()).collect();
    let (camera, config, kept) = (at("camera.mjpeg"), at("follow.toml"), at("kept"));
    fs::write(&camera, stream).unwrap();
    let keys = "[capture]\non_full = \"block\"\n[policy]\nkeep = \"40%\"\n\
                [follow]\nenabled = true\nwarm_up = 2\nwindow = 100\nevery = 1\nfirst_threshold = -1";
    fs::write(&config, keys).unwrap();
    let args = ["capture", &camera, "--caption", "a street", "-o", &kept, "--config", &config];
    let args = args.iter().chain(&["--rules", "none", "--json"]);
    let first = summary(&run_command(pairgate(args.clone()), 0));
    let read = first["in"].as_u64().unwrap() as usize;
    assert!(read > 5, "{first}");
    summary(&run_command(pairgate(args), 0));
    let journal = Reader::open(Path::new(&kept)).unwrap();
    let records: Vec<Record> = journal.map(Result::unwrap).collect();
    assert_eq!(records.len(), 2 * read);
    assert_eq!(records[0].threshold, Some(-1.0));
    assert_eq!(shortest(records[read].threshold.unwrap()), first["threshold"]);
    assert_ne!(first["threshold"], -1.0);
}
