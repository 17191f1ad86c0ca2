//! The look at what was not kept.

use std::collections::BTreeMap;

use pairgate::sink::rejected::RejectedSink;
use pairgate::sink::{Judged, Sink};
use pairgate::store::OutputFolder;
use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::Uid;
use tempfile::tempdir;

use super::{accept_all, decided, judged, kept, listing, member, rejected, tree};

fn look(pairs: &[Judged], per_reason: usize) -> BTreeMap<String, Vec<u8>> {
    let folder = tempdir().unwrap();
    accept_all(&mut RejectedSink::create(folder.path(), per_reason).unwrap(), pairs);
    tree(folder.path())
}

#[test]
fn rejected_pairs_are_shown_with_their_decision() {
    let mut pair = rejected("a/b.c");
    pair.uid = "0123456789abcdef0123456789abcdef".parse().unwrap();
    pair.decision.facts = Facts { score: Some(0.1), ..decided()[0].decision.facts };
    let failed = judged("f", Verdict::Failed, Reason::Undecodable);
    let files = look(&[kept("k"), pair, failed], 5);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "low_similarity/a_b_c-01234567.decision.json",
        "low_similarity/a_b_c-01234567.jpg",
        "low_similarity/a_b_c-01234567.txt",
        "undecodable/f-66000000.decision.json",
        "undecodable/f-66000000.jpg",
        "undecodable/f-66000000.txt",
    ];
    assert_eq!(names, expected);
    assert_eq!(files[expected[1]], b"a/b.c");
    let text = String::from_utf8(files[expected[0]].clone()).unwrap();
    assert!(text.contains("\"score\": 0.1,"), "{text}");
    let decision: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(decision["key"], "a/b.c");
    assert_eq!(decision["shard"], "00000.tar");
    assert_eq!(decision["uid"], "0123456789abcdef0123456789abcdef");
    assert_eq!(decision["verdict"], "rejected");
    assert_eq!(decision["reason"], "low_similarity");
    assert_eq!(decision["size"], serde_json::json!({"width": 640, "height": 480}));
    assert_eq!(decision["caption_length"], 9);
}

/// Kept pairs with a fault's reason (`--on-error keep`) are in the shards, not here.
#[test]
fn kept_pairs_are_not_shown() {
    assert!(look(&[judged("a", Verdict::Kept, Reason::Undecodable)], 5).is_empty());
}

#[test]
fn look_is_bounded_and_the_same_in_any_order() {
    let mut pairs: Vec<Judged> = (0..400).map(|n| rejected(&format!("{n:09}"))).collect();
    pairs.extend((0..3).map(|n| judged(&n.to_string(), Verdict::Failed, Reason::Undecodable)));
    let files = look(&pairs, 40);
    let shown = |reason: &str| files.keys().filter(|name| name.starts_with(reason)).count();
    assert_eq!(shown("low_similarity"), 40 * 3);
    assert_eq!(shown("undecodable"), 3 * 3);
    pairs.reverse();
    assert_eq!(look(&pairs, 40), files);
    pairs.sort_by_key(|judged| judged.sample.key.bytes().rev().collect::<Vec<u8>>());
    assert_eq!(look(&pairs, 40), files);
    assert!(look(&pairs, 0).is_empty());
}

/// Neither the first nor the last pairs are preferred.
#[test]
fn look_is_spread_over_the_input() {
    let pairs: Vec<Judged> = (0..1000).map(|n| rejected(&format!("{n:09}"))).collect();
    let files = look(&pairs, 100);
    let images = files.iter().filter(|(name, _)| name.ends_with(".jpg"));
    let numbers = images.map(|(_, data)| str::from_utf8(data).unwrap().parse::<u32>().unwrap());
    let sum: u32 = numbers.sum();
    // 499.5, give or take three standard errors.
    assert!((413..587).contains(&(sum / 100)), "mean {}", sum / 100);
}

#[test]
fn memory_and_folder_stay_within_the_sample_all_the_time() {
    let folder = tempdir().unwrap();
    let mut sink = RejectedSink::create(folder.path(), 4).unwrap();
    for n in 0..200 {
        sink.accept(&rejected(&n.to_string())).unwrap();
        assert!(listing(folder.path()).len() <= 4 * 3);
    }
}

/// Pairs whose files would have the same names: one of them is shown, whole, and the same one in
/// any order.
#[test]
fn namesakes_do_not_mix() {
    let mut pairs = Vec::new();
    for (n, key) in ["a/b", "a_b", "a.b", "a/b"].iter().enumerate() {
        let mut pair = rejected(key);
        pair.uid = Uid([9; 16]);
        pair.sample.shard = format!("{n:05}.tar").into();
        pair.sample.members = vec![member(if n == 2 { "png" } else { "jpg" }, key.as_bytes())];
        pairs.push(pair);
    }
    let files = look(&pairs, 3);
    assert_eq!(files.len(), 2);
    pairs.reverse();
    assert_eq!(look(&pairs, 3), files);
}

#[test]
fn hostile_names_stay_in_the_folder() {
    let folder = tempdir().unwrap();
    let inner = folder.path().join("inner");
    let keys = ["../../up", "/abs", "", "..", "a\0b", "x/../y", &"é".repeat(3000), "con."];
    let mut pairs: Vec<Judged> = keys.iter().map(|key| rejected(key)).collect();
    let mut clash = rejected("clash");
    let names = ["decision.json", "../../up", &"z".repeat(400)];
    clash.sample.members = names.map(|name| member(name, b"data")).into();
    pairs.push(clash);
    accept_all(&mut RejectedSink::create(&inner, 100).unwrap(), &pairs);
    let files = listing(folder.path());
    assert_eq!(files.len(), 3 * keys.len() + 4);
    assert!(files.iter().all(|name| name.starts_with("inner/low_similarity/")), "{files:?}");
    assert!(files.iter().any(|name| name.ends_with(".decision.json_2")), "{files:?}");
    OutputFolder::prepare(&inner, true).unwrap();
    assert_eq!(listing(folder.path()), [""; 0], "overwrite knows all of them");
}
