//! Two runs over the same pairs, side by side: the sums by hand, every form of a run, the page.

mod ranks;
#[cfg(unix)]
mod shown;

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::compare::{JoinError, Matched, Pair, Row, Run, Side, join};
use pairgate::{Uid, Verdict};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::cli::{pairgate, run, shard, text};
use crate::report::numbers;
use crate::support::data;

fn uid(number: u32) -> Uid {
    format!("{number:032x}").parse().unwrap()
}

/// A line of scores.
fn line(number: u32, score: f32) -> String {
    let uid = uid(number);
    let shard = format!("shard-{}", number % 3);
    json!({ "uid": uid.to_string(), "key": number.to_string(), "shard": shard, "score": score })
        .to_string()
        + "\n"
}

/// Files of scores.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, lines: impl IntoIterator<Item = (u32, f32)>) -> String {
        let lines: String = lines.into_iter().map(|(number, score)| line(number, score)).collect();
        fs::write(self.at(name), lines).unwrap();
        text(&self.at(name))
    }
}

/// What a join gives.
#[derive(Default)]
struct Told {
    pairs: Vec<(Uid, [Option<f32>; 2])>,
    only: [u32; 2],
    read: u32,
}

impl Matched for Told {
    fn both(&mut self, pair: Pair) {
        self.pairs.push((pair.uid, pair.sides.map(|side| side.score)));
    }

    fn only(&mut self, run: usize, _: Side) {
        self.only[run] += 1;
    }

    fn read(&mut self, _: usize, _: &Row) {
        self.read += 1;
    }
}

fn joined(old: &str, new: &str, most: usize) -> Result<Told, JoinError> {
    let mut told = Told::default();
    let rows = |path: &str| Run::open(Path::new(path)).unwrap().rows(None).unwrap();
    join(&mut [rows(old), rows(new)], most, &mut told)?;
    told.pairs.sort_by_key(|(uid, _)| *uid);
    Ok(told)
}

#[test]
fn pairs_are_matched_in_any_order() {
    let files = Files::new();
    let score = |number: u32, by: f32| (number, number as f32 / 1000.0 * by);
    let old = files.write("old.jsonl", (0..100).map(|n| score(n, 1.0)));
    let same = files.write("same.jsonl", (0..100).map(|n| score(n, 0.5)));
    let turned = files.write("turned.jsonl", (0..100).rev().map(|n| score(n, 0.5)));
    let wanted: Vec<_> =
        (0..100).map(|n| (uid(n), [Some(score(n, 1.0).1), Some(score(n, 0.5).1)])).collect();
    // In one order nothing waits.
    assert_eq!(joined(&old, &same, 0).unwrap().pairs, wanted);
    assert_eq!(joined(&old, &turned, 100).unwrap().pairs, wanted);
    assert_eq!(joined(&turned, &old, 100).unwrap().pairs.len(), 100);
    assert!(matches!(joined(&old, &turned, 99), Err(JoinError::TooManyWait(99))));
    // Some are in one alone.
    let part = files.write("part.jsonl", (50..120).map(|n| score(n, 0.5)));
    let told = joined(&old, &part, 1000).unwrap();
    assert_eq!((told.pairs.as_slice(), told.only, told.read), (&wanted[50..], [50, 20], 170));
    let none = files.write("none.jsonl", []);
    fs::write(&none, "\n{\"uid\":\"none\",\"score\":1}\n").unwrap();
    assert_eq!(joined(&old, &none, 1000).unwrap().only, [100, 0]);
}

/// A pair that comes several times is matched in the order in which it comes.
#[test]
fn repeated_pairs_are_matched_one_by_one() {
    let files = Files::new();
    let old = files.write("old.jsonl", [(7, 0.1), (7, 0.2), (7, 0.3), (8, 0.4)]);
    let new = files.write("new.jsonl", [(8, 0.5), (7, 0.6), (7, 0.7)]);
    let mut told = joined(&old, &new, 10).unwrap();
    told.pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap());
    let pair = |number, a, b| (uid(number), [Some(a), Some(b)]);
    assert_eq!(told.pairs, [pair(7, 0.1, 0.6), pair(7, 0.2, 0.7), pair(8, 0.4, 0.5)]);
    assert_eq!(told.only, [1, 0]);
}

fn compare(args: &[&str]) -> Value {
    let args = ["compare"].iter().chain(args).chain(&["--json"]);
    serde_json::from_slice(&run(pairgate(args), 0).stdout).unwrap()
}

/// Two runs of the sample pairs.
fn two_runs() -> (TempDir, String, String) {
    let temp = tempdir().unwrap();
    let (pairs, at) = (text(&data("pairs")), |name: &str| text(&temp.path().join(name)));
    run(pairgate(["filter", &pairs, "-o", &at("a")]), 0);
    run(pairgate(["filter", &pairs, "-o", &at("b"), "--threshold", "0.15", "--min-side", "1"]), 0);
    let (a, b) = (at("a"), at("b"));
    (temp, a, b)
}

