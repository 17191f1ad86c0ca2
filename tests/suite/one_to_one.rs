//! `--one-to-one` and `merge`, as people use them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cli::run;
use crate::support::data;
use crate::support::shards::{Members, Shards, pair, pictures, tar};

/// Shards of the pairs of tests/data/pairs, each key unique.
fn shards(shards: usize, pairs: usize) -> Shards {
    Shards::of((0..shards).map(|shard| members(shard, pairs)))
}

fn members(shard: usize, pairs: usize) -> Members {
    let pictures = pictures();
    let number = |number: usize| {
        // Captions differ, and so do the scores.
        let more = "very ".repeat(number / pictures.len());
        let picture = &pictures[(shard * 5 + number) % pictures.len()];
        pair(&format!("s{shard:02}n{number:03}"), picture, &more)
    };
    (0..pairs).flat_map(number).collect()
}

/// The lines that a command prints, one for each input.
#[track_caller]
fn rows_of(shards: &Shards, args: &[&str], code: i32) -> Vec<Value> {
    let args = [args, &["--one-to-one", "--json"]].concat();
    shards.run(&args, code).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Files of a folder by their names, those of attempts left out.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.filter(|path| path.is_file());
    named
        .map(|p| (p.file_name().unwrap().to_str().unwrap().into(), fs::read(&p).unwrap()))
        .collect()
}

/// Keys of the kept samples, by the journals.
fn kept(shards: &Shards, folder: &str) -> BTreeSet<String> {
    let records = shards.records(folder);
    let kept = records.iter().filter(|record| record["verdict"] == "kept");
    kept.map(|record| record["key"].as_str().unwrap().to_owned()).collect()
}

/// Keys in a shard.
fn keys(shard: &Path) -> BTreeSet<String> {
    let bytes = fs::read(shard).unwrap();
    let mut tar = tar::Archive::new(bytes.as_slice());
    let path = |entry: tar::Entry<'_, &[u8]>| entry.path().unwrap().to_str().unwrap().to_owned();
    let names = tar.entries().unwrap().map(|entry| path(entry.unwrap()));
    names.map(|name| name.split_once('.').unwrap().0.to_owned()).collect()
}

#[test]
fn each_input_has_its_output_and_a_rerun_leaves_it() {
    let shards = shards(3, 14);
    let rows = rows_of(&shards, &["filter", "in", "-o", "out"], 0);
    assert_eq!(rows.len(), 3);
    let whole = shards.json_of(&["filter", "in", "-o", "one"], 0);
    let sum = |key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(Value::from(sum("read")), whole["in"]);
    for key in ["kept", "rejected", "failed"] {
        assert_eq!(Value::from(sum(key)), whole[key], "{key}");
    }
    for (number, row) in rows.iter().enumerate() {
        let data = fs::read(shards.at(row["output"].as_str().unwrap())).unwrap();
        assert_eq!(row["output"], format!("out/{number:05}.tar"));
        assert_eq!(row["input"], format!("in/{number:05}.tar"));
        assert_eq!(row["bytes"], data.len());
        assert_eq!(row["sha256"], pairgate::digest::sha256(&data).to_string());
        assert_eq!(row["skipped"], false);
        let mut keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let told = ["bytes", "failed", "input", "kept", "output", "read", "reasons", "rejected"];
        assert_eq!(keys, [&told[..], &["sha256", "skipped"]].concat());
        assert_eq!(keys_of_row(row), row["rejected"].as_u64().unwrap());
    }
    assert_eq!(kept(&shards, "out"), kept(&shards, "one"));
    let before = files(&shards.at("out"));
    let again = rows_of(&shards, &["filter", "in", "-o", "out"], 0);
    for (row, again) in rows.iter().zip(&again) {
        assert_eq!(again["skipped"], true);
        assert_eq!((&row["sha256"], &row["kept"]), (&again["sha256"], &again["kept"]));
    }
    assert_eq!(files(&shards.at("out")), before);
}

