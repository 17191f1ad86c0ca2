//! The binary as people use it.

mod capture;
mod colours;
mod help;
#[cfg(feature = "manual")]
mod manual;
mod model;
mod odd;
mod outputs;
mod progress;
mod score;
#[cfg(unix)]
mod stop;
mod summaries;
mod warnings;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{data, default_model};

pub fn pairgate<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = program();
    command.args(args).stdin(Stdio::null());
    command
}

/// The emulator that `PAIRGATE_RUNNER` names, such as `qemu-aarch64 -cpu max`; empty for none.
fn runner() -> String {
    std::env::var("PAIRGATE_RUNNER").unwrap_or_default()
}

/// Whether the binary runs in an emulator, where time is short.
pub fn emulated() -> bool {
    !runner().is_empty()
}

/// Whether a test must be skipped for `reason`, which is told, because the binary runs in an emulator.
pub fn skipped_under_emulation(reason: &str) -> bool {
    if emulated() {
        println!("SKIPPED under emulation: {reason}");
    }
    emulated()
}

/// The binary; in the emulator where there is one.
fn program() -> Command {
    let binary = env!("CARGO_BIN_EXE_pairgate");
    let runner = runner();
    let mut words = runner.split_whitespace();
    let Some(emulator) = words.next() else { return Command::new(binary) };
    let mut command = Command::new(emulator);
    command.args(words).arg(binary);
    command
}

#[track_caller]
pub fn run(mut command: Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {errors}");
    output
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub fn pairs() -> String {
    text(&data("pairs"))
}

/// A folder with one picture that is cut off.
pub fn damaged() -> String {
    text(&data("damaged"))
}

/// The sample pairs as a shard, and the bytes of every member.
pub fn shard(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut members = BTreeMap::new();
    for entry in fs::read_dir(data("pairs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        members.insert(name, fs::read(&path).unwrap());
    }
    let mut archive = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in &members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    archive.finish().unwrap();
    members
}

pub fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn assert_balanced(summary: &Value) {
    let count = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(
        count("in"),
        count("kept") + count("rejected") + count("failed") + count("unstored"),
        "{summary}"
    );
}

pub fn kept_members(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(fs::File::open(folder.join("00000.tar")).unwrap());
    let mut members = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes).unwrap();
        members.insert(name, bytes);
    }
    members
}

#[test]
fn the_main_job_on_a_folder() {
    let temp = tempfile::tempdir().unwrap();
    let (out, why) = (temp.path().join("kept"), temp.path().join("why"));
    let (pairs, damaged) = (pairs(), damaged());
    let args = ["filter", &pairs, &damaged, "-o", &text(&out), "--rejected", &text(&why), "--json"];
    // One picture is damaged, which the exit code tells.
    let summary = summary(&run(pairgate(args), 1));
    assert_balanced(&summary);
    assert_eq!(summary["in"], 13);
    assert_eq!(summary["failed_reasons"]["image_truncated"], 1);
    for reason in ["caption_too_few_words", "image_too_small", "aspect_too_extreme"] {
        assert_eq!(summary["rejected_reasons"][reason], 1, "{reason}");
        assert!(why.join(reason).is_dir());
    }
    assert!(out.join("00000.tar").is_file() && out.join("00000_stats.json").is_file());
    assert!(out.join("journal/00000000.pairgate").is_file());
    let original: Vec<u8> = fs::read(data("pairs/sunset.json")).unwrap();
    let kept = kept_members(&out);
    assert_eq!(kept.get("sunset.json"), Some(&original), "carried members stay as they are");
}

#[test]
fn a_second_run_writes_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let run_to = |name: &str, extra: &[&str]| {
        let out = temp.path().join(name);
        let args = ["filter", &pairs(), "-o", &text(&out), "--threshold", "-1"];
        run(pairgate(args.iter().chain(extra)), 0);
        let read = |name: &str| fs::read(out.join(name)).unwrap();
        (read("00000.tar"), read("journal/00000000.pairgate"))
    };
    let first = run_to("a", &["--workers", "1", "--batch", "1"]);
    assert_eq!(first, run_to("b", &["--workers", "3", "--batch", "5", "--queue", "2"]));
}

