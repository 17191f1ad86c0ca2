//! `pairgate score`: one pair by hand, a threshold, single rules, and answers in a pipe.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{pairgate, pairs, run, shard, summary, text};
use crate::support::data;

fn sunset() -> String {
    text(&data("pairs/sunset.jpg"))
}

/// What is said of the sunset in the sample pairs.
fn caption() -> String {
    fs::read_to_string(data("pairs/sunset.txt")).unwrap()
}

fn one(picture: &str, caption: &str, more: &[&str]) -> Command {
    let mut command = pairgate(["score", picture, "--caption", caption]);
    command.args(more);
    command
}

fn errors(command: Command, code: i32) -> String {
    String::from_utf8(run(command, code).stderr).unwrap()
}

fn lines(command: Command, code: i32) -> Vec<Value> {
    let output = String::from_utf8(run(command, code).stdout).unwrap();
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn row<'a>(rows: &'a [Value], key: &str) -> &'a Value {
    rows.iter().find(|row| row["key"] == key).unwrap()
}

#[test]
fn one_pair_gets_the_score_that_it_has_among_many() {
    let many = lines(pairgate(["score", &pairs(), "-o", "-"]), 0);
    let of_many = row(&many, "sunset");
    let answer = summary(&run(one(&sunset(), &caption(), &["--json"]), 0));
    for field in ["score", "reason", "caption_length", "width", "height", "sha256"] {
        assert_eq!(answer[field], of_many[field], "{field}");
    }
    assert_eq!((&answer["verdict"], &answer["threshold_by"]), (&"kept".into(), &"model".into()));
    assert_eq!(answer["percentile"], 47.1);

    let mut piped = one("-", &caption(), &["--json"]);
    piped.stdin(fs::File::open(sunset()).unwrap());
    assert_eq!(summary(&run(piped, 0)), answer);
}

#[test]
fn one_pair_is_answered_in_words() {
    let told = |caption: &str, more: &[&str], code| {
        String::from_utf8(run(one(&sunset(), caption, more), code).stdout).unwrap()
    };
    let good = told(&caption(), &[], 0);
    for part in ["score       0.15196015", "percentile  ", "verdict     kept; the threshold is"] {
        assert!(good.contains(part), "{part}: {good}");
    }
    assert!(good.contains("which the model recommends") && !good.contains("reason"), "{good}");
    let strict = told(&caption(), &["-t", "0.9"], 0);
    assert!(strict.contains("rejected; the threshold is 0.9, by --threshold"), "{strict}");
    assert!(strict.contains("reason      low_similarity"), "{strict}");
    let short = told("sunset", &[], 0);
    assert!(short.contains("score ") && short.contains("reason      caption_too_few_words"));
    let lax = told("sunset", &["--rules", "none", "-t=-1"], 0);
    assert!(lax.contains("verdict     kept") && !lax.contains("reason"), "{lax}");
    // One that begins like an option.
    assert!(told("-o is a letter and a dash", &[], 0).contains("score "));

    let temp = tempfile::tempdir().unwrap();
    let config = temp.path().join("c.toml");
    fs::write(&config, "[policy]\nthreshold = 0.5\n").unwrap();
    let configured = told(&caption(), &["--config", &text(&config)], 0);
    assert!(configured.contains("the threshold is 0.5, by the config"), "{configured}");
}

#[test]
fn one_pair_that_cannot_be_judged_says_why() {
    let txt = text(&data("pairs/sunset.txt"));
    let damaged = text(&data("damaged/damaged.jpg"));
    for (picture, reason) in [(&txt, "unknown_format"), (&damaged, "image_truncated")] {
        let output = run(one(picture, &caption(), &[]), 1);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("verdict     failed") && told.contains(reason), "{told}");
        assert!(!told.contains("score"), "{told}");
        let json = summary(&run(one(picture, &caption(), &["--json"]), 1));
        assert_eq!((&json["score"], &json["percentile"]), (&Value::Null, &Value::Null));
        assert_eq!(json["reason"], reason);
    }
    let temp = tempfile::tempdir().unwrap();
    let empty = temp.path().join("empty.jpg");
    fs::write(&empty, "").unwrap();
    for (picture, caption, wanted) in [
        ("no/such.jpg", "a dog", "no/such.jpg"),
        (&sunset(), " \n", "--caption is empty"),
        (&pairs(), "a dog", "it is a folder"),
        (&text(&empty), "a dog", "it is empty"),
    ] {
        let told = errors(one(picture, caption, &[]), 2);
        assert!(told.contains(wanted), "{told}");
    }
    let two = pairgate(["score", &sunset(), &sunset(), "--caption", "a dog"]);
    assert!(errors(two, 2).contains("one picture"));
    let both = one(&sunset(), "a dog", &["-o", "-"]);
    assert!(errors(both, 2).contains("--caption"));
    let nowhere = errors(pairgate(["score", &pairs()]), 2);
    assert!(nowhere.contains("--output FILE") && nowhere.contains("--caption"), "{nowhere}");
}