/// Rejected pairs, by the reasons of a row.
fn keys_of_row(row: &Value) -> u64 {
    row["reasons"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// Whatever the workers, the parts, and the calls.
#[test]
fn the_bytes_are_those_of_the_input() {
    let shards = shards(4, 13);
    rows_of(&shards, &["filter", "in", "-o", "a", "-w", "1", "--batch", "1"], 0);
    rows_of(&shards, &["filter", "in", "-o", "b", "-w", "4", "--batch", "3", "--queue", "9"], 0);
    for part in ["1/2", "0/2"] {
        rows_of(&shards, &["filter", "in", "-o", "c", "--shard", part], 0);
    }
    for shard in [2, 0, 3, 1] {
        let input = format!("in/{shard:05}.tar");
        rows_of(&shards, &["filter", &input, "-o", "d"], 0);
    }
    let wanted = files(&shards.at("a"));
    assert_eq!(wanted.len(), 4 * if cfg!(feature = "parquet") { 5 } else { 4 });
    for other in ["b", "c", "d"] {
        assert!(files(&shards.at(other)) == wanted, "{other}");
    }
    for shard in 0..4 {
        let name = format!("{shard:05}");
        let journal = shards.run(&["journal", "cat", &format!("a/{name}.pairgate")], 0);
        let stored = |line: &str| serde_json::from_str::<Value>(line).unwrap()["stored"].clone();
        let stored: Vec<Value> = journal.lines().map(stored).filter(|s| !s.is_null()).collect();
        assert!(stored.iter().all(|stored| stored["shard"] == format!("{name}.tar")));
        let told = stored.iter().map(|stored| stored["key"].as_str().unwrap().to_owned());
        assert_eq!(told.collect::<BTreeSet<_>>(), keys(&shards.at("a").join(name + ".tar")));
    }
}

#[test]
fn other_settings_are_refused_by_name_until_one_is_said() {
    let shards = shards(2, 8);
    rows_of(&shards, &["filter", "in/00000.tar", "-o", "out", "-t", "0.1"], 0);
    let why = shards.refused(&["filter", "in", "-o", "out", "-t", "0.2", "--one-to-one"]);
    assert!(why.contains("threshold was 0.1, it is 0.2") && why.contains("--overwrite"), "{why}");
    assert!(!shards.at("out/00001_stats.json").exists(), "nothing goes on");
    let accept = ["filter", "in", "-o", "out", "-t", "0.2", "--accept-new-decisions"];
    let rows = rows_of(&shards, &accept, 0);
    assert_eq!((&rows[0]["skipped"], &rows[1]["skipped"]), (&true.into(), &false.into()));
    let merged = shards.json_of(&["merge", "out"], 1);
    assert!(merged["wrong"][0].as_str().unwrap().contains("decided otherwise"), "{merged}");
    rows_of(&shards, &["filter", "in", "-o", "out", "-t", "0.2", "--overwrite"], 0);
    rows_of(&shards, &["filter", "in", "-o", "new", "-t", "0.2"], 0);
    assert!(files(&shards.at("out")) == files(&shards.at("new")));
}

#[test]
fn what_cannot_be_one_to_one_is_refused_with_what_can() {
    let shards = shards(2, 3);
    let told = |args: &[&str], what: &str| {
        let why = shards.refused(&[&["filter", "--one-to-one"], args].concat());
        assert!(why.contains(what), "{args:?}: {why}");
    };
    told(&["in", "-o", "out", "--keep", "15%"], "pairgate merge scores --keep F");
    told(&["in", "-o", "out", "--keep", "15%", "--follow"], "--follow");
    told(&["-", "-o", "out"], "standard input has no name");
    told(&["in", "--format", "frames", "-o", "out"], "no frames");
    told(&["in", "-o", "in"], "lie in each other");
    told(&["in", "-o", "out", "--shard-size", "5"], "cannot be used with");
    told(&["in", "-o", "out", "--dry-run"], "cannot be used with");
    told(&["in", "in/00001.tar", "-o", "out"], "the name of that of");
    fs::create_dir_all(shards.at("other")).unwrap();
    fs::copy(shards.input(0), shards.at("other/00000.tar")).unwrap();
    told(&["in/00000.tar", "other/00000.tar", "-o", "out"], "different folders");
    rows_of(&shards, &["filter", "in/00000.tar", "-o", "out"], 0);
    told(&["other/00000.tar", "-o", "out"], "the input was in/00000.tar, it is other/00000.tar");
    fs::write(shards.at("in/more.jsonl"), "{}\n").unwrap();
    told(&["in", "-o", "out"], "name the shards");
    run(shards.program(&["filter", "other", "-o", "plain"]), 0);
    told(&["other", "-o", "plain"], "without --one-to-one");
    let why = shards.refused(&["filter", "other", "-o", "out"]);
    assert!(why.contains("one-to-one"), "{why}");
    let why = shards.refused(&["filter", "other", "-o", "out", "--scores", "x"]);
    assert!(why.contains("--one-to-one"), "{why}");
}

/// A cut shard gives what there was; what cannot be read has no marker, and the others go on.
#[test]
fn damaged_and_unreadable_inputs() {
    let shards = shards(3, 10);
    let whole = fs::read(shards.input(0)).unwrap();
    fs::write(shards.input(0), &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(shards.input(1)).unwrap();
    let inputs = ["in/00000.tar", "in/00001.tar", "in/00002.tar"];
    let filter = [&["filter"][..], &inputs, &["-o", "out"]].concat();
    let output = run(shards.program(&[&filter[..], &["--one-to-one", "--json"]].concat()), 2);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("in/00001.tar"), "{errors}");
    let rows: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["reasons"]["archive_torn"], 1);
    assert!(rows[0]["kept"].as_u64().unwrap() > 0);
    assert!(!shards.at("out/00001_stats.json").exists());
    let merged = shards
        .json_of(&["merge", "out", "--inputs", "in/00000.tar", "in/00001.tar", "in/00002.tar"], 1);
    assert_eq!(merged["missing"], serde_json::json!(["in/00001.tar"]));
    assert_eq!(merged["wrong"], serde_json::json!([]));
    // Whole again, it is another input, and said to be.
    fs::write(shards.input(0), &whole).unwrap();
    let why = shards.refused(&["filter", "in/00000.tar", "-o", "out", "--one-to-one"]);
    assert!(why.contains("the input had") && why.contains("--overwrite"), "{why}");
    rows_of(&shards, &["filter", "in/00000.tar", "-o", "out", "--overwrite"], 0);
}

#[test]
fn merge_adds_up_and_finds_what_is_wrong() {
    let shards = shards(3, 9);
    let rows = rows_of(&shards, &["filter", "in", "-o", "out"], 0);
    let merged = shards.json_of(&["merge", "out", "--inputs", "in"], 0);
    let sum = |key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    for (merged_key, row_key) in [("in", "read"), ("kept", "kept"), ("bytes", "bytes")] {
        assert_eq!(merged[merged_key], sum(row_key), "{merged_key}");
    }
    assert_eq!(merged["stored"], merged["kept"]);
    assert!(shards.run(&["merge", "out"], 0).contains("all is whole"));
    fs::write(shards.at("list"), "in/00000.tar\nin/00001.tar\n\nin/00002.tar\nin/00003.tar\n")
        .unwrap();
    let listed = shards.json_of(&["merge", "out", "--list", "list"], 1);
    assert_eq!(listed["missing"], serde_json::json!(["in/00003.tar"]));
    let fewer = shards.json_of(&["merge", "out", "--inputs", "in/00000.tar"], 1);
    assert_eq!(fewer["wrong"].as_array().unwrap().len(), 2, "{fewer}");
    let data = shards.at("out/00001.tar");
    let mut bytes = fs::read(&data).unwrap();
    bytes[700] ^= 1;
    fs::write(&data, &bytes).unwrap();
    let wrong = shards.json_of(&["merge", "out"], 1);
    assert!(wrong["wrong"][0].as_str().unwrap().contains("00001.tar has other bytes"), "{wrong}");
    shards.json_of(&["merge", "out", "--quick"], 0);
    fs::remove_file(&data).unwrap();
    let wrong = shards.json_of(&["merge", "out", "--quick"], 1);
    assert!(wrong["wrong"][0].as_str().unwrap().contains("00001.tar"), "{wrong}");
    let rows = rows_of(&shards, &["filter", "in", "-o", "out"], 0);
    assert_eq!(rows.iter().filter(|row| row["skipped"] == false).count(), 1);
    shards.json_of(&["merge", "out", "--inputs", "in"], 0);
    assert!(shards.refused(&["merge", "in"]).contains("no one-to-one outputs"));
}

/// The share over many is that of one machine: the same threshold, bit for bit, and the same pairs.
#[test]
fn one_threshold_for_all() {
    let shards = shards(5, 30);
    rows_of(&shards, &["score", "in", "-o", "scores"], 0);
    for share in ["15%", "40%", "100%", "0.5%"] {
        let one = shards.json_of(&["filter", "in", "-o", "one", "--keep", share, "--overwrite"], 0);
        let merged = shards.json_of(
            &["merge", "scores", "--inputs", "in", "--keep", share, "-o", "policy.toml"],
            0,
        );
        assert_eq!(merged["threshold"], one["threshold"], "{share}");
        assert_eq!(merged["exact"], true);
        let filter =
            ["filter", "in", "--config", "policy.toml", "--scores", "scores", "--overwrite"];
        rows_of(&shards, &[&filter[..], &["-o", "scored"]].concat(), 0);
        assert_eq!(kept(&shards, "scored"), kept(&shards, "one"), "{share}");
        let asked = ["filter", "in", "--config", "policy.toml", "--overwrite", "-o", "asked"];
        rows_of(&shards, &asked, 0);
        for shard in 0..5 {
            let read = |folder: &str| fs::read(shards.at(folder).join(format!("{shard:05}.tar")));
            assert_eq!(read("scored").unwrap(), read("asked").unwrap(), "{share}, {shard}");
        }
        let about = shards.json_of(&["merge", "asked", "--keep", share, "--sketch"], 0);
        assert_eq!(about["exact"], false);
    }
    // Some scores are missing: no threshold of what is there.
    fs::remove_file(shards.at("scores/00002_stats.json")).unwrap();
    let why = shards.refused(&["merge", "scores", "--inputs", "in", "--keep", "15%"]);
    assert!(why.contains("in/00002.tar"), "{why}");
    let why = shards.refused(&["merge", "asked", "--keep", "15%"]);
    assert!(why.contains("filtered, not scored"), "{why}");
}

#[test]
fn recorded_scores_decide_only_for_what_they_are_of() {
    let shards = shards(2, 8);
    rows_of(&shards, &["score", "in/00000.tar", "-o", "scores"], 0);
    let filter = ["filter", "in", "-o", "out", "--scores", "scores", "--one-to-one"];
    let why = shards.refused(&filter);
    assert!(why.contains("in/00001.tar") && why.contains("score IN --one-to-one"), "{why}");
    assert!(
        shards.at("out/00000_stats.json").exists() && !shards.at("out/00001_stats.json").exists()
    );
    let why = shards.refused(&[&filter[..], &["--min-words", "7", "--overwrite"]].concat());
    assert!(why.contains("rules.min_words"), "{why}");
    // Another picture of the same length.
    let mut bytes = fs::read(shards.input(0)).unwrap();
    let at = bytes.windows(4).position(|w| w == [0xff, 0xda, 0, 12]).unwrap_or(2000);
    bytes[at + 40] ^= 1;
    fs::write(shards.input(0), bytes).unwrap();
    let why = shards.refused(&[&filter[..], &["--overwrite"]].concat());
    assert!(why.contains("not what the first pass read"), "{why}");
    let why =
        shards.refused(&["filter", "in", "-o", "scores", "--scores", "scores", "--one-to-one"]);
    assert!(why.contains("one folder"), "{why}");
    let why = shards.refused(&["filter", "in", "-o", "scores", "--one-to-one"]);
    assert!(why.contains("it was scored, it is to be filtered"), "{why}");
}

/// Commands that read journals take the folder for one.
#[test]
fn a_folder_of_outputs_is_read_as_one_journal() {
    let shards = shards(3, 12);
    rows_of(&shards, &["filter", "in", "-o", "out"], 0);
    run(shards.program(&["filter", "in", "-o", "one"]), 0);
    let same = |args: &[&str], key: &str| {
        let of = |folder: &str| {
            let args: Vec<&str> =
                args.iter().map(|arg| if *arg == "FOLDER" { folder } else { arg }).collect();
            shards.json_of(&args, 0)[key].clone()
        };
        assert_eq!(of("out"), of("one"), "{args:?}");
    };
    same(&["replay", "FOLDER", "--keep", "20%"], "threshold");
    same(&["replay", "FOLDER", "--verify"], "compared");
    same(&["calibrate", "FOLDER", "--keep", "20%"], "scored");
    same(&["journal", "ls", "FOLDER"], "records");
    assert!(shards.run(&["journal", "check", "out"], 0).contains("its shards hold the"));
    assert!(
        shards.run(&["journal", "check", "out/00001.pairgate"], 0).contains("its shards hold the")
    );
    let why = shards.run(&["journal", "why", "s01n003", "out"], 0);
    assert!(why.contains("s01n003 in in/00001.tar"), "{why}");
    run(shards.program(&["replay", "out", "--verify", "--source", "in"]), 0);
    run(shards.program(&["report", "out", "-o", "page.html"]), 0);
    let why = shards.refused(&["journal", "repair", "out"]);
    assert!(why.contains("--overwrite"), "{why}");
}

/// Folders, packed shards and tables.
#[test]
fn outputs_are_called_by_their_inputs() {
    let shards = shards(1, 6);
    let named = |path: &str| {
        let path = shards.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    fs::copy(shards.input(0), named("x/v1.2-a.TAR")).unwrap();
    for entry in fs::read_dir(data("pairs")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, named("photos.d/any").with_file_name(path.file_name().unwrap())).unwrap();
    }
    let rows = rows_of(&shards, &["filter", "x/v1.2-a.TAR", "photos.d/", "-o", "out"], 0);
    let outputs: Vec<&str> = rows.iter().map(|row| row["output"].as_str().unwrap()).collect();
    assert_eq!(outputs, ["out/v1.2-a.tar", "out/photos.d.tar"]);
    // What was filtered is an input of the same kind.
    let again = rows_of(&shards, &["filter", "out", "-o", "again"], 0);
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|row| row["kept"] == row["read"]), "{again:?}");
}

/// SIGTERM: the input that the run was at has no output, those before it have.
#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_leaves_no_marker_of_what_it_was_at() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let shards = shards(1, 10);
    fs::write(shards.input(1), tar(&members(1, 4000))).unwrap();
    let args = ["filter", "in", "-o", "out", "--one-to-one", "-w", "1", "--batch", "1", "--json"];
    let mut command = shards.program(&args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !shards.at("out/00000_stats.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the first output is not there");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
    assert!(!shards.at("out/00001_stats.json").exists() && !shards.at("out/00001.tar").exists());
    let left = fs::read_dir(shards.at("out/.attempts")).unwrap();
    let left = left.filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(left.count(), 0);
}
