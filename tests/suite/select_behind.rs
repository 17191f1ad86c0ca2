//! A state behind the thresholds of groups and behind a share: rules first, then the thresholds, then the
//! state, in `filter` and in `cut` alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cut::{assert_alike, shards};
use crate::support::shards::Shards;

const SELECT: [&str; 2] = ["--select", "a.pgsel"];

/// Goals that thresholds are found by, before a state is asked.
const GOALS: [&[&str]; 4] = [
    &["--keep", "60%"],
    &["--keep", "60%", "--by", "shard", "--group", "00001.tar=90%"],
    &["--keep", "60%", "--by", "source.name"],
    &["--threshold", "0.05", "--by", "source.name", "--group", "set 1=0.2"],
];

fn scored() -> Shards {
    let shards = shards();
    shards.run(&["score", "in", "--embeddings", "-o", "s.parquet"], 0);
    shards
}

fn fit(shards: &Shards, method: &str) {
    shards.run(&["select", "fit", "s.parquet", "-m", method, "-t", "-0.4", "-o", "a.pgsel"], 0);
}

fn keys(records: &[Value], is_wanted: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let wanted = records.iter().filter(|record| is_wanted(record));
    wanted.map(|record| record["key"].as_str().unwrap().to_owned()).collect()
}

fn is_kept(record: &Value) -> bool {
    record["verdict"] == "kept"
}

/// What each group kept, by the summary and by the records.
#[track_caller]
fn assert_counts(summary: &Value, records: &[Value], by_shard: bool) {
    let mut kept = BTreeMap::<&str, u64>::new();
    for record in records {
        let name = if by_shard { &record["shard"] } else { &record["group"] };
        *kept.entry(name.as_str().unwrap_or("other")).or_default() += u64::from(is_kept(record));
    }
    let groups = summary["groups"]["groups"].as_array().unwrap();
    let told = groups.iter().map(|group| (group["name"].as_str().unwrap(), group["kept"].as_u64()));
    assert_eq!(
        told.collect::<BTreeMap<_, _>>(),
        kept.into_iter().map(|(n, k)| (n, Some(k))).collect()
    );
}

#[test]
fn what_the_thresholds_keep_and_the_state_chooses_is_kept() {
    let shards = scored();
    fit(&shards, "clusters k 3 keep 30%");
    let all = ["filter", "in", "--threshold=-0.9", "-o", "chosen"];
    shards.run(&[&all[..], &SELECT].concat(), 0);
    let chosen = keys(&shards.records("chosen"), is_kept);
    for (place, goals) in GOALS.into_iter().enumerate() {
        let [alone, filtered, cut] = ["alone", "filtered", "cut"].map(|n| format!("{n}{place}"));
        let before = shards.json(&[&["filter", "in", "-o", &alone], goals].concat());
        let alone = shards.records(&alone);
        let passing = keys(&alone, is_kept);
        let filter = shards.json(&[&["filter", "in", "-o", &filtered], goals, &SELECT].concat());
        let records = shards.records(&filtered);
        let wanted: BTreeSet<String> = passing.intersection(&chosen).cloned().collect();
        assert!(!wanted.is_empty() && wanted.len() < passing.len(), "{goals:?}: {wanted:?}");
        assert_eq!(keys(&records, is_kept), wanted, "{goals:?}");
        // Who failed the state passed the threshold; all others are as they were without it.
        assert_eq!(
            keys(&records, |record| record["reason"] == "over_quota"),
            passing.difference(&wanted).cloned().collect(),
            "{goals:?}"
        );
        for (record, before) in records.iter().zip(&alone) {
            assert_eq!(record["threshold"], before["threshold"], "{goals:?}: {record}");
        }
        assert_eq!(filter["threshold"], before["threshold"], "{goals:?}");
        // By recorded scores and embeddings the same, to the byte.
        let from_scores = ["cut", "s.parquet", "--source", "in", "-o", &cut];
        let summary = shards.json(&[&from_scores[..], goals, &SELECT].concat());
        assert_alike(&shards, &filtered, &cut);
        assert_eq!(summary["groups"], filter["groups"], "{goals:?}");
        if goals.len() > 2 {
            assert_counts(&filter, &records, goals.contains(&"shard"));
        }
        for folder in [&filtered, &cut] {
            shards.run(&["replay", folder, "--verify"], 0);
            assert!(!shards.at(folder).join(".first_pass").exists());
        }
        let again = ["replay", &filtered, "--verify", "--source", "in"];
        let told = shards.run(&[&again[..], &SELECT].concat(), 0);
        assert!(told.contains(" 0 differ"), "{goals:?}: {told}");
        // Done: the same command has nothing to do, and tells the same.
        let again = shards.json(&[&["filter", "in", "-o", &filtered], goals, &SELECT].concat());
        assert_eq!((&again["before"], &again["groups"]), (&filter["in"], &filter["groups"]));
    }
}

