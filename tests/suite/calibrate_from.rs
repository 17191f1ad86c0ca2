//! The threshold that keeps what another model's kept: the rule, its interval, and the command over scores,
//! journals and bundles.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::decide::swap::Swap;
use pairgate::model::blend::{Part, blend};
use pairgate::model::bundle::Bundle;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::cli::{pairgate, run, text};
use crate::support::data;

#[test]
fn the_worked_example_comes_out() {
    let old = [0.10, 0.20, 0.25, 0.30, 0.40];
    let new = [0.01, 0.05, 0.08, 0.12, 0.20];
    let mut scores: Vec<(f32, f32)> = old.into_iter().zip(new).collect();
    let swap = Swap::find(&mut scores, 0.25, 0.95).unwrap();
    assert_eq!((swap.threshold, swap.kept_before, swap.kept), (0.08, 3, 3));
    assert_eq!((swap.agreement(), swap.lost, swap.gained), (1.0, 0, 0));
    // Any order of the pairs, any threshold between the same two scores.
    scores.reverse();
    assert_eq!(Swap::find(&mut scores, 0.21, 0.95).unwrap().threshold, 0.08);
    for threshold in [0.05, 0.41] {
        assert_eq!(Swap::find(&mut scores, threshold, 0.95), None, "{threshold}");
    }
    assert_eq!(Swap::find(&mut [], 0.0, 0.95), None);
}

/// Numbers from 0 to 1 that are the same everywhere (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn hump(&mut self) -> f32 {
        (0..6).map(|_| self.next()).sum::<f32>() / 6.0 - 0.5
    }
}

/// Scores of two models that mostly agree, the second on a scale of its own.
fn scores(count: usize, noise: f32, seed: u64) -> Vec<(f32, f32)> {
    let mut random = Random(seed);
    let mut pair = |_| {
        let old = random.hump();
        (old, 0.3 * (old + noise * random.hump()) - 0.2)
    };
    (0..count).map(&mut pair).collect()
}

#[test]
fn as_many_are_kept_and_those_decided_otherwise_are_counted() {
    let mut all = scores(5000, 0.5, 1);
    // Many new scores are equal.
    all.iter_mut().for_each(|(_, new)| *new = (*new * 500.0).round() / 500.0);
    for old_threshold in [-0.1, 0.0, 0.07, 0.2] {
        let swap = Swap::find(&mut all, old_threshold, 0.95).unwrap();
        let kept = |pair: &&(f32, f32)| pair.0 >= old_threshold;
        let now = |pair: &&(f32, f32)| pair.1 >= swap.threshold;
        assert_eq!(swap.kept_before, all.iter().filter(kept).count());
        assert_eq!(swap.kept, all.iter().filter(now).count());
        assert_eq!(swap.lost, all.iter().filter(kept).filter(|pair| !now(pair)).count());
        assert_eq!(swap.gained, all.iter().filter(|pair| !kept(pair)).filter(now).count());
        assert!(swap.kept >= swap.kept_before);
        // The next higher score keeps too few.
        let higher = all.iter().filter(|pair| pair.1 > swap.threshold).count();
        assert!(higher < swap.kept_before);
        assert!(swap.interval.0 < swap.threshold && swap.threshold <= swap.interval.1);
    }
}

#[test]
fn the_interval_holds_the_truth_as_often_as_it_says() {
    for (noise, threshold) in [(0.2, 0.05), (1.0, 0.1), (3.0, -0.05)] {
        let mut all = scores(200_000, noise, 7);
        let truth = Swap::find(&mut all.clone(), threshold, 0.9).unwrap().threshold;
        // As they come: the search has sorted a copy.
        let held = all.chunks_mut(400).filter(|sample| {
            let mut sample = sample.to_vec();
            let (low, high) = Swap::find(&mut sample, threshold, 0.9).unwrap().interval;
            low <= truth && truth <= high
        });
        let share = held.count() as f64 / 500.0;
        assert!((0.87..=0.98).contains(&share), "noise {noise}: {share}");
    }
}

#[test]
fn the_interval_narrows_with_pairs_and_with_agreement() {
    let width = |count, noise| {
        let (low, high) = Swap::find(&mut scores(count, noise, 3), 0.1, 0.95).unwrap().interval;
        f64::from(high - low)
    };
    assert!(width(500, 0.5) > 2.0 * width(10_000, 0.5));
    assert!(width(2000, 2.0) > 2.0 * width(2000, 0.1));
    // Where both agree on all pairs, one step is left.
    let mut same: Vec<(f32, f32)> = (0..1000).map(|i| (i as f32, i as f32)).collect();
    let swap = Swap::find(&mut same, 600.0, 0.95).unwrap();
    assert_eq!((swap.threshold, swap.agreement()), (600.0, 1.0));
    let (low, high) = swap.interval;
    assert!(low >= 593.0 && high <= 607.0, "{swap:?}");
}

fn uid(place: usize) -> String {
    format!("{:032x}", place * 7919 + 1)
}

