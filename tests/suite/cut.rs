//! `pairgate cut`, and groups with thresholds of their own, as people use them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::shards::{Members, Shards, pair, pictures, tar};

/// Pairs in all shards together.
const SIZES: [usize; 3] = [17, 9, 14];

/// Shards of the pairs of tests/data/pairs with metadata.
pub fn shards() -> Shards {
    Shards::of(SIZES.into_iter().enumerate().map(|(shard, pairs)| members(shard, pairs)))
}

/// The same, scored in every form.
fn scored() -> Shards {
    let made = shards();
    for form in ["jsonl", "parquet", "csv", "pairgate"] {
        made.run(&["score", "in", "-o", &format!("scores.{form}")], 0);
    }
    made.run(&["score", "in", "--one-to-one", "-o", "scores"], 0);
    made
}

/// Lines of scores.
fn lines(shards: &Shards) -> Vec<Value> {
    let text = fs::read_to_string(shards.at("scores.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn members(shard: usize, pairs: usize) -> Members {
    let pictures = pictures();
    let hosts = ["https://a.example/", "http://B.example:80/x", "//c.example", "no url"];
    let mut members = Members::new();
    for number in 0..pairs {
        let picture = &pictures[(shard * 5 + number) % pictures.len()];
        let key = format!("s{shard:02}n{number:03}");
        let about = json!({
            "url": hosts[(number + shard) % hosts.len()], "source": {"name": format!("set {}", number % 2)},
        });
        members.extend(pair(&key, picture, &"very ".repeat(shard + number)));
        if number % 7 != 6 {
            members.push((format!("{key}.json"), about.to_string().into_bytes()));
        }
    }
    members
}

/// What two runs must have in common of a record: all but the scores of pairs that break a rule, which
/// `filter` does not ask the model for.
fn common(records: &[Value]) -> Vec<Value> {
    let common = |record: &Value| {
        let mut record = record.clone();
        if !matches!(record["reason"].as_str(), Some("passed" | "low_similarity") | None) {
            record["score"] = Value::Null;
        }
        // Which rules beside the first are broken is known where the pair was examined alone.
        record.as_object_mut().unwrap().remove("broken");
        record
    };
    records.iter().map(common).collect()
}

#[track_caller]
pub fn assert_alike(shards: &Shards, one: &str, other: &str) {
    assert_eq!(common(&shards.records(one)), common(&shards.records(other)), "{one}, {other}");
    let (one, other) = (shards.shards(one), shards.shards(other));
    assert!(!one.is_empty());
    assert!(one == other, "the kept shards differ: {:?} and {:?}", one.keys(), other.keys());
}

#[test]
fn scores_then_a_cut_are_what_filter_keeps_in_every_form() {
    let shards = scored();
    let size = ["--shard-size", "5"];
    let filter = ["filter", "in", "-o", "whole", "--keep", "30%"];
    let whole = shards.json(&[&filter[..], &size].concat());
    assert!(whole["kept"].as_u64().unwrap() > 5, "{whole}");
    for form in ["scores.jsonl", "scores.parquet", "scores.csv", "scores.pairgate", "scores"] {
        let out = format!("cut-{form}");
        let cut = ["cut", form, "--source", "in", "--keep", "30%", "-o", &out];
        let cut = shards.json(&[&cut[..], &size].concat());
        for key in ["in", "kept", "rejected", "failed", "threshold", "kept_reasons"] {
            assert_eq!(cut[key], whole[key], "{form}: {key}");
        }
        assert_alike(&shards, "whole", &out);
        // The same command has nothing to do.
        let again = shards.json(&["cut", form, "--source", "in", "--keep", "30%", "-o", &out]);
        assert_eq!(again["before"], whole["in"], "{form}");
    }
    // By the journal of the filter's own run, at a threshold.
    shards.run(&["filter", "in", "-o", "strict", "--threshold", "0.2"], 0);
    shards.run(&["cut", "whole", "--source", "in", "-o", "strict-cut", "--threshold", "0.2"], 0);
    assert_alike(&shards, "strict", "strict-cut");
    // The journals of scores that tell their settings hold up to the pictures.
    for out in ["cut-scores.pairgate", "cut-scores", "strict-cut"] {
        shards.run(&["replay", out, "--verify"], 0);
        let verified = shards.run(&["replay", out, "--verify", "--source", "in"], 0);
        assert!(verified.contains(" 0 differ"), "{verified}");
    }
    // What passed through another program, in part: the fields that are needed.
    let lines = lines(&shards).into_iter().map(|mut line| {
        line.as_object_mut().unwrap().retain(|name, _| {
            ["uid", "key", "shard", "sha256", "score", "reason"].contains(&name.as_str())
        });
        format!("{line}\n")
    });
    fs::write(shards.at("piped.jsonl"), lines.collect::<String>()).unwrap();
    let piped =
        shards.json(&["cut", "piped.jsonl", "--source", "in", "--keep", "30%", "--dry-run"]);
    assert_eq!(piped["kept"], whole["kept"]);
    assert_eq!(piped["output"], Value::Null);
}

#[test]
fn annotated_and_rejected_pairs_are_those_of_filter() {
    let shards = scored();
    let options = ["--keep", "30%", "--annotate", "--rejected"];
    shards.run(&[&["filter", "in", "-o", "one"][..], &options, &["one-why"]].concat(), 0);
    let cut = ["cut", "scores.jsonl", "--source", "in", "-o", "two"];
    shards.run(&[&cut[..], &options, &["two-why"]].concat(), 0);
    assert_alike(&shards, "one", "two");
    let low = |folder: &str| shards.at(folder).join("low_similarity");
    assert!(low("one-why").exists() == low("two-why").exists());
}

#[test]
fn pairs_in_another_order_are_looked_up() {
    let shards = scored();
    let (a, b, c) = ("in/00000.tar", "in/00001.tar", "in/00002.tar");
    shards.run(&["score", a, b, c, "-o", "abc.jsonl"], 0);
    shards.run(&["filter", c, a, b, "--keep", "30%", "-o", "whole"], 0);
    shards.run(&["cut", "abc.jsonl", "--source", c, a, b, "--keep", "30%", "-o", "cut"], 0);
    assert_alike(&shards, "whole", "cut");
    // A part of what was scored is refused by name, and taken where it is meant; the share is that of all.
    let part = ["cut", "abc.jsonl", "--source", b, "--keep", "30%", "-o", "part"];
    let why = shards.refused(&part);
    assert!(why.contains("\"s00n000\"") && why.contains("--part"), "{why}");
    let part = shards.json(&[&part[..], &["--part", "--overwrite"]].concat());
    let whole = shards.records("whole");
    let kept = |records: &[Value]| -> Vec<String> {
        let kept = records.iter().filter(|record| record["verdict"] == "kept");
        let keys = kept.map(|record| record["key"].as_str().unwrap().to_owned());
        keys.filter(|key| key.starts_with("s01")).collect()
    };
    assert_eq!(kept(&whole), kept(&shards.records("part")));
    assert_eq!(part["in"], SIZES[1]);
    // Bounded where the config says so.
    fs::write(shards.at("small.toml"), "[memory]\nceiling_bytes = 1000\n").unwrap();
    let small = ["cut", "abc.jsonl", "--source", c, a, b, "--keep", "30%", "-o", "small"];
    let why = shards.refused(&[&small[..], &["--config", "small.toml"]].concat());
    assert!(why.contains("memory") || why.contains("too many to look up"), "{why}");
}

#[test]
fn what_is_not_as_it_was_scored_is_named() {
    let shards = scored();
    let cut =
        ["cut", "scores.jsonl", "--source", "in", "--keep", "30%", "-o", "out", "--overwrite"];
    let all = members(1, SIZES[1]);
    let with = |change: &dyn Fn(&mut Members)| {
        let mut members = all.clone();
        change(&mut members);
        fs::write(shards.input(1), tar(&members)).unwrap();
        shards.refused(&cut)
    };
    let at = |members: &Members, name: &str| {
        members.iter().position(|(member, _)| member == name).unwrap_or_else(|| panic!("{name}"))
    };
    let image = all.iter().find(|(name, _)| name.starts_with("s01n003") && !name.ends_with("txt"));
    let image = image.unwrap().0.clone();
    let why = with(&|members| {
        let (place, other) = (at(members, &image), members[0].1.clone());
        members[place].1 = other;
    });
    assert!(why.contains("\"s01n003\"") && why.contains("image is another"), "{why}");
    assert!(why.contains("score these inputs again"), "{why}");
    let why = with(&|members| {
        let place = at(members, "s01n004.txt");
        members[place].1 = b"something else altogether".to_vec();
    });
    assert!(why.contains("\"s01n004\"") && why.contains("caption"), "{why}");
    let why = with(&|members| members.retain(|(name, _)| !name.starts_with("s01n005")));
    assert!(why.contains("\"s01n005\"") && why.contains("not among the sources"), "{why}");
    let why = with(&|members| {
        let extra = members.iter().filter(|(name, _)| name.starts_with("s01n006")).cloned();
        let renamed = extra.map(|(name, data)| (name.replace("s01n006", "s01n999"), data));
        let renamed: Members = renamed.collect();
        members.extend(renamed);
    });
    assert!(why.contains("\"s01n999\"") && why.contains("another name"), "{why}");
    let why = with(&|members| {
        members.push(("new.txt".into(), b"a new caption of nothing".to_vec()));
    });
    assert!(why.contains("\"new\"") && why.contains("was not scored"), "{why}");
    fs::write(shards.input(1), tar(&all)).unwrap();
    shards.run(&cut, 0);
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let shards = scored();
    let refused = |args: &[&str], wanted: &str| {
        let why = shards.refused(&[&["cut"], args, &["--source", "in", "-o", "out"]].concat());
        assert!(why.contains(wanted), "{args:?}: {why}");
    };
    refused(&["scores.jsonl"], "--keep 15%");
    refused(&["-", "--keep", "15%"], "more than once");
    refused(&["missing.jsonl", "--keep", "15%"], "missing.jsonl");
    refused(&["scores.jsonl", "--keep", "15%", "--group", "a=1%"], "--by");
    let by_field = ["scores.jsonl", "--keep", "15%", "--by", "url:host", "--part"];
    refused(&by_field, "--part");
    for (text, wanted) in [
        ("", "no score"),
        ("{\"uid\": 3}\n", "line 1"),
        ("{}\n", "line 1"),
        ("\nnot json", "broken.jsonl"),
        (
            "{\"uid\":\"x\",\"key\":\"k\",\"shard\":\"s\",\"score\":0.1,\"reason\":null,\"sha256\":null}",
            "uid",
        ),
        (
            "{\"uid\":\"00000000000000000000000000000000\",\"key\":\"k\",\"shard\":\"s\",\
             \"score\":null,\"reason\":null,\"sha256\":null}",
            "neither a score",
        ),
        (
            "{\"uid\":\"00000000000000000000000000000000\",\"key\":\"k\",\"shard\":\"s\",\
             \"score\":0.5,\"reason\":\"whim\",\"sha256\":null}",
            "whim",
        ),
    ] {
        fs::write(shards.at("broken.jsonl"), text).unwrap();
        refused(&["broken.jsonl", "--keep", "15%"], wanted);
    }
    fs::write(shards.at("broken.csv"), "uid,key\n1,2\n").unwrap();
    refused(&["broken.csv", "--keep", "15%"], "no column \"shard\"");
    fs::write(shards.at("broken.parquet"), "PAR1").unwrap();
    refused(&["broken.parquet", "--keep", "15%"], "broken.parquet");
    // Other scores do not go on in the folder, and the difference is named.
    shards.run(&["cut", "scores.jsonl", "--source", "in", "-o", "out", "--threshold", "0.2"], 0);
    let lines = fs::read_to_string(shards.at("scores.jsonl")).unwrap();
    let other = lines.replacen("\"score\":0.", "\"score\":0.1", 1);
    fs::write(shards.at("other.jsonl"), other).unwrap();
    refused(&["other.jsonl", "--threshold", "0.2"], "scores=");
    refused(&["scores.jsonl", "--threshold", "0.3"], "the threshold was 0.2, it is 0.3");
}

/// Each group's scores, and what a share of it keeps by DataComp's rule.
fn brute_force(
    lines: &[Value],
    group: impl Fn(&Value) -> String,
    share: impl Fn(&str) -> f64,
) -> BTreeMap<String, (Vec<f64>, usize)> {
    let mut groups: BTreeMap<String, (Vec<f64>, usize)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["reason"].is_null()) {
        groups.entry(group(line)).or_default().0.push(line["score"].as_f64().unwrap());
    }
    for (name, (scores, kept)) in &mut groups {
        scores.sort_by(|one, other| other.total_cmp(one));
        let index = ((scores.len() as f64 * share(name)) as usize).min(scores.len() - 1);
        *kept = scores.iter().filter(|score| **score >= scores[index]).count();
    }
    groups
}

#[track_caller]
fn assert_groups(summary: &Value, wanted: &BTreeMap<String, (Vec<f64>, usize)>, asked: f64) {
    let groups = summary["groups"]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), wanted.len(), "{summary:#}");
    for group in groups {
        let (scores, kept) = &wanted[group["name"].as_str().unwrap()];
        assert_eq!(group["scored"], scores.len(), "{group}");
        assert_eq!(group["kept"], *kept, "{group}");
        let asked = group["asked"].as_f64().unwrap_or(asked) * scores.len() as f64;
        assert!((*kept as f64 - asked).abs() <= 1.0, "{group}: {kept}, not {asked}");
    }
}