#[test]
fn the_sums_are_those_of_the_journals() {
    let (_temp, a, b) = two_runs();
    let told = compare(&[&a, &b]);
    let records = |folder: &str| {
        let records = pairgate::JournalReader::open(Path::new(folder)).unwrap();
        records.map(Result::unwrap).collect::<Vec<_>>()
    };
    let (old, new) = (records(&a), records(&b));
    assert_eq!(told["pairs"], 12);
    for was in Verdict::ALL {
        for is in Verdict::ALL {
            let both = old.iter().zip(&new).filter(|(a, b)| a.verdict == was && b.verdict == is);
            assert_eq!(told["verdicts"][was.name()][is.name()], both.count(), "{was:?} {is:?}");
        }
    }
    let changed = old.iter().zip(&new).filter(|(a, b)| a.reason != b.reason).count() as u64;
    let reasons = told["reasons"].as_array().unwrap();
    assert_eq!(reasons.iter().map(|row| row["pairs"].as_u64().unwrap()).sum::<u64>(), changed);
    let differences = told["differences"].to_string();
    for part in ["rules.min_side=1 is set now", "the threshold was -0.0618, it is 0.15"] {
        assert!(differences.contains(part), "{differences}");
    }
    assert_eq!((&told["spearman"], &told["kendall"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(told["sources"][0]["pairs"], 12);
    assert_eq!(told["sources"][0]["new_kept"], told["new"]["kept"]);
    // Each change is named, a pair of it at least.
    let named = told["most_changed"].as_array().unwrap();
    assert!(named.iter().any(|pair| pair["change"] == "kept -> rejected"), "{named:?}");
}

/// A run is the same run in each of its forms.
#[test]
fn every_form_of_a_run_is_read() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    fs::create_dir(at("in")).unwrap();
    shard(Path::new(&at("in/00000.tar")));
    shard(Path::new(&at("in/00001.tar")));
    run(pairgate(["filter", &at("in"), "-o", &at("folder"), "--threshold", "0.1"]), 0);
    run(
        pairgate(["filter", &at("in"), "-o", &at("single"), "--threshold", "0.1", "--one-to-one"]),
        0,
    );
    let mut forms = vec![at("folder"), at("folder/journal"), at("single")];
    let mut names = vec!["s.jsonl", "s.csv", "s.pairgate", "s.txt"];
    if cfg!(feature = "parquet") {
        names.push("s.parquet");
    }
    for name in names {
        run(pairgate(["score", &at("in"), "-o", &at(name), "--threshold", "0.1"]), 0);
        forms.push(at(name));
    }
    for form in &forms[1..] {
        let told = compare(&[&forms[0], form]);
        assert_eq!((&told["pairs"], &told["changed"]), (&json!(24), &json!(0)), "{form}");
        assert_eq!(told["old"]["kept"], told["new"]["kept"], "{form}");
        assert_eq!((&told["scored"], &told["spearman"]), (&json!(18), &json!(1.0)), "{form}");
        let reasons = told["reasons"].as_array().unwrap().len();
        assert_eq!(reasons, 0, "{form}");
    }
}

/// Scores of another scale, at the same share.
#[test]
fn models_of_other_scales_are_compared_at_one_share() {
    let files = Files::new();
    let old = files.write("old.jsonl", (0..200).map(|n| (n, n as f32 / 1000.0)));
    // Ten times as large, and the ten best the other way round with the ten worst.
    let turned = |n: u32| if (10..190).contains(&n) { n } else { 199 - n };
    let new = files.write("new.jsonl", (0..200).map(|n| (n, turned(n) as f32 / 100.0)));
    let told = compare(&[&old, &new, "--keep", "10%", "--examples", "100"]);
    // DataComp's rule keeps one more than the share.
    assert_eq!((&told["old"]["kept"], &told["new"]["kept"]), (&json!(21), &json!(21)));
    assert_eq!(told["changed"], 20);
    assert_eq!(told["verdicts"]["kept"]["rejected"], 10);
    let first = &told["most_changed"][0];
    assert_eq!((&first["change"], &first["key"]), (&json!("kept -> rejected"), &json!("199")));
    let ranks = [&first["old"]["rank"], &first["new"]["rank"]].map(|rank| rank.as_f64().unwrap());
    assert!((ranks[0] - 0.9975).abs() < 1e-9 && (ranks[1] - 0.0025).abs() < 1e-9, "{ranks:?}");
    // One threshold for both says something else.
    assert_eq!(compare(&[&old, &new, "--threshold", "0.1"])["old"]["kept"], 100);
    let none = compare(&[&old, &new]);
    assert_eq!((&none["changed"], &none["old"]["kept"]), (&json!(0), &json!(200)));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let files = Files::new();
    let old = files.write("old.jsonl", (0..5).map(|n| (n, 0.1)));
    let other = files.write("other.jsonl", (100..105).map(|n| (n, 0.1)));
    let write = |name: &str, content: &str| {
        fs::write(files.at(name), content).unwrap();
        text(&files.at(name))
    };
    let huge = format!("{{\"uid\":\"{}", "x".repeat(9 << 20));
    let cases = [
        (
            other,
            "have no pair in common, by uid\n  first of each: 00000000000000000000000000000000 (0 in shard-0)",
        ),
        (write("notes.md", "# Notes"), "it is no journal, and no file of scores"),
        (
            write("broken.jsonl", "{\"uid\":\"1\",\n"),
            "broken.jsonl: line 1: not a score with its uid",
        ),
        (write("none.jsonl", "{\"uid\":\"1\"}\n"), "missing field `score`"),
        (
            write("reason.jsonl", &line(1, 0.1).replace("}", ",\"reason\":\"magic\"}")),
            "the reason \"magic\" is not known",
        ),
        (write("long.jsonl", &huge), "line 1: it is longer than 8388608 bytes"),
        (write("a.csv", "uid,key\n1,2\n"), "there is no column \"score\""),
        (
            write("b.csv", &format!("uid,score\n{},high\n", uid(1))),
            "line 2: the score \"high\" is no number",
        ),
        (
            write("long.csv", &format!("uid,score\n\"{}", "x".repeat(9 << 20))),
            "a row is longer than 8388608 bytes",
        ),
        (write("empty", ""), "it is no journal, and no file of scores"),
        (text(files.0.path()), "there is no journal in it"),
        (text(&files.at("absent")), "absent"),
    ];
    for (new, wanted) in cases {
        let output = run(pairgate(["compare", &old, &new]), 2);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(wanted), "{new}: {told}");
    }
    // A uid that is none is passed over, and told.
    let odd = write("odd.jsonl", &(line(1, 0.1) + "{\"uid\":\"one\",\"score\":0.5}\n"));
    let output = run(pairgate(["compare", &old, &odd]), 0);
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("1 rows have no uid of 32 hex digits")
    );
}