/// Files of old and of new scores, of one pair in ten none.
fn files(folder: &Path, count: usize) -> (String, String, Vec<(f32, f32)>) {
    let all = scores(count, 0.4, 5);
    let lines = |which: fn(&(f32, f32)) -> f32, order: &mut dyn Iterator<Item = usize>| -> String {
        let line = |place: usize| {
            let (score, reason) = match place % 10 {
                3 => (Value::Null, Value::from("caption_too_short")),
                5 => (which(&all[place]).into(), Value::from("low_similarity")),
                _ => (which(&all[place]).into(), Value::Null),
            };
            json!({ "key": place, "uid": uid(place), "score": score, "reason": reason }).to_string()
                + "\n"
        };
        order.map(line).collect()
    };
    let (old, new) = (folder.join("old.jsonl"), folder.join("new.jsonl"));
    fs::write(&old, lines(|pair| pair.0, &mut (0..count))).unwrap();
    fs::write(&new, lines(|pair| pair.1, &mut (0..count).rev())).unwrap();
    let scored = all.iter().enumerate().filter(|(place, _)| place % 10 != 3);
    (text(&old), text(&new), scored.map(|(_, pair)| *pair).collect())
}

fn json_of(args: &[&str]) -> Value {
    serde_json::from_slice(&run(pairgate(args.iter().chain(&["--json"])), 0).stdout).unwrap()
}

fn error_of(args: &[&str]) -> String {
    String::from_utf8(run(pairgate(args), 2).stderr).unwrap()
}

