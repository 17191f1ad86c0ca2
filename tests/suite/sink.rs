//! Sinks: what is in their files, whatever the keys, the order and the disk.

mod journal;
mod keys;
mod output;
mod rejected;
mod salvage;
mod scores;
mod several;
mod shards;
mod store;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pairgate::decision::{Decision, Facts, Reason, Verdict};
use pairgate::error::RunError;
use pairgate::pair::{Digest, Size, Uid};
use pairgate::sink::{Judged, Sink};
use pairgate::source::{Member, Sample};

fn member(extension: &str, data: &[u8]) -> Member {
    Member { extension: extension.into(), data: data.to_vec() }
}

fn judged(key: &str, verdict: Verdict, reason: Reason) -> Judged {
    let members = vec![member("jpg", key.as_bytes()), member("txt", b"a caption")];
    let sample = Sample { shard: "00000.tar".into(), key: key.into(), members, fault: None };
    let mut uid = Uid::default();
    key.bytes().enumerate().for_each(|(n, byte)| uid.0[n % 16] ^= byte);
    Judged { sample, uid, decision: Decision { verdict, reason, facts: Facts::default() } }
}

fn kept(key: &str) -> Judged {
    judged(key, Verdict::Kept, Reason::Passed)
}

fn rejected(key: &str) -> Judged {
    judged(key, Verdict::Rejected, Reason::LowSimilarity)
}

/// The device on which no byte can be written; says so where the system has none.
#[cfg(target_os = "linux")]
fn full_device() -> Option<&'static Path> {
    let full = Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: this system has no /dev/full");
    }
    full.exists().then_some(full)
}

fn accept_all(sink: &mut dyn Sink, pairs: &[Judged]) {
    pairs.iter().for_each(|judged| sink.accept(judged).unwrap());
    sink.finish().unwrap();
}

/// Names in the folder, with those in its folders, sorted.
fn listing(folder: &Path) -> Vec<String> {
    tree(folder).into_keys().collect()
}

/// Every file below the folder, by its path there.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(
                tree(&path).into_iter().map(|(file, data)| (format!("{name}/{file}"), data)),
            );
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn to(error: &RunError) -> &str {
    match error {
        RunError::Sink { to, .. } => to,
        other => panic!("not a sink's error: {other}"),
    }
}

/// One pair of each verdict, the first with all that can be measured.
fn decided() -> Vec<Judged> {
    let mut scored = kept("000000000");
    scored.decision.facts = Facts {
        score: Some(0.25),
        caption_length: 9,
        size: Size::new(640, 480),
        content: Digest([3; 32]),
    };
    vec![scored, rejected("ключ"), judged("c", Verdict::Failed, Reason::Undecodable)]
}
