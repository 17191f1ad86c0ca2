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

use pairgate::disk::Disk;
use pairgate::disk::IoError;
use pairgate::journal::{Header, ModelName, Terms};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample};
use pairgate::store::{StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Size, Uid};
use pairgate_core::wire;

fn member(extension: &str, data: &[u8]) -> Member {
    Member { extension: extension.into(), data: data.to_vec() }
}

fn judged(key: &str, verdict: Verdict, reason: Reason) -> Judged {
    let members = vec![member("jpg", key.as_bytes()), member("txt", b"a caption")];
    let sample = Sample { shard: "00000.tar".into(), key: key.into(), members, fault: None };
    let mut uid = Uid::default();
    key.bytes().enumerate().for_each(|(n, byte)| uid.0[n % 16] ^= byte);
    Judged::new(0, sample, uid, Decision { verdict, reason, facts: Facts::default() })
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
    accept_each(sink, pairs);
    sink.finish(RunEnd::Complete).unwrap();
}

/// The same of a run that does not end; tickets count from the first pair.
fn accept_each(sink: &mut dyn Sink, pairs: &[Judged]) {
    for (ticket, judged) in (0..).zip(pairs) {
        sink.accept(&Judged { ticket, ..judged.clone() }).unwrap();
    }
}

/// What decides in these tests.
fn terms() -> Terms {
    let model = ModelName { name: "a model".into(), digest: Digest([1; 32]) };
    Terms::new(model, Digest([2; 32]), vec!["rules.min_words=1".into()], Some(0.2), None)
}

fn header() -> Header {
    Header::new(terms(), vec!["in".into()])
}

/// A journal of format 1, or 2 where the header follows the scores; each record's threshold is then
/// 0.5.
fn earlier_journal(header: &wire::Header, pairs: &[Judged]) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = wire::MAGIC.to_vec();
    bytes.extend(wire::frame(header, &mut buffer).unwrap());
    for Judged { sample, uid, decision, .. } in pairs {
        let Decision { verdict, reason, facts } = *decision;
        let (key, shard) = (sample.key.as_str(), &*sample.shard);
        let record = wire::Record { uid: *uid, key, shard, verdict, reason, facts };
        let followed = wire::TrackedRecord { record, threshold: 0.5 };
        bytes.extend(match header.tracker {
            None => wire::frame(&record, &mut buffer).unwrap(),
            Some(_) => wire::frame(&followed, &mut buffer).unwrap(),
        });
    }
    bytes
}

/// An output folder's sink.
fn store(folder: &Path, shard_pairs: u64) -> StoreSink {
    let config = StorageConfig { shard_pairs, ..StorageConfig::default() };
    StoreSink::create(&Disk::system(), folder, StoreOptions::new(config, header())).unwrap()
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

fn to(error: &IoError) -> &str {
    match error {
        IoError::Write { to, .. } => to,
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
