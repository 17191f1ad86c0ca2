//! Replay and the journal's commands, as people use them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{pairgate, run, text};
use crate::support::data;

fn json(args: &[&str], code: i32) -> Value {
    serde_json::from_slice(&run(pairgate(args.iter().chain(&["--json"])), code).stdout).unwrap()
}

/// Key and verdict of every record.
fn verdicts(journal: &str) -> Vec<(String, String)> {
    let output = run(pairgate(["journal", "cat", journal]), 0);
    let lines = String::from_utf8(output.stdout).unwrap();
    let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    lines.lines().map(value).map(|line| (word(&line["key"]), word(&line["verdict"]))).collect()
}

#[test]
fn score_then_replay_keeps_what_filter_keeps() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let (pairs, scores, kept, keys) =
        (text(&data("pairs")), at("s.pairgate"), at("kept"), at("keys"));
    run(pairgate(["score", &pairs, "-o", &scores]), 0);
    for share in ["15%", "40%", "100%"] {
        let filtered = json(&["filter", &pairs, "-o", &kept, "--keep", share, "--overwrite"], 0);
        let replayed = json(&["replay", &scores, "--keep", share, "-o", &keys], 0);
        assert_eq!(filtered["threshold"], replayed["threshold"]);
        let of = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned()
        };
        let replayed: BTreeSet<_> = fs::read_to_string(&keys).unwrap().lines().map(of).collect();
        let filtered = verdicts(&kept).into_iter().filter(|(_, verdict)| verdict == "kept");
        assert_eq!(filtered.map(|(key, _)| key).collect::<BTreeSet<_>>(), replayed, "{share}");
    }
    // The same from filter's own journal, whatever its threshold was.
    let again = json(&["replay", &kept, "--keep", "15%"], 0);
    assert_eq!(again["threshold"], json(&["replay", &scores, "--keep", "15%"], 0)["threshold"]);
}

#[test]
fn replay_counts_what_changes_and_names_it() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let (pairs, kept) = (text(&data("pairs")), at("kept"));
    let filtered = json(&["filter", &pairs, "-o", &kept, "-t=-1"], 0);
    let all = filtered["kept"].as_u64().unwrap();
    let replayed = json(&["replay", &kept, "-t", "1", "--examples", "2"], 0);
    assert_eq!(replayed["old_to_new"]["kept"]["rejected"], all);
    assert_eq!(replayed["changed"], all);
    assert_eq!(replayed["examples"].as_array().unwrap().len(), 2);
    assert_eq!(replayed["rejected"], filtered["in"]);
    let policy = at("policy.toml");
    fs::write(&policy, "[policy]\nthreshold = -1.0\n").unwrap();
    assert_eq!(json(&["replay", &kept, "--policy", &policy], 0)["changed"], 0);
    let error = run(pairgate(["replay", &kept]), 2);
    assert!(String::from_utf8(error.stderr).unwrap().contains("--threshold"));
}

#[test]
fn verify_agrees_until_a_picture_or_a_record_is_another() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let (copy, kept) = (at("pairs"), at("kept"));
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(data("pairs")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), Path::new(&copy).join(entry.file_name())).unwrap();
    }
    run(pairgate(["filter", &copy, "-o", &kept]), 0);
    let verified = json(&["replay", &kept, "--verify", "--source", &copy], 0);
    assert_eq!(
        (verified["compared"].as_u64(), verified["different"].as_u64()),
        (Some(12), Some(0))
    );
    assert_eq!(json(&["replay", &kept, "--verify"], 0)["different"], 0);
    let other = fs::read(data("pairs/beach.jpg")).unwrap();
    fs::write(Path::new(&copy).join("city.jpg"), other).unwrap();
    fs::remove_file(Path::new(&copy).join("wrong-sunset.jpg")).unwrap();
    fs::remove_file(Path::new(&copy).join("wrong-sunset.txt")).unwrap();
    let differs = json(&["replay", &kept, "--verify", "--source", &copy], 1);
    assert_eq!(differs["different"], 2);
    let first = differs["first"].to_string();
    assert!(first.contains("city") && first.contains("score"), "{first}");
    assert!(first.contains("wrong-sunset") && first.contains("no such pair"), "{first}");
    let config = at("c.toml");
    fs::write(&config, "[rules]\nmin_words = 1\n").unwrap();
    let args = ["replay", &kept, "--verify", "--source", &copy, "--config", &config];
    let error = String::from_utf8(run(pairgate(args), 2).stderr).unwrap();
    assert!(error.contains("another config"), "{error}");
}