#[test]
fn folder_shard_stdin_and_manifest_give_the_same_scores() {
    let temp = tempfile::tempdir().unwrap();
    let tar = temp.path().join("pairs.tar");
    shard(&tar);
    let scores = |mut command: Command, stdin: Option<&Path>, code| -> Vec<(String, Value)> {
        if let Some(path) = stdin {
            command.stdin(fs::File::open(path).unwrap());
        }
        let output = run(command, code);
        let lines = String::from_utf8(output.stdout).unwrap();
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["key"].as_str().unwrap().to_owned(), line["score"].clone())
        };
        lines.lines().map(line).collect()
    };
    let folder = scores(pairgate(["score", &pairs(), "-o", "-"]), None, 0);
    assert_eq!(folder.len(), 12);
    assert_eq!(folder, scores(pairgate(["score", &text(&tar), "-o", "-"]), None, 0));
    assert_eq!(folder, scores(pairgate(["score", "-", "-o", "-"]), Some(&tar), 0));

    let manifest = data("manifest.jsonl");
    let listed = scores(pairgate(["score", &text(&manifest), "-o", "-"]), None, 1);
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[2], ("damaged".to_owned(), Value::Null));
    for row in &listed[..2] {
        assert!(folder.contains(row), "{row:?}");
    }
}

#[test]
fn scores_name_the_reason_and_score_all_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("scores.jsonl");
    run(pairgate(["score", &pairs(), &damaged(), "-o", &text(&out)]), 1);
    let lines = fs::read_to_string(out).unwrap();
    let rows: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap();
    assert_eq!(row("thumbnail")["reason"], "image_too_small");
    assert!(row("thumbnail")["score"].is_f64());
    assert_eq!(row("damaged")["reason"], "image_truncated");
    assert!(row("damaged")["score"].is_null() && row("meadow")["reason"].is_null());
}

/// The same pairs as lines and as a table.
#[test]
fn scores_as_a_table_are_those_of_the_lines() {
    let temp = tempfile::tempdir().unwrap();
    let (lines, table) = (temp.path().join("s.jsonl"), temp.path().join("s.csv"));
    for path in [&lines, &table] {
        run(pairgate(["score", &pairs(), &damaged(), "-o", &text(path)]), 1);
    }
    let lines = fs::read_to_string(lines).unwrap();
    let mut table = csv::Reader::from_path(table).unwrap();
    let names = table.headers().unwrap().clone();
    let mut rows = 0;
    for (line, row) in lines.lines().zip(table.records()) {
        let (line, row): (Value, _) = (serde_json::from_str(line).unwrap(), row.unwrap());
        for (name, field) in names.iter().zip(&row).filter(|(name, _)| line.get(name).is_some()) {
            let value = match &line[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            assert_eq!(field, value, "{name}");
        }
        rows += 1;
    }
    assert_eq!(rows, 13);
    let extra = names.iter().any(|name| name == "licence");
    assert!(extra, "{names:?}");
}

#[cfg(feature = "parquet")]
#[test]
fn scores_as_parquet_are_one_file() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("s.parquet");
    let output = run(pairgate(["score", &pairs(), "-o", &text(&path), "--json"]), 0);
    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.num_rows(), 12);
    let about = metadata.key_value_metadata().unwrap();
    let model = about.iter().find(|pair| pair.key == "pairgate.model").unwrap();
    assert_eq!(Value::from(model.value.clone()), summary(&output)["model_digest"]);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
}

/// `--keep` against DataComp's rule on the scores that `score` gives.
#[test]
fn keep_is_datacomps_fraction_rule() {
    let temp = tempfile::tempdir().unwrap();
    let scored = run(pairgate(["score", &pairs(), "-o", "-"]), 0);
    let lines = String::from_utf8(scored.stdout).unwrap();
    let rows: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let open = rows.iter().filter(|row| row["reason"].is_null());
    let mut scores: Vec<f64> = open.clone().map(|row| row["score"].as_f64().unwrap()).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    for (keep, fraction) in [("15%", 0.15), ("0.5", 0.5), ("100%", 1.0)] {
        let out = temp.path().join(keep);
        let args = ["filter", &pairs(), "-o", &text(&out), "--keep", keep, "--json"];
        let summary = summary(&run(pairgate(args), 0));
        assert_balanced(&summary);
        let n = ((scores.len() as f64 * fraction) as usize).min(scores.len() - 1);
        let expected: Vec<String> = open
            .clone()
            .filter(|row| row["score"].as_f64().unwrap() >= scores[n])
            .map(|row| row["key"].as_str().unwrap().to_owned())
            .collect();
        let mut kept: Vec<String> = kept_members(&out)
            .into_keys()
            .filter_map(|name| Some(name.strip_suffix(".txt")?.to_owned()))
            .collect();
        kept.sort();
        assert_eq!(kept, expected, "{keep}");
        assert!(!out.join(".first_pass").exists(), "the first pass leaves nothing behind");
    }
}

