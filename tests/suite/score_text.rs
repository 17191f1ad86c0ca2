//! Scores are the same digits wherever they are written.

use std::fs;

use pairgate::score_text::shortest;
use proptest::prelude::*;
use serde_json::Value;

use crate::cli::{pairgate, pairs, run, text};

#[test]
fn a_score_has_the_fewest_digits() {
    for (score, expected) in [
        (0.2734, "0.2734"),
        (-0.058, "-0.058"),
        (1.0, "1.0"),
        (0.0, "0.0"),
        (0.1 + 0.2, "0.3"),
        (f32::MIN_POSITIVE, "1.1754944e-38"),
        (f32::NAN, "null"),
        (f32::INFINITY, "null"),
    ] {
        assert_eq!(shortest(score).to_string(), expected);
    }
}

proptest! {
    #[test]
    fn a_score_is_read_back_as_it_was(score in -1.0f32..=1.0) {
        let written = shortest(score).to_string();
        prop_assert_eq!(written.parse::<f32>().unwrap().to_bits(), score.to_bits());
        prop_assert!(written.len() <= score.to_string().len().max(14), "{}", written);
    }
}

/// What stands behind `"key":` in a line of JSON, as it is written.
fn written<'a>(line: &'a str, key: &str) -> &'a str {
    let from = line.find(&format!("\"{key}\":")).unwrap() + key.len() + 3;
    line[from..].split([',', '}']).next().unwrap().trim()
}

/// Keys and scores of JSON lines, sorted.
fn of_lines(lines: &str) -> Vec<(String, String)> {
    let score = |line: &str| {
        let key = serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned();
        (key, written(line, "score").to_owned())
    };
    let mut scores: Vec<_> = lines.lines().map(score).collect();
    scores.sort();
    scores
}

#[test]
fn every_output_writes_the_same_digits() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let args = |output: &str| ["score", &pairs(), "-o", output].map(str::to_owned);
    for name in ["s.jsonl", "s.csv", "s.pairgate"] {
        run(pairgate(args(&at(name))), 0);
    }
    let lines = of_lines(&fs::read_to_string(at("s.jsonl")).unwrap());
    assert!(lines.iter().any(|(_, score)| score.len() > 5), "{lines:?}");

    let cat = run(pairgate(["journal", "cat", &at("s.pairgate")]), 0);
    assert_eq!(of_lines(&String::from_utf8(cat.stdout).unwrap()), lines);

    let mut table = csv::Reader::from_path(at("s.csv")).unwrap();
    let row = |row: csv::StringRecord| (row[1].to_owned(), row[3].to_owned());
    let mut rows: Vec<_> = table.records().map(|record| row(record.unwrap())).collect();
    rows.sort();
    assert_eq!(rows, lines);

    let args = ["replay", &at("s.pairgate"), "--threshold=0.2734", "--json", "-o", &at("kept")];
    let replayed = run(pairgate(args), 0);
    let replayed = String::from_utf8(replayed.stdout).unwrap();
    assert_eq!(written(&replayed, "threshold"), "0.2734");
    let kept = of_lines(&fs::read_to_string(at("kept")).unwrap());
    assert!(!kept.is_empty() && kept.iter().all(|row| lines.contains(row)), "{kept:?}");
}

#[test]
fn summaries_and_records_write_a_threshold_as_it_was_said() {
    let temp = tempfile::tempdir().unwrap();
    let out = text(&temp.path().join("kept"));
    let args = ["filter", &pairs(), "-o", &out, "--threshold=0.2734", "--json"];
    let summary = String::from_utf8(run(pairgate(args), 0).stdout).unwrap();
    assert_eq!(written(&summary, "threshold"), "0.2734");
    let listed = String::from_utf8(run(pairgate(["journal", "ls", &out, "--json"]), 0).stdout);
    assert_eq!(written(&listed.unwrap(), "threshold"), "0.2734");
}
