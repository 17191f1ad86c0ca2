//! Calibration: the sketch against exact quantiles, and the command.

use std::fs;
use std::path::Path;

use pairgate::decide::sketch::{ScoreSketch, known_to, sample_size};
use pairgate_core::pair::Digest;
use pairgate_core::policy::fraction_threshold;
use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// Scores as a model gives them: two humps, many ties after rounding. From a generator that is the
/// same everywhere (Knuth's MMIX constants).
fn scores(count: usize) -> impl Iterator<Item = f32> {
    let mut state = 1_u64;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(move |_| {
        let hump = (0..6).map(|_| uniform()).sum::<f32>() / 6.0 - 0.5;
        let score = if uniform() < 0.3 { 0.25 + 0.4 * hump } else { -0.05 + 0.3 * hump };
        (score * 65_536.0).round() / 65_536.0
    })
}

fn share_at(scores: &[f32], threshold: f32) -> f64 {
    let kept = scores.iter().filter(|score| **score >= threshold).count();
    kept as f64 / scores.len() as f64
}

#[test]
fn the_sketch_keeps_the_share_of_ten_million_scores() {
    let all: Vec<f32> = scores(10_000_000).collect();
    let mut sketch = ScoreSketch::new();
    all.iter().for_each(|score| sketch.add(*score));
    assert!(sketch.memory() < 1 << 20, "{} bytes", sketch.memory());
    assert_eq!(sketch.count(), 10_000_000);
    for keep in [0.01, 0.15, 0.3, 0.5, 0.9] {
        let exact = fraction_threshold(&mut all.clone(), keep).unwrap();
        let found = sketch.threshold(keep).unwrap();
        let off = (share_at(&all, found) - share_at(&all, exact)).abs();
        assert!(off < 0.002, "keep {keep}: {found} for {exact}, off by {:.3} %", 100.0 * off);
        assert!((sketch.share_kept(exact).unwrap() - share_at(&all, exact)).abs() < 0.002);
    }
}

#[test]
fn merged_sketches_say_what_one_would() {
    let all: Vec<f32> = scores(100_000).collect();
    let folder = tempdir().unwrap();
    let path = folder.path().join("one.sketch");
    let mut merged = ScoreSketch::new();
    for part in all.chunks(7001) {
        let mut node = ScoreSketch::new();
        part.iter().for_each(|score| node.add(*score));
        node.save(&path, Digest([7; 32])).unwrap();
        let (loaded, model) = ScoreSketch::load(&path).unwrap();
        assert_eq!(model, Digest([7; 32]));
        merged.merge(&loaded);
    }
    assert_eq!(merged.count(), 100_000);
    for keep in [0.05, 0.15, 0.6] {
        let found = merged.threshold(keep).unwrap();
        assert!((share_at(&all, found) - keep).abs() < 0.002, "{keep}");
    }
}

#[test]
fn what_is_no_number_is_not_counted_and_nothing_gives_nothing() {
    let mut sketch = ScoreSketch::new();
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().for_each(|score| sketch.add(score));
    assert_eq!((sketch.count(), sketch.threshold(0.5), sketch.interval(0.5, 0.9)), (0, None, None));
    sketch.add(0.25);
    assert_eq!(sketch.threshold(0.15), Some(0.25));
}

#[test]
fn damaged_sketches_are_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("one.sketch");
    let mut sketch = ScoreSketch::new();
    scores(5000).for_each(|score| sketch.add(score));
    sketch.save(&path, Digest::default()).unwrap();
    let whole = fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(whole.len() / 50) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        assert!(ScoreSketch::load(&path).is_err(), "byte {place}");
        fs::write(&path, &whole[..place]).unwrap();
        assert!(ScoreSketch::load(&path).is_err(), "cut at {place}");
    }
}

#[test]
fn the_interval_covers_as_often_as_it_says() {
    // The truth is known from many scores; samples of 500 must hold it 90 times of 100, about.
    let all: Vec<f32> = scores(200_000).collect();
    let truth = fraction_threshold(&mut all.clone(), 0.15).unwrap();
    let covered = all.chunks(500).filter(|sample| {
        let mut sketch = ScoreSketch::new();
        sample.iter().for_each(|score| sketch.add(*score));
        let (low, high) = sketch.interval(0.15, 0.9).unwrap();
        low <= truth && truth <= high
    });
    let share = covered.count() as f64 / 400.0;
    assert!((0.84..=0.96).contains(&share), "{share}");
    // 1.96^2 x 0.15 x 0.85 / 0.005^2.
    assert!((19_500..19_700).contains(&sample_size(0.15, 0.005, 0.95)));
    assert!((known_to(0.15, 19_593, 0.95) - 0.005).abs() < 1e-5);
}

fn json(args: &[&str]) -> Value {
    serde_json::from_slice(&run(pairgate(args.iter().chain(&["--json"])), 0).stdout).unwrap()
}

#[test]
fn calibration_gives_a_policy_that_filter_takes() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let (pairs, policy, sketch, kept) =
        (text(&data("pairs")), at("p.toml"), at("s.sketch"), at("kept"));
    let found = json(&["calibrate", &pairs, "-k", "30%", "-o", &policy, "--sketch", &sketch]);
    assert_eq!(found["scored"], 9);
    let threshold = found["threshold"].as_f64().unwrap();
    let (low, high) =
        (found["interval"][0].as_f64().unwrap(), found["interval"][1].as_f64().unwrap());
    assert!(low <= threshold && threshold <= high && low < high);
    let filtered = json(&["filter", &pairs, "--config", &policy, "-o", &kept]);
    assert!((filtered["threshold"].as_f64().unwrap() - threshold).abs() < 1e-6);
    // The same from the journal of that run, and from the sketch.
    assert_eq!(json(&["calibrate", &kept, "-k", "30%"])["threshold"], found["threshold"]);
    let merged = json(&["calibrate", "--merge", &sketch, &sketch, "-k", "30%"]);
    assert_eq!(merged["scored"], 18);
    let error = run(pairgate(["calibrate", "--merge", &policy]), 2);
    assert!(String::from_utf8(error.stderr).unwrap().contains("not a sketch"));
}

#[test]
fn calibration_is_written_into_a_bundle() {
    let temp = tempdir().unwrap();
    let bundle = temp.path().join("bundle");
    fs::create_dir(&bundle).unwrap();
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    for name in ["bundle.toml", "image.onnx", "text.onnx", "tokenizer.json", "golden.json"] {
        fs::copy(default.join(name), bundle.join(name)).unwrap();
    }
    let (pairs, bundle) = (text(&data("pairs")), text(&bundle));
    let found = json(&["calibrate", &pairs, "-k", "40%", "--into", &bundle]);
    let out = text(&temp.path().join("kept"));
    let filtered = json(&["filter", &pairs, "--model", &bundle, "-o", &out]);
    assert_eq!(filtered["threshold"], found["threshold"]);
}