#[test]
fn on_error_keep_stores_what_could_not_be_judged() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("kept");
    let (pairs, damaged) = (pairs(), damaged());
    let args = ["filter", &pairs, &damaged, "-o", &text(&out), "--on-error", "keep", "--json"];
    let summary = summary(&run(pairgate(args), 1));
    assert_balanced(&summary);
    assert_eq!(summary["kept_reasons"]["image_truncated"], 1);
    assert!(kept_members(&out).contains_key("damaged.jpg"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let mut command = pairgate(["filter", &pairs(), "--dry-run", "-o", "kept"]);
    command.current_dir(temp.path());
    let output = run(command, 0);
    assert!(String::from_utf8_lossy(&output.stdout).contains("pairs in"));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn an_earlier_run_is_gone_on_with_and_not_overwritten_unless_asked() {
    let temp = tempfile::tempdir().unwrap();
    let out = text(&temp.path().join("kept"));
    for keep in [&[][..], &["--keep", "40%"]] {
        let overwrite = ["--overwrite"];
        let filter = |args: &[&str], code| {
            let all = ["filter", &pairs(), "-o", &out, "--json"];
            run(pairgate(all.iter().chain(keep).chain(args)), code)
        };
        let first = summary(&filter(&overwrite, 0));
        let again = filter(&[], 0);
        assert!(String::from_utf8_lossy(&again.stderr).contains("nothing to do"));
        let again = summary(&again);
        for count in ["in", "kept", "rejected", "failed", "threshold"] {
            assert_eq!(again[count], first[count], "{count}");
        }
        assert_eq!((&again["before"], &first["before"]), (&first["in"], &0.into()));
    }
    let told = |args: &[&str], code| {
        let all = ["filter", &pairs(), "-o", &out];
        String::from_utf8(run(pairgate(all.iter().chain(args)), code).stderr).unwrap()
    };
    // Of another share, other rules or other inputs it is not, by name.
    assert!(told(&["--keep", "15%"], 2).contains("policy.keep=0.4, this one has policy.keep=0.15"));
    run(pairgate(["filter", &pairs(), "-o", &out, "--overwrite", "-t", "0.2"]), 0);
    assert!(told(&["-t", "0.3"], 2).contains("the threshold was 0.2, it is 0.3"));
    assert!(told(&["-t", "0.2", "--rules", "none"], 2).contains("another"));
    let other = run(pairgate(["filter", &damaged(), "-o", &out, "-t", "0.2"]), 2);
    assert!(String::from_utf8_lossy(&other.stderr).contains("had other inputs"));
    // More inputs behind the same ones are.
    let longer = ["filter", &pairs(), &damaged(), "-o", &out, "-t", "0.2", "--json"];
    let longer = summary(&run(pairgate(longer), 1));
    assert_eq!((&longer["in"], &longer["before"]), (&13.into(), &12.into()));
}

#[test]
fn shares_of_the_inputs_are_all_of_them() {
    let temp = tempfile::tempdir().unwrap();
    let names = ["c", "a", "d", "b", "e"].map(|name| temp.path().join(format!("{name}.tar")));
    for tar in &names {
        shard(tar);
    }
    let paths: Vec<String> = names.iter().map(|tar| text(tar)).collect();
    let mut all = Vec::new();
    for number in ["0/3", "1/3", "2/3"] {
        let args = ["score", "-o", "-", "--shard", number];
        let output = run(pairgate(args.into_iter().chain(paths.iter().map(String::as_str))), 0);
        let lines = String::from_utf8(output.stdout).unwrap();
        all.extend(lines.lines().map(str::to_owned));
    }
    assert_eq!(all.len(), 5 * 12);
    let of = |line: &String| serde_json::from_str::<Value>(line).unwrap()["shard"].to_string();
    let first: Vec<String> = all.iter().step_by(12).map(of).collect();
    let wanted = ["a", "d", "b", "e", "c"];
    assert!(first.iter().zip(wanted).all(|(found, name)| found.contains(&format!("{name}.tar"))));
    let empty = ["filter", &paths[0], "-o", &text(&temp.path().join("no")), "--shard", "1/2"];
    run(pairgate(empty), 0);
    let keep = ["filter", &paths[0], "-o", "no", "--keep", "15%", "--shard", "0/2"];
    let error = String::from_utf8(run(pairgate(keep), 2).stderr).unwrap();
    assert!(error.contains("calibrate"), "{error}");
    run(pairgate(["score", "-", "-o", "-", "--shard", "0/2"]), 2);
    run(pairgate(["score", &paths[0], "-o", "-", "--shard", "2/2"]), 2);
}

#[test]
fn an_output_that_overlaps_the_input_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(temp.path().join("in")).unwrap();
    let input = text(&temp.path().join("in"));
    for output in ["in", "in/kept", "in/../in/kept", "."] {
        let output = text(&temp.path().join(output));
        let refused = run(pairgate(["filter", &input, "-o", &output, "--overwrite"]), 2);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("in each other"), "{output}");
    }
    let rejected = text(&temp.path().join("in/why"));
    run(pairgate(["filter", &input, "--dry-run", "--rejected", &rejected]), 2);
}