#[test]
fn recorded_scores_are_matched_by_uid() {
    let folder = tempdir().unwrap();
    let (old, new, mut scores) = files(folder.path(), 2000);
    let policy = text(&folder.path().join("policy.toml"));
    let args = ["calibrate", &new, "--from", &old, "--threshold", "0.05", "-o", &policy];
    let found = json_of(&args);
    let wanted = Swap::find(&mut scores, 0.05, 0.95).unwrap();
    assert_eq!(found["pairs"], 1800);
    assert!((found["threshold"].as_f64().unwrap() - f64::from(wanted.threshold)).abs() < 1e-6);
    assert!((found["agreement"].as_f64().unwrap() - wanted.agreement()).abs() < 1e-12);
    assert_eq!(found["old_kept"], wanted.kept_before);
    assert_eq!(found["interval_by"], "sign test");
    assert_eq!(found["score_quantiles"].as_array().unwrap().len(), 101);
    let written: toml::Table = fs::read_to_string(&policy).unwrap().parse().unwrap();
    let written = written["policy"]["threshold"].as_float().unwrap() as f32;
    assert_eq!(written, wanted.threshold);
    let told = String::from_utf8(run(pairgate(args), 0).stdout).unwrap();
    for words in
        ["pairs that both scored             1800", "decided alike", "by a sign test", "by chance"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    // The same from tables.
    let lines = fs::read_to_string(&old).unwrap();
    let mut csv = String::from("uid,key,score,reason\n");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let score = if line["score"].is_null() { String::new() } else { line["score"].to_string() };
        csv += &format!(
            "{},{},{score},{}\n",
            line["uid"].as_str().unwrap(),
            line["key"],
            line["reason"].as_str().unwrap_or("")
        );
    }
    let table = text(&folder.path().join("old.csv"));
    fs::write(&table, csv).unwrap();
    let same = json_of(&["calibrate", &new, "--from", &table, "--threshold", "0.05"]);
    assert_eq!(same, found);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let (old, new, _) = files(folder.path(), 300);
    let says = |args: &[&str], words: &[&str]| {
        let error = error_of(args);
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    says(&["calibrate", &new, "--from", &old], &["name no threshold", "--threshold"]);
    says(
        &["calibrate", &new, "--from", &old, "--threshold", "0.9"],
        &["keeps none of the 270 pairs"],
    );
    says(
        &["calibrate", &new, "--from", &old, "--threshold", "-0.9"],
        &["keeps all of the 270 pairs"],
    );
    says(
        &["calibrate", &new, "--from", &old, "--threshold", "0.1", "-k", "10%"],
        &["cannot be used with"],
    );
    // Other pairs, and too few.
    let lines = fs::read_to_string(&old).unwrap();
    let some: Vec<&str> = lines.lines().take(290).collect();
    fs::write(at("some.jsonl"), some.join("\n")).unwrap();
    says(
        &["calibrate", &new, "--from", &at("some.jsonl"), "--threshold", "0.1"],
        &["10 of 300 pairs with new scores have no old ones", &uid(290), "score the same pairs"],
    );
    for (name, from) in [("few-old.jsonl", &old), ("few-new.jsonl", &new)] {
        let lines = fs::read_to_string(from).unwrap();
        let few: Vec<&str> =
            lines.lines().filter(|line| (0..90).any(|place| line.contains(&uid(place)))).collect();
        fs::write(at(name), few.join("\n")).unwrap();
    }
    says(
        &["calibrate", &at("few-new.jsonl"), "--from", &at("few-old.jsonl"), "--threshold", "0.1"],
        &["81 pairs", "100 or more"],
    );
    fs::write(at("broken.jsonl"), "{\"uid\":\"xyz\",\"score\":0.1}\n").unwrap();
    says(
        &["calibrate", &new, "--from", &at("broken.jsonl"), "--threshold", "0.1"],
        &["line 1", "32 hex digits"],
    );
    fs::write(at("none.jsonl"), "{\"key\":\"a\"}\n").unwrap();
    says(
        &["calibrate", &at("none.jsonl"), "--from", &old, "--threshold", "0.1"],
        &["not a score with its uid"],
    );
    says(
        &["calibrate", &new, "--from", &at("no-such-folder"), "--threshold", "0.1"],
        &["no-such-folder"],
    );
}

/// Pairs of the pictures in tests/data with many captions, as a manifest.
fn many_pairs(folder: &Path) -> PathBuf {
    let pictures = ["ball.jpg", "beach.jpg", "city.jpg"];
    let things = [
        "a red ball",
        "a beach with waves",
        "houses of a city",
        "two dogs",
        "an old car",
        "a plate of food",
        "a boat",
    ];
    let places = ["on grass", "in the sun", "at night", "by the sea", "on a street", "in snow"];
    let mut lines = String::new();
    for picture in pictures {
        for thing in things {
            for place in places {
                lines +=
                    &json!({ "image": picture, "caption": format!("{thing} {place}") }).to_string();
                lines += "\n";
            }
        }
    }
    let path = folder.join("pairs.jsonl");
    fs::write(&path, lines).unwrap();
    path
}

#[test]
fn a_new_model_keeps_what_the_old_one_kept() {
    let folder = tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let pairs = text(&many_pairs(folder.path()));
    let root = text(&data("pairs"));
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    // The same model again: all is decided alike.
    let same = json_of(&["calibrate", &pairs, "--image-root", &root, "--from", &text(&old)]);
    assert_eq!((&same["pairs"], &same["agreement"]), (&json!(126), &json!(1.0)));
    assert!((same["old_threshold"].as_f64().unwrap() + 0.0618).abs() < 1e-6);
    // Another one: a bundle against a bundle, and its scores against the journal of a run.
    let new = folder.path().join("new");
    let other = crate::blend::another_default(folder.path());
    let part = |path: &Path, weight| Part {
        bundle: Bundle::load(path).unwrap(),
        name: String::new(),
        weight,
    };
    blend(&[part(&old, 0.5), part(&other, 0.5)], &new, &mut |_| {}).unwrap();
    let new = text(&new);
    let by_bundles = json_of(&[
        "calibrate",
        &pairs,
        "--image-root",
        &root,
        "--model",
        &new,
        "--from",
        &text(&old),
        "--threshold",
        "0.02",
    ]);
    run(
        pairgate([
            "filter",
            &pairs,
            "--image-root",
            &root,
            "--threshold",
            "0.02",
            "-o",
            &at("kept"),
        ]),
        0,
    );
    run(
        pairgate(["score", &pairs, "--image-root", &root, "--model", &new, "-o", &at("new.jsonl")]),
        0,
    );
    let by_records = json_of(&["calibrate", &at("new.jsonl"), "--from", &at("kept")]);
    assert_eq!(by_records, by_bundles);
    let half = json_of(&[
        "calibrate",
        &pairs,
        "--image-root",
        &root,
        "--model",
        &new,
        "--from",
        &at("kept"),
    ]);
    assert_eq!(half, by_bundles);
    #[cfg(feature = "parquet")]
    {
        run(
            pairgate([
                "score",
                &pairs,
                "--image-root",
                &root,
                "--model",
                &new,
                "-o",
                &at("new.parquet"),
            ]),
            0,
        );
        let by_table = json_of(&["calibrate", &at("new.parquet"), "--from", &at("kept")]);
        assert_eq!(by_table, by_bundles);
    }
    // Into the new bundle, and filter keeps as many with it.
    run(pairgate(["calibrate", &at("new.jsonl"), "--from", &at("kept"), "--into", &new]), 0);
    let manifest = Bundle::load(Path::new(&new)).unwrap().manifest;
    assert_eq!(manifest.score_quantiles.len(), 101);
    let kept = |args: &[&str]| {
        json_of(&[&["filter", &pairs, "--image-root", &root], args].concat())["kept"].clone()
    };
    let before = kept(&["--threshold", "0.02", "-o", &at("before")]);
    assert_eq!(kept(&["--model", &new, "-o", &at("after")]), before);
    // Of several thresholds none is the one.
    let other =
        ["filter", &pairs, "--image-root", &root, "--threshold", "0.05", "-o", &at("other")];
    run(pairgate(other), 0);
    let error =
        error_of(&["calibrate", &at("new.jsonl"), "--from", &at("kept"), "--from", &at("other")]);
    assert!(error.contains("threshold moved"), "{error}");
}