/// The text fits a terminal, whatever names it has, and none of them rules it.
#[test]
fn the_text_fits_a_terminal() {
    let (temp, a, b) = two_runs();
    let text_of = |old: &str, new: &str| {
        String::from_utf8(run(pairgate(["compare", old, new]), 0).stdout).unwrap()
    };
    let told = text_of(&a, &b);
    for wanted in
        ["what differs", "old \\ new", "Spearman's correlation", "most changed: kept -> rejected"]
    {
        assert!(told.contains(wanted), "{told}");
    }
    let long = |number: u32, score: f32| {
        let (uid, name) = (uid(number), format!("{}\u{1b}[31m{}", "long".repeat(20), number));
        json!({ "uid": uid.to_string(), "key": name, "shard": name, "score": score }).to_string()
    };
    let at = |name: &str| text(&temp.path().join(name));
    let write = |name: &str, by: f32| {
        let lines: Vec<_> = (0..40).map(|n| long(n, (n as f32 * by).sin())).collect();
        fs::write(at(name), lines.join("\n")).unwrap();
    };
    write("c.jsonl", 1.0);
    write("d.jsonl", 2.0);
    // The names of the runs stand by themselves.
    let lines = told.lines().skip(6).map(str::to_owned).collect::<Vec<_>>();
    let more = text_of(&at("c.jsonl"), &at("d.jsonl"));
    for line in lines.iter().map(String::as_str).chain(more.lines().skip(6)) {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    assert!(!more.contains('\u{1b}') && more.contains("and 28 more sources"), "{more}");
}

/// Of many pairs the page has how many lie where, and stays small.
#[test]
fn a_page_of_many_pairs_stays_small() {
    let files = Files::new();
    let wave = |n: u32, by: f32| (n, (n as f32 * by).sin());
    let old = files.write("old.jsonl", (0..20_000).map(|n| wave(n, 0.1)));
    let new = files.write("new.jsonl", (0..20_000).map(|n| wave(n, 0.11)));
    let page = text(&files.at("page.html"));
    let args = ["compare", &old, &new, "--keep", "20%", "-o", &page, "--json"];
    let output = run(pairgate(args), 0);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Pictures are asked for where there are none.
    assert!(String::from_utf8(output.stderr).unwrap().contains("give --source"));
    let html = fs::read_to_string(&page).unwrap();
    let compared = numbers(&html, "compared");
    assert_eq!(compared["scatter"]["points"], json!([]));
    let fields = compared["scatter"]["fields"].as_array().unwrap();
    let counted: u64 = fields
        .iter()
        .flat_map(|field| field[2].as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(json!(counted), told["scored"]);
    assert!(html.len() < 1_000_000, "{}", html.len());
}