#[test]
fn a_torn_shard_from_standard_input_is_counted_and_the_rest_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    let tar = temp.path().join("pairs.tar");
    shard(&tar);
    let whole = fs::read(&tar).unwrap();
    let args = ["filter", "-", "--dry-run", "--threshold", "-1", "--json"];
    let mut child = pairgate(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&whole[..whole.len() / 2]).unwrap();
    let summary = summary(&child.wait_with_output().unwrap());
    assert_balanced(&summary);
    assert_eq!(summary["failed_reasons"]["archive_torn"], 1);
    assert!(summary["kept"].as_u64() > Some(0));
}

#[test]
fn mistakes_are_told_with_what_would_help() {
    let temp = tempfile::tempdir().unwrap();
    let config = temp.path().join("config.toml");
    fs::write(&config, "[image]\nmax_side = 0").unwrap();
    let pairs = pairs();
    let config = text(&config);
    for (args, expected) in [
        (vec!["filter", "no/such/folder", "-o", "x"], "no/such/folder"),
        (vec!["filter", &pairs], "--output"),
        (vec!["filter", &pairs, "-o", "x", "--threshold", "3"], "out of range"),
        (vec!["filter", &pairs, "-o", "x", "--keep", "0%"], "not a share"),
        (vec!["filter", &pairs, "-o", "x", "--keep", "5%", "--threshold", "0"], "cannot be used"),
        (vec!["filter", &pairs, "-o", "x", "--config", &config], "image.max_side = 0"),
        (vec!["filter", &pairs, "-o", "x", "--model", "no-model"], "no-model"),
        (vec!["filter", &pairs, "-o", "x", "--workers", "5000"], "pipeline.workers = 5000"),
        (vec!["score", &pairs, "-o", "-", "--json"], "standard output"),
    ] {
        let mut command = pairgate(&args);
        command.current_dir(temp.path());
        let output = run(command, 2);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(expected), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
    assert!(!temp.path().join("x").exists(), "a run that cannot start leaves nothing");
}

/// A shard that is a pipe is read once, so that --keep goes by the model's calibration.
#[test]
fn keep_on_standard_input_goes_by_the_calibration() {
    let temp = tempfile::tempdir().unwrap();
    let tar = temp.path().join("pairs.tar");
    shard(&tar);
    let mut command = pairgate(["filter", "-", "--dry-run", "--keep", "15%", "--json"]);
    command.stdin(fs::File::open(&tar).unwrap());
    let output = run(command, 0);
    assert!(String::from_utf8_lossy(&output.stderr).contains("calibration"));
    let threshold = summary(&output)["threshold"].as_f64().unwrap();
    let calibrated = default_model().manifest().score_quantiles[85];
    assert!((threshold - f64::from(calibrated)).abs() < 1e-6);
}

/// A kept sample leads to its decision, by its key in the shard, its key in the source, or its uid.
#[test]
fn journal_why_tells_all_that_is_known_of_a_pair() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = (temp.path().join("one.tar"), temp.path().join("two.tar"));
    shard(&one);
    shard(&two);
    let out = text(&temp.path().join("kept"));
    run(pairgate(["filter", &text(&one), &text(&two), "-o", &out, "-t=-1"]), 0);
    let why = |name: &str, code| {
        String::from_utf8(run(pairgate(["journal", "why", name, &out]), code).stdout).unwrap()
    };
    // The second shard's sample has another key in the kept shard.
    let renamed = why("beach_2", 0);
    assert!(renamed.contains("beach in ") && renamed.contains("two.tar"), "{renamed}");
    assert!(renamed.contains("beach_2 in 00000.tar"), "{renamed}");
    assert_eq!(why("beach", 0).matches("verdict       kept, passed").count(), 2);
    let cat = String::from_utf8(run(pairgate(["journal", "cat", &out]), 0).stdout).unwrap();
    let line = cat.lines().find(|line| line.contains("caption_too_few_words")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let told = why(line["uid"].as_str().unwrap(), 0);
    assert!(told.contains("rules broken  caption_too_few_words"), "{told}");
    assert!(told.contains("settings") && told.contains("stored        no"), "{told}");
    assert!(told.lines().all(|line| line.len() < 100 || line.contains("settings")), "{told}");
    assert_eq!(why("nobody", 1), "");
}

#[test]
fn the_version_tells_what_the_kernels_run_on() {
    let told = |variable: &str| {
        let mut command = pairgate(["--version", "-v"]);
        command.env("PAIRGATE_ISA", variable);
        String::from_utf8(run(command, 0).stdout).unwrap()
    };
    assert!(told("scalar").contains("kernels scalar; here: scalar"), "{}", told("scalar"));
    // What the machine has not got changes nothing.
    assert_eq!(told("abacus"), told(""));
}