#[test]
fn a_threshold_adds_verdicts_and_nothing_else_changes() {
    let temp = tempfile::tempdir().unwrap();
    let plain = lines(pairgate(["score", &pairs(), "-o", "-"]), 0);
    assert!(plain.iter().all(|row| row.get("verdict").is_none()));
    let judged = lines(pairgate(["score", &pairs(), "-o", "-", "-t", "0.1"]), 0);
    assert_eq!(judged.len(), plain.len());
    for (judged, plain) in judged.iter().zip(&plain) {
        assert_eq!((&judged["key"], &judged["score"]), (&plain["key"], &plain["score"]));
        let passes = plain["reason"].is_null() && plain["score"].as_f64().unwrap() >= 0.1;
        assert_eq!(judged["verdict"], if passes { "kept" } else { "rejected" }, "{judged}");
        if !passes && plain["reason"].is_null() {
            assert_eq!(judged["reason"], "low_similarity");
        }
    }
    let csv = temp.path().join("scores.csv");
    let args = ["score", &pairs(), "-o", &text(&csv), "-t", "0.1", "--json"];
    let told = summary(&run(pairgate(args), 0));
    let kept = judged.iter().filter(|row| row["verdict"] == "kept").count();
    assert_eq!((&told["threshold"], &told["kept"]), (&serde_json::json!(0.1), &kept.into()));
    let table = fs::read_to_string(csv).unwrap();
    assert!(table.starts_with("uid,key,shard,score,reason,verdict,width"), "{table}");
    assert_eq!(table.matches(",kept,").count(), kept);
}

#[test]
fn single_rules_are_said_on_the_command_line() {
    let reason = |more: &[&str], key: &str| {
        let mut command = pairgate(["score", &pairs(), "-o", "-"]);
        command.args(more);
        row(&lines(command, 0), key)["reason"].clone()
    };
    assert_eq!(reason(&[], "thumbnail"), "image_too_small");
    assert_eq!(reason(&["--min-side", "10"], "thumbnail"), Value::Null);
    assert_eq!(reason(&["--min-side", "5000"], "sunset"), "image_too_small");
    assert_eq!(reason(&["--min-words", "30"], "sunset"), "caption_too_few_words");
    assert_eq!(reason(&["--max-words", "5"], "sunset"), "caption_too_many_words");
    assert_eq!(
        reason(&["--rules", "none", "--max-words", "5"], "sunset"),
        "caption_too_many_words"
    );
    assert_eq!(reason(&["--language", "de,fr"], "sunset"), "language");
    assert_eq!(reason(&["--language", "de,en"], "sunset"), Value::Null);
    assert_eq!(reason(&["--language", "any"], "sunset"), Value::Null);
    let temp = tempfile::tempdir().unwrap();
    let config = temp.path().join("c.toml");
    fs::write(&config, "[rules]\nlanguages = [\"de\"]\nmax_words = 5\nmin_words = 1\n").unwrap();
    let config = text(&config);
    assert_eq!(reason(&["--config", &config, "--max-words", "0"], "sunset"), "language");
    let both = ["--config", &config, "--language", "any"];
    assert_eq!(reason(&both, "sunset"), "caption_too_many_words");
    assert_eq!(reason(&["--config", &config, "--rules", "basic"], "sunset"), Value::Null);

    let unknown = pairgate(["score", &pairs(), "-o", "-", "--language", "en,tlh"]);
    let told = errors(unknown, 2);
    assert!(told.contains("tlh") && told.contains("ar, de, en, es"), "{told}");
    let contradiction = pairgate(["filter", &pairs(), "--dry-run", "--max-words", "2"]);
    assert!(errors(contradiction, 2).contains("rules.max_words = 2"));

    let out = temp.path().join("kept");
    let args = ["filter", &pairs(), "-o", &text(&out), "--language", "de", "--json", "-t=-1"];
    let told = summary(&run(pairgate(args), 0));
    assert!(told["rejected_reasons"]["language"].as_u64().unwrap() >= 9, "{told}");
    let changed = pairgate(["filter", &pairs(), "-o", &text(&out), "--language", "en", "-t=-1"]);
    assert!(errors(changed, 2).contains("rules.languages"), "it is in the digest");
}

/// The members of the sample pairs, as pieces of a tar: each ends where the answer to it can be made,
/// with the next one's first header, the last one with the archive.
fn pieces(tar: &Path) -> Vec<Vec<u8>> {
    shard(tar);
    let bytes = fs::read(tar).unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let mut starts: Vec<(String, usize)> = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let key = path.to_str().unwrap().split('.').next().unwrap().to_owned();
        if starts.last().is_none_or(|(last, _)| *last != key) {
            starts.push((key, entry.raw_header_position() as usize));
        }
    }
    let ends = starts[1..].iter().map(|(_, start)| start + 512).chain([bytes.len()]);
    let mut from = 0;
    ends.map(|end| bytes[std::mem::replace(&mut from, end)..end].to_vec()).collect()
}

#[test]
fn a_program_can_ask_and_wait_for_each_answer() {
    let temp = tempfile::tempdir().unwrap();
    let pieces = pieces(&temp.path().join("pairs.tar"));
    for more in [&["-w", "1", "-b", "1"][..], &[], &["-w", "2", "-b", "64", "-t", "0"]] {
        let mut command = pairgate(["score", "-", "-o", "-"]);
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (told, heard) = mpsc::channel();
        thread::spawn(move || answers.lines().map_while(Result::ok).try_for_each(|l| told.send(l)));
        for (number, piece) in pieces.iter().enumerate() {
            questions.as_mut().unwrap().write_all(piece).unwrap();
            // What follows the end mark is read to the end.
            questions = questions.filter(|_| number + 1 < pieces.len());
            let answer = heard.recv_timeout(Duration::from_secs(60));
            let answer = answer.unwrap_or_else(|_| panic!("{more:?}: no answer to {number}"));
            assert!(answer.starts_with("{\"key\":"), "{answer}");
        }
        assert!(child.wait().unwrap().success());
        assert!(heard.recv_timeout(Duration::from_secs(60)).is_err(), "one answer each");
    }
}