#[test]
fn each_shard_keeps_its_share_in_cut_and_in_filter() {
    let shards = scored();
    let goals = ["--keep", "30%", "--by", "shard", "--group", "00001.tar=60%"];
    let filter = shards.json(&[&["filter", "in", "-o", "whole"], &goals[..]].concat());
    let share = |name: &str| if name.ends_with("00001.tar") { 0.6 } else { 0.3 };
    let shard = |line: &Value| line["shard"].as_str().unwrap().to_owned();
    let wanted = brute_force(&lines(&shards), shard, share);
    assert_eq!(wanted.len(), SIZES.len());
    assert_groups(&filter, &wanted, 0.3);
    for form in ["scores.jsonl", "scores.parquet", "scores"] {
        let out = format!("cut-{form}");
        let cut = ["cut", form, "--source", "in", "-o", &out];
        let cut = shards.json(&[&cut[..], &goals[..]].concat());
        assert_eq!(cut["groups"], filter["groups"], "{form}");
        assert_alike(&shards, "whole", &out);
        let again =
            shards.json(&[&["cut", form, "--source", "in", "-o", &out], &goals[..]].concat());
        assert_eq!(again["groups"], filter["groups"], "{form}, done before");
    }
    // A journal tells each record's threshold, and holds up to the pictures.
    for out in ["whole", "cut-scores"] {
        shards.run(&["replay", out, "--verify"], 0);
        let verified = shards.run(&["replay", out, "--verify", "--source", "in"], 0);
        assert!(verified.contains(" 0 differ"), "{verified}");
    }
    // The table fits a terminal.
    let table = shards.run(&[&["filter", "in", "-o", "whole"], &goals[..]].concat(), 0);
    assert!(table.contains("by shard") && table.contains("00001.tar"), "{table}");
    let group_lines = table.lines().filter(|line| line.contains(".tar"));
    assert!(group_lines.clone().count() >= 3);
    assert!(group_lines.clone().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn each_host_keeps_its_share_and_pairs_without_one_are_others() {
    let shards = scored();
    let goals =
        ["--keep", "40%", "--by", "url:host", "--group", "b.example=100%", "--group", "gone=1%"];
    let filter = shards.json(&[&["filter", "in", "-o", "whole"], &goals[..]].concat());
    let host = |line: &Value| {
        let url = line["metadata"]["url"].as_str().unwrap_or_default();
        let known = [("a.example", "a."), ("b.example", "B."), ("c.example", "c.")];
        let found = known.iter().find(|(_, part)| url.contains(part));
        found.map_or("other", |(host, _)| host).to_owned()
    };
    let share = |name: &str| if name == "b.example" { 1.0 } else { 0.4 };
    let wanted = brute_force(&lines(&shards), host, share);
    assert_eq!(wanted.len(), 4);
    assert_groups(&filter, &wanted, 0.4);
    assert_eq!(filter["groups"]["unseen"], json!(["gone"]));
    for (form, out) in [("scores.csv", "one"), ("scores.pairgate", "two"), ("whole", "three")] {
        let cut = shards.json(&[&["cut", form, "--source", "in", "-o", out], &goals[..]].concat());
        assert_eq!(cut["groups"], filter["groups"], "{form}");
        assert_alike(&shards, "whole", out);
        assert!(!shards.at(out).join(".first_pass").exists());
    }
    shards.run(&["replay", "two", "--verify", "--source", "in"], 0);
    // Other groups do not go on in the folder, and the difference is named.
    let others = ["filter", "in", "-o", "whole", "--keep", "40%", "--by", "source.name"];
    let why = shards.refused(&others);
    assert!(why.contains("groups.by=url:host") && why.contains("groups.by=source.name"), "{why}");
    let own = [&["filter", "in", "-o", "whole"], &goals[..6], &["--group", "gone=2%"]].concat();
    let why = shards.refused(&own);
    assert!(why.contains("groups.keep.gone=0.02"), "{why}");
}

#[test]
fn groups_have_thresholds_in_one_pass_and_by_a_config() {
    let shards = scored();
    let config = "[policy]\nthreshold = 0.2\n[groups]\nby = \"source.name\"\n\
                  [groups.goals]\n\"set 1\" = 0.25\n";
    fs::write(shards.at("groups.toml"), config).unwrap();
    let filter = shards.json(&["filter", "in", "-o", "whole", "--config", "groups.toml"]);
    let groups = filter["groups"]["groups"].as_array().unwrap();
    let thresholds: BTreeMap<&str, f64> = groups
        .iter()
        .map(|group| (group["name"].as_str().unwrap(), group["threshold"].as_f64().unwrap()))
        .collect();
    assert_eq!(thresholds, BTreeMap::from([("other", 0.2), ("set 0", 0.2), ("set 1", 0.25)]));
    for record in shards.records("whole") {
        let Some(score) = record["score"].as_f64() else { continue };
        let threshold = record["threshold"].as_f64().unwrap();
        let verdict = if score >= threshold { "kept" } else { "rejected" };
        if matches!(record["reason"].as_str(), Some("passed" | "low_similarity") | None) {
            assert_eq!(record["verdict"], verdict, "{record}");
        }
    }
    let cut = ["cut", "scores.jsonl", "--source", "in", "-o", "cut", "--config", "groups.toml"];
    assert_eq!(shards.json(&cut)["groups"], filter["groups"]);
    assert_alike(&shards, "whole", "cut");
    // A share beside thresholds.
    let mixed = ["--threshold", "0.2", "--by", "shard", "--group", "00002.tar=50%"];
    let filter = shards.json(&[&["filter", "in", "-o", "mixed"], &mixed[..]].concat());
    let cut = ["cut", "scores.jsonl", "--source", "in", "-o", "mixed-cut"];
    assert_eq!(shards.json(&[&cut[..], &mixed[..]].concat())["groups"], filter["groups"]);
    assert_alike(&shards, "mixed", "mixed-cut");
    // The config is shown as it can be read again, and checked.
    let shown = shards.run(&["config", "show", "--config", "groups.toml"], 0);
    fs::write(shards.at("shown.toml"), shown).unwrap();
    let shown: Value = serde_json::from_str(
        &shards.run(&["config", "show", "--config", "shown.toml", "--json"], 0),
    )
    .unwrap();
    assert_eq!(shown["groups.goals"]["value"], json!({"set 1": "0.25"}));
    // A file's mistake is told with its line.
    fs::write(shards.at("wrong.toml"), "[groups]\nby = 3\n").unwrap();
    let why = shards.refused(&["filter", "in", "-o", "x", "--config", "wrong.toml"]);
    assert!(why.contains("wrong.toml, line 2"), "{why}");
    fs::write(shards.at("wrong.toml"), "[groups]\nby = \"a\"\n[groups.goals]\nb = \"2\"\n")
        .unwrap();
    let why = shards.refused(&["filter", "in", "-o", "x", "--config", "wrong.toml"]);
    assert!(why.contains("groups.goals.b") && why.contains("wrong.toml"), "{why}");
}

#[test]
fn groups_are_refused_where_they_cannot_be() {
    let shards = shards();
    let refused = |args: &[&str], wanted: &str| {
        let why = shards.refused(&[&["filter"], args, &["-o", "out"]].concat());
        assert!(why.contains(wanted), "{args:?}: {why}");
    };
    refused(&["-", "--keep", "15%", "--by", "url:host"], "needs its input twice");
    refused(&["-", "--threshold", "0.2", "--by", "url:host", "--group", "a=2%"], "twice");
    refused(&["-", "--keep", "15%", "--follow", "--by", "url:host"], "--follow");
    refused(&["in", "--threshold", "0.2", "--by", "url:host", "--one-to-one"], "--one-to-one");
    refused(&["in", "--keep", "15%", "--group", "a=2%"], "--by");
    refused(&["in", "--keep", "15%", "--by", "a..b"], "--by");
    refused(&["in", "--keep", "15%", "--by", "a", "--group", "b=2"], "--group");
    fs::write(shards.at("groups.toml"), "[groups]\nby = \"shard\"\n").unwrap();
    let why = shards.refused(&["watch", "in", "-o", "out", "--config", "groups.toml"]);
    assert!(why.contains("groups.toml, line 2") && why.contains("filter and cut"), "{why}");
}

/// Waits until `is_so`.
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn with_stdin(shards: &Shards, args: &[&str], bytes: &[u8]) -> String {
    let mut command = shards.program(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Killed in the middle, in the order of the scores and in another one.
#[test]
fn a_cut_that_was_killed_goes_on() {
    let shards = shards();
    let all = [members(0, 17), members(1, 9), members(2, 14)].concat();
    let tar = tar(&all);
    with_stdin(&shards, &["score", "-", "-o", "same.jsonl"], &tar);
    let mut lines: Vec<String> =
        fs::read_to_string(shards.at("same.jsonl")).unwrap().lines().map(str::to_owned).collect();
    lines.reverse();
    fs::write(shards.at("other.jsonl"), lines.join("\n")).unwrap();
    fs::write(shards.at("often.toml"), "[storage]\nsync_pairs = 1\nshard_pairs = 3\n").unwrap();
    for (scores, goals) in [
        ("same.jsonl", vec!["--keep", "50%"]),
        ("other.jsonl", vec!["--keep", "50%"]),
        ("same.jsonl", vec!["--keep", "50%", "--by", "shard"]),
        ("other.jsonl", vec!["--threshold", "0.2", "--by", "source.name", "--group", "set 1=0.25"]),
    ] {
        let cut = ["cut", scores, "--source", "-", "--config", "often.toml", "--json"];
        let cut = [&cut[..], &goals].concat();
        let whole =
            with_stdin(&shards, &[&cut[..], &["-o", "whole", "--overwrite"]].concat(), &tar);
        let _ = fs::remove_dir_all(shards.at("killed"));
        let killed = [&cut[..], &["-o", "killed"]].concat();
        let mut command = shards.program(&killed);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&tar[..tar.len() / 2]).unwrap();
        stdin.flush().unwrap();
        wait_for("a shard", || shards.at("killed/00000.tar").exists());
        child.kill().unwrap();
        child.wait().unwrap();
        let told: Value = serde_json::from_str(&with_stdin(&shards, &killed, &tar)).unwrap();
        assert!(told["before"].as_u64().unwrap() > 0, "{told}");
        assert_alike(&shards, "whole", "killed");
        let whole: Value = serde_json::from_str(&whole).unwrap();
        for key in ["in", "kept", "threshold", "groups"] {
            assert_eq!(told[key], whole[key], "{scores} {goals:?}: {key}");
        }
    }
}

/// A stream's threshold is by the calibration: the summary says what it kept.
#[test]
fn a_stream_says_what_share_it_kept_and_why() {
    let shards = shards();
    let tar = tar(&[members(0, 17), members(1, 9), members(2, 14)].concat());
    let filter = ["filter", "-", "--keep", "1%", "--dry-run"];
    let text = with_stdin(&shards, &filter, &tar);
    assert!(text.contains("1.0 % were asked for"), "{text}");
    let summary: Value =
        serde_json::from_str(&with_stdin(&shards, &[&filter[..], &["--json"]].concat(), &tar))
            .unwrap();
    let keep = &summary["keep"];
    assert_eq!(keep["asked"], 0.01, "{summary}");
    let kept = summary["kept"].as_f64().unwrap() / keep["scored"].as_f64().unwrap();
    assert_eq!(keep["kept"].as_f64().unwrap(), kept, "{summary}");
    let differs = keep["differs"].as_bool().unwrap();
    assert_eq!(differs, text.contains("--follow"), "{text}");
    assert_eq!(differs, text.contains("calibrated"), "{text}");
    // Of files the share is exact, and nothing is said.
    let files = shards.json(&["filter", "in", "--keep", "10%", "--dry-run"]);
    assert_eq!(files["keep"], Value::Null);
    assert!(Path::new(&shards.at("in")).exists());
}