/// What depends on the pairs before: the share's threshold, given, decides alike in one pass.
#[test]
fn a_share_and_its_threshold_select_alike() {
    let shards = scored();
    fit(&shards, "all(contrast bank 20 keep 90%, duplicates k 2 eps 0.02 ring 3)");
    let two = shards.json(&[&["filter", "in", "--keep", "70%", "-o", "two"][..], &SELECT].concat());
    let threshold = two["threshold"].to_string();
    let one = ["filter", "in", "--threshold", &threshold, "-o", "one"];
    let one = shards.json(&[&one[..], &SELECT].concat());
    assert_eq!(one["rejected_reasons"], two["rejected_reasons"]);
    assert!(two["rejected_reasons"]["near_duplicate"].as_u64() > Some(0), "{two}");
    assert_alike(&shards, "one", "two");
    let dry = ["filter", "in", "--keep", "70%", "--dry-run"];
    assert_eq!(shards.json(&[&dry[..], &SELECT].concat())["kept"], two["kept"]);
    // Embeddings that are kept are those of the first pass.
    let kept = ["filter", "in", "--keep", "70%", "--embeddings", "kept", "-o", "three"];
    shards.run(&[&kept[..], &SELECT].concat(), 0);
    assert_alike(&shards, "two", "three");
    assert!(shards.at("three/00000.npz").exists());
    // What a state said of a run that is cut again is decided anew.
    shards.run(&["filter", "in", "--threshold", &threshold, "-o", "plain"], 0);
    shards.run(&["cut", "two", "--source", "in", "--threshold", &threshold, "-o", "recut"], 0);
    assert_alike(&shards, "plain", "recut");
}

/// Killed in the second pass: it goes on as one that nothing stopped.
#[test]
fn a_run_that_was_killed_selects_on() {
    let shards = scored();
    fit(&shards, "duplicates k 2 eps 0.02 ring 3");
    fs::write(shards.at("often.toml"), "[storage]\nsync_pairs = 1\nshard_pairs = 3\n").unwrap();
    let goals = ["--keep", "70%", "--by", "source.name", "--config", "often.toml"];
    for command in [vec!["filter", "in"], vec!["cut", "s.parquet", "--source", "in"]] {
        let args = [&command[..], &goals, &SELECT].concat();
        let whole = shards.json(&[&args[..], &["-o", "whole", "--overwrite"]].concat());
        let _ = fs::remove_dir_all(shards.at("killed"));
        let killed = [&args[..], &["-o", "killed"]].concat();
        let mut child =
            shards.program(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while !shards.at("killed/00000.tar").exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no shard");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let told = shards.json(&killed);
        assert_alike(&shards, "whole", "killed");
        for key in ["in", "kept", "threshold", "groups"] {
            assert_eq!(told[key], whole[key], "{command:?}: {key}");
        }
    }
}

#[test]
fn what_cannot_be_is_still_refused() {
    let shards = scored();
    fit(&shards, "clusters k 3 keep 50%");
    let refused = |args: &[&str], wanted: &str| {
        let why = shards.refused(&[&["filter"], args, &SELECT, &["-o", "out"]].concat());
        assert!(why.contains(wanted), "{args:?}: {why}");
    };
    refused(&["-", "--keep", "15%", "--by", "url:host"], "needs its input twice");
    refused(&["in", "--threshold", "0.2", "--by", "url:host", "--one-to-one"], "--one-to-one");
    shards.run(&["score", "in", "-o", "bare.parquet"], 0);
    let cut =
        ["cut", "bare.parquet", "--source", "in", "--keep", "50%", "--by", "shard", "-o", "out"];
    let why = shards.refused(&[&cut[..], &SELECT].concat());
    assert!(why.contains("--embeddings"), "{why}");
}

/// A stream's share is of what the threshold lets pass, whatever the state leaves out of it.
#[test]
fn the_share_of_a_stream_is_the_thresholds() {
    let shards = scored();
    fit(&shards, "clusters k 3 keep 20%");
    let stream = |more: &[&str]| -> Value {
        let mut command = shards
            .program(&[&["filter", "-", "--keep", "50%", "--dry-run", "--json"], more].concat());
        command.stdin(fs::File::open(shards.input(0)).unwrap());
        serde_json::from_slice(&crate::cli::run(command, 0).stdout).unwrap()
    };
    let (plain, selected) = (stream(&[]), stream(&SELECT));
    assert!(selected["kept"].as_u64() < plain["kept"].as_u64(), "{selected}");
    assert_eq!(selected["keep"], plain["keep"]);
}
