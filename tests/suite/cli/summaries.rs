//! What the end of a run says: where the output is, what to do next, what may help.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pairgate::cli::hints;
use pairgate_core::config::Config;
use pairgate_core::decision::Reason;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::{pairgate, run, summary, text};
use crate::support::data;

/// A folder to run in, where the sample pairs are in `name`, so that lines are as long as people's.
fn workplace(name: &str) -> TempDir {
    let temp = tempdir().unwrap();
    let pairs = temp.path().join(name);
    fs::create_dir(&pairs).unwrap();
    for entry in fs::read_dir(data("pairs")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), pairs.join(entry.file_name())).unwrap();
    }
    temp
}

fn run_in(folder: &Path, args: &[&str], code: i32) -> Output {
    let mut command = pairgate(args);
    command.current_dir(folder);
    run(command, code)
}

fn told(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?} in {text}");
    }
    text
}

/// The commands behind `next:`, those of several lines put together.
fn next_commands(text: &str) -> Vec<String> {
    let Some((_, behind)) = text.split_once("\nnext: ") else { return Vec::new() };
    behind.replace(" \\\n", " ").lines().map(|line| line.trim().to_owned()).collect()
}

/// Runs a command as it was told, as a shell reads it.
#[cfg(unix)]
fn typed(folder: &Path, command: &str) {
    let script =
        format!("pairgate() {{ '{}' \"$@\"; }}\n{command}", env!("CARGO_BIN_EXE_pairgate"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder);
    run(shell, 0);
}

#[cfg(unix)]
#[test]
fn every_command_that_is_told_runs_as_it_stands() {
    if super::skipped_under_emulation("a shell runs the binary") {
        return;
    }
    let temp = workplace("it's a pair");
    let at = temp.path();
    let pairs = "it's a pair";
    let filtered = told(&run_in(at, &["filter", pairs, "-o", "kept one"], 0));
    assert!(filtered.contains("kept pairs in kept one, every decision in kept one/journal\n"));
    let commands = next_commands(&filtered);
    assert_eq!(commands.len(), 2, "{filtered}");
    commands.iter().for_each(|command| typed(at, &command.replace("KEY", "beach")));
    assert!(at.join("report.html").is_file());

    let scored = told(&run_in(at, &["score", pairs, "-o", "s.jsonl"], 0));
    assert!(scored.contains("\nscores in s.jsonl\n"), "{scored}");
    next_commands(&scored).iter().for_each(|command| typed(at, command));
    assert!(at.join("kept/00000.tar").is_file(), "{scored}");
    let journal = told(&run_in(at, &["score", pairs, "-o", "s.pairgate"], 0));
    assert!(journal.contains("pairgate replay s.pairgate"), "{journal}");
    next_commands(&journal).iter().for_each(|command| typed(at, command));

    fs::remove_dir_all(at.join("kept")).unwrap();
    for (args, wanted) in [
        (&["calibrate", pairs][..], "--threshold="),
        (&["calibrate", pairs, "-o", "policy.toml"], "--config policy.toml"),
        (&["calibrate", "s.pairgate"], "replay"),
    ] {
        let calibrated = told(&run_in(at, args, 0));
        let commands = next_commands(&calibrated);
        assert!(commands.len() == 1 && commands[0].contains(wanted), "{calibrated}");
        typed(at, &format!("rm -rf kept; {}", commands[0]));
    }

    let picture = fs::read(data("pairs/sunset.jpg")).unwrap();
    fs::write(at.join("c.mjpeg"), picture.repeat(3)).unwrap();
    let capture = ["capture", "c.mjpeg", "--caption", "a red sunset at sea", "-t=-1", "-o", "seen"];
    let captured = told(&run_in(at, &capture, 0));
    assert!(captured.contains("kept pairs in seen,"), "{captured}");
    let commands = next_commands(&captured);
    assert_eq!(commands[0], "pairgate report seen -o report.html");
    typed(at, &commands[0]);
}

#[test]
fn a_run_that_wrote_nothing_or_to_a_pipe_names_no_output() {
    let temp = workplace("pairs");
    let dry = told(&run_in(temp.path(), &["filter", "pairs", "--dry-run"], 0));
    assert!(dry.contains("nothing was written") && next_commands(&dry).is_empty(), "{dry}");
    let piped = run_in(temp.path(), &["score", "pairs", "-o", "-"], 0);
    let errors = String::from_utf8(piped.stderr).unwrap();
    assert!(errors.contains("pairs in") && !errors.contains("next:"), "{errors}");
    // More inputs than anybody types are not repeated.
    let four = ["filter", "pairs", "pairs", "pairs", "pairs", "-o", "kept"];
    let commands = next_commands(&told(&run_in(temp.path(), &four, 0)));
    assert_eq!(commands[0], "pairgate report kept -o report.html");
    // What has failed tells nothing to go on with.
    fs::write(temp.path().join("torn"), "").unwrap();
    let refused = run_in(temp.path(), &["filter", "pairs", "-o", "torn"], 2);
    assert!(refused.stdout.is_empty());
}

/// The embedded bundle under another licence.
fn bundle_under(licence: &str, folder: &Path) -> String {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    for entry in fs::read_dir(default).unwrap().map(Result::unwrap) {
        if entry.path().is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    let path = folder.join("bundle.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let lines = manifest.lines().map(|line| match line.starts_with("licence = ") {
        true => format!("licence = {licence:?}"),
        false => line.to_owned(),
    });
    fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    text(folder)
}

#[test]
fn a_licence_that_is_not_free_for_any_use_is_told() {
    let temp = workplace("pairs");
    let default = told(&run_in(temp.path(), &["filter", "pairs", "--dry-run"], 0));
    assert!(default.contains("\nits licence: non-commercial research and education only\n"));
    let long = "terms ".repeat(40);
    for (licence, wanted) in [
        ("MIT", None),
        ("apache-2.0", None),
        ("GPL-3.0 OR MIT", None),
        ("CC-BY-NC-4.0", Some("CC-BY-NC-4.0")),
        ("apple-amlr", Some("apple-amlr")),
        (&long, Some("terms terms")),
    ] {
        let folder = tempdir().unwrap();
        let bundle = bundle_under(licence, folder.path());
        let args = ["filter", "pairs", "--dry-run", "--model", &bundle];
        let line = told(&run_in(temp.path(), &args, 0));
        let line = line.lines().find_map(|line| line.strip_prefix("its licence: "));
        assert_eq!(line.is_some(), wanted.is_some(), "{licence}");
        assert!(line.unwrap_or_default().starts_with(wanted.unwrap_or_default()), "{line:?}");
    }
}

#[test]
fn json_has_output_and_licence_and_no_advice() {
    let temp = workplace("pairs");
    let output = run_in(temp.path(), &["filter", "pairs", "-o", "kept", "--json"], 0);
    let json = summary(&output);
    assert_eq!(json["output"], "kept");
    assert!(json["licence"].as_str().unwrap().contains("non-commercial"), "{json}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("pairgate report"));
    let dry = ["filter", "pairs", "--dry-run", "--json", "-t=1"];
    let output = run_in(temp.path(), &dry, 0);
    assert_eq!(summary(&output)["output"], Value::Null);
    assert!(!String::from_utf8(output.stdout).unwrap().contains("hint"));
}

#[test]
fn a_reason_that_takes_most_of_the_pairs_says_what_to_set() {
    let temp = workplace("pairs");
    let at = temp.path();
    fs::create_dir(at.join("empty")).unwrap();
    fs::create_dir(at.join("lists")).unwrap();
    let config =
        |name: &str, rule: &str| fs::write(at.join(name), format!("[rules]\n{rule}")).unwrap();
    config("side.toml", "min_side = 5000");
    config("words.toml", "min_words = 90");
    let line = |image: &str| format!("{{\"image\": \"{image}\", \"caption\": \"a meadow\"}}\n");
    fs::write(at.join("lists/outside.jsonl"), line("../pairs/beach.jpg").repeat(3)).unwrap();
    fs::write(at.join("lists/missing.jsonl"), line("beach.jpg").repeat(3)).unwrap();
    for (args, code, wanted) in [
        (&["pairs", "--config", "side.toml"][..], 0, "image_too_small, 92 % of the pairs"),
        (&["pairs", "--config", "side.toml"], 0, "rules.min_side"),
        (&["pairs", "--config", "words.toml"], 0, "rules.min_words"),
        (&["pairs", "--rules", "none", "-t", "1"], 0, "pairgate calibrate"),
        (&["lists/outside.jsonl"], 1, "--image-root"),
        (&["lists/missing.jsonl"], 1, "image_missing, 100 % of the pairs"),
        (&["empty"], 1, "no pairs were found"),
    ] {
        let all = ["filter", "--dry-run"].iter().chain(args);
        let text = told(&run_in(at, &all.copied().collect::<Vec<_>>(), code));
        assert!(text.contains("\nhint: ") && text.contains(wanted), "{args:?}: {text}");
    }
    let usual = told(&run_in(at, &["filter", "pairs", "--dry-run"], 0));
    assert!(!usual.contains("hint:"), "{usual}");
    let scored = run_in(at, &["score", "pairs", "-o", "-", "--config", "side.toml"], 0);
    assert!(String::from_utf8(scored.stderr).unwrap().contains("rules.min_side"));
}

/// The keys of a config, with their tables.
fn keys() -> BTreeSet<String> {
    let tables = toml::Table::try_from(Config::default()).unwrap().into_iter();
    let keys = tables.flat_map(|(table, keys)| {
        let keys = keys.as_table().unwrap().keys().cloned().collect::<Vec<_>>();
        keys.into_iter().map(move |key| format!("{table}.{key}"))
    });
    keys.collect()
}

#[test]
fn every_reason_has_a_hint_that_holds_or_is_known_to_need_none() {
    let without: Vec<_> =
        Reason::ALL.iter().filter(|reason| hints::of(**reason).is_none()).collect();
    // Nothing is wrong; a bug, named by the run's error; the pair's own fault, whatever is set.
    let expected =
        [Reason::Passed, Reason::NotJudged, Reason::DuplicateMember, Reason::CaptionUntokenizable];
    assert_eq!(without, expected.iter().collect::<Vec<_>>());
    let help = String::from_utf8(run(pairgate(["filter", "--help"]), 0).stdout).unwrap();
    let keys = keys();
    for hint in Reason::ALL.iter().filter_map(|reason| hints::of(*reason)) {
        assert!(hint.text.lines().all(|line| line.chars().count() <= 74), "{}", hint.text);
        assert!((0.5..1.0).contains(&hint.above));
        let names = hint.text.split(|c: char| !(c.is_ascii_lowercase() || "._-".contains(c)));
        for name in names {
            let is_option = name.starts_with("--") && name.len() > 2;
            assert!(!is_option || help.contains(name), "{name}: there is no such option");
            let table = name.split_once('.').filter(|(table, key)| {
                let is_table = keys.iter().any(|found| found.starts_with(&format!("{table}.")));
                is_table && !key.is_empty()
            });
            assert!(table.is_none() || keys.contains(name), "{name}: there is no such key");
        }
    }
    let named = Reason::ALL.iter().filter_map(|reason| hints::of(*reason));
    let named = named.filter(|hint| keys.iter().any(|key| hint.text.contains(key.as_str())));
    assert!(named.count() >= 8, "the limits are keys");
}

/// What people do wrong at first.
#[test]
fn first_mistakes_are_answered() {
    let temp = workplace("pairs");
    fs::write(temp.path().join("file"), "").unwrap();
    for (args, wanted) in [
        (&["filter", "pears", "-o", "kept"][..], "no such file"),
        (&["filter", "pairs", "-o", "file"], "it is a file: name a folder"),
        (&["capture", "x.mjpeg", "-o", "file"], "it is a file: name a folder"),
        (&["filter", "pairs", "-o", "kept", "--model", "no"], "hint: a bundle is a folder"),
        (&["filter", "pairs", "-o", "kept", "--modl", "no"], "'--model'"),
        (&["filter", "pairs", "-o", "kept", "--board", "pi4"], "rpi4"),
        (&["score", "pairs", "-o", "no/s.jsonl"], "there is no folder no"),
        (&["score", "pairs", "-o", "pairs"], "it is a folder: name a file"),
        (&["report", "pairs", "-o", "no/r.html"], "there is no folder no"),
        (&["calibrate", "pairs", "-o", "no/p.toml"], "there is no folder no"),
    ] {
        let output = run_in(temp.path(), args, 2);
        let errors = String::from_utf8(output.stderr).unwrap();
        let first = errors.lines().next().unwrap();
        assert!(first.starts_with("error: ") && errors.contains(wanted), "{args:?}: {errors}");
    }
    let left: BTreeSet<PathBuf> =
        fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