/// After Ctrl-C there is an unfinished shard, which is no damage: `check` took it for that.
#[test]
fn an_unfinished_shard_is_no_damage() {
    let temp = tempdir().unwrap();
    let kept = temp.path().join("kept");
    let command = ["filter", &text(&data("pairs")), "--shard-size", "4", "-o", &text(&kept)];
    run(pairgate(command), 0);
    fs::rename(kept.join("00001.tar"), kept.join(".00001.tar.partial")).unwrap();
    fs::remove_file(kept.join("00001_stats.json")).unwrap();
    let checked = run(pairgate(["journal", "check", &text(&kept)]), 0).stdout;
    let told = "its shards hold 4 kept pairs, 2 more are in an unfinished one";
    assert!(String::from_utf8(checked).unwrap().contains(told));
}

#[test]
fn journals_are_listed_checked_and_repaired() {
    let temp = tempdir().unwrap();
    let kept = text(&temp.path().join("kept"));
    run(pairgate(["filter", &text(&data("pairs")), "-o", &kept]), 0);
    let listed = json(&["journal", "ls", &kept], 0);
    assert_eq!(
        (listed["records"].as_u64(), listed["damage"].as_array().unwrap().len()),
        (Some(12), 0)
    );
    let told = |args: &[&str], code| String::from_utf8(run(pairgate(args), code).stdout).unwrap();
    assert!(told(&["journal", "check", &kept], 0).contains("its shards hold the 6 kept pairs"));
    assert!(told(&["journal", "ls", &kept], 0).lines().all(|line| line.len() < 200));
    let one = told(&["journal", "cat", &kept, "--reason", "image_too_small"], 0);
    assert_eq!(one.lines().count(), 1);

    let journal = Path::new(&kept).join("journal/00000000.pairgate");
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&journal, &bytes).unwrap();
    assert!(told(&["journal", "check", &kept], 1).contains("DAMAGED"));
    assert_eq!(told(&["journal", "cat", &kept], 1).lines().count(), 11);
    // Beside shards, whoever made the folder repairs it: records of stored samples would be lost.
    let refused = run(pairgate(["journal", "repair", &kept]), 2).stderr;
    assert!(String::from_utf8(refused).unwrap().contains("give the command that made the folder"));
    assert_eq!(fs::read(&journal).unwrap(), bytes);
    run(pairgate(["filter", &text(&data("pairs")), "-o", &kept]), 0);
    assert!(told(&["journal", "check", &kept], 0).contains("its shards hold the 6 kept pairs"));
    assert!(told(&["journal", "repair", &kept], 0).contains("nothing is changed"));
    assert_eq!(fs::read(journal.with_extension("pairgate.damaged-1")).unwrap(), bytes);

    let alone = text(&temp.path().join("scores.pairgate"));
    run(pairgate(["score", &text(&data("pairs")), "-o", &alone]), 0);
    let mut bytes = fs::read(&alone).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&alone, &bytes).unwrap();
    assert!(told(&["journal", "repair", &alone], 0).contains("11 records kept"));
    assert_eq!(json(&["journal", "ls", &alone], 0)["records"], 11);
    assert_eq!(fs::read(format!("{alone}.damaged-1")).unwrap(), bytes);
    let error = run(pairgate(["journal", "ls", &text(&data("pairs/city.txt"))]), 2);
    assert!(String::from_utf8(error.stderr).unwrap().contains("city.txt"));
}
