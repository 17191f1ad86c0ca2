//! Between a spool and an output folder: each pair is decided once, whatever is cut.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pairgate::disk::{Disk, FileSystem, IoError};
use pairgate::journal::{Header, ModelName, Reader, Terms};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::tar::TarSource;
use pairgate::source::{Member, Sample, Source};
use pairgate::spool::{Push, SharedSpool, Spool, SpoolSource, SyncPolicy, decided, write_pair};
use pairgate::store::{StoreOptions, StoreSink, Watermark};
use pairgate_core::config::{SampleLimits, StorageConfig};
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::Digest;
use sha2::{Digest as _, Sha256};

use super::{disk, options};
use crate::disk::injector::{Injector, Plan};
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

const PAIRS: u64 = 24;

fn sample(number: u64) -> Sample {
    let member = |extension: &str, data: Vec<u8>| Member { extension: extension.into(), data };
    let image = vec![number as u8 | 1; 60 + (number as usize * 53) % 300];
    let members = vec![member("jpg", image), member("txt", format!("pair {number}").into_bytes())];
    Sample { shard: "camera".into(), key: format!("k{number}"), members, fault: None }
}

fn number_of(key: &str) -> u64 {
    key.trim_start_matches('k').parse().unwrap()
}

/// One in four is rejected.
fn judged(ticket: u64, sample: Sample, source: &SpoolSource) -> Judged {
    let is_kept = number_of(&sample.key) % 4 != 3;
    let (verdict, reason) = match is_kept {
        true => (Verdict::Kept, Reason::Passed),
        false => (Verdict::Rejected, Reason::LowSimilarity),
    };
    let content = Digest(Sha256::digest(sample.image().unwrap()).into());
    let uid = sample.uid(&sample.metadata(), content);
    let decision = Decision { verdict, reason, facts: Facts { content, ..Facts::default() } };
    Judged { position: source.position(), ..Judged::new(ticket, sample, uid, decision) }
}

fn store_options() -> StoreOptions {
    let model = ModelName { name: "a model".into(), digest: Digest([1; 32]) };
    let terms = Terms::new(model, Digest([2; 32]), Vec::new(), Some(0.2), None);
    let config = StorageConfig { shard_pairs: 5, sync_pairs: 2, ..StorageConfig::default() };
    let mut options = StoreOptions::new(config, Header::new(terms, vec!["camera".into()]));
    options.endless = true;
    options
}

/// Pushes pairs and decides them by turns until all are decided, as a command does; `mark` hears how many
/// the spool has on disk. `pushed` pairs were pushed before.
fn run(disk: &Disk, around: &Path, pushed: u64, mut mark: impl FnMut(u64)) -> Result<(), IoError> {
    let out = around.join("out");
    let (store, resumed) = StoreSink::go_on(disk, &out, store_options())?;
    let mut spool = Spool::open(disk, &around.join("spool"), options(SyncPolicy::Always))?;
    spool.go_on_from(decided(&out, spool.id(), &resumed)?);
    let spool = SharedSpool::new(spool);
    let mut sink = Watermark::new(store, spool.clone());
    let mut source = SpoolSource::new(spool.clone(), None, Arc::new(AtomicBool::new(false)));
    let mut ticket = resumed.next_ticket;
    for number in pushed..=PAIRS {
        if number < PAIRS {
            match spool.lock().push(&write_pair(&sample(number), &[]))? {
                Push::Taken(sequence) => assert_eq!(sequence, number),
                _ => break,
            }
            mark(number + 1);
        }
        // Three at a time: the consumer is now ahead, now behind.
        if number % 3 == 2 || number == PAIRS {
            while let Some(sample) = source.next()? {
                sink.accept(&judged(ticket, sample, &source))?;
                ticket += 1;
            }
        }
    }
    sink.finish(RunEnd::Complete)
}

/// Goes on with healthy files; the first `pushed` pairs are in the spool or decided, and every pair ends up
/// decided and, if kept, stored, once.
fn check(around: &Path, pushed: u64) {
    // A camera gives no pair again: the next one is the one behind those that are durable.
    let disk = disk(&QuickFiles);
    let spool = Spool::open(&disk, &around.join("spool"), options(SyncPolicy::Always)).unwrap();
    let next = spool.durable().max(pushed);
    drop(spool);
    run(&disk, around, next, |_| ()).unwrap();
    let mut recorded = BTreeMap::<u64, u64>::new();
    for record in Reader::open(&around.join("out")).unwrap() {
        *recorded.entry(number_of(&record.unwrap().key)).or_default() += 1;
    }
    assert!(recorded.keys().copied().eq(0..PAIRS), "decided: {recorded:?}");
    assert!(recorded.values().all(|count| *count == 1), "decided: {recorded:?}");
    let mut stored = BTreeMap::<u64, u64>::new();
    for entry in fs::read_dir(around.join("out")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "tar") {
            continue;
        }
        let mut shard = TarSource::open(&path, SampleLimits::default()).unwrap();
        while let Some(found) = shard.next().unwrap() {
            let number = number_of(&found.key);
            assert_eq!(found.members, sample(number).members);
            *stored.entry(number).or_default() += 1;
        }
    }
    assert!(stored.keys().copied().eq((0..PAIRS).filter(|number| number % 4 != 3)), "{stored:?}");
    assert!(stored.values().all(|count| *count == 1), "stored: {stored:?}");
}

#[test]
fn a_power_cut_anywhere_loses_and_doubles_nothing() {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    run(&disk(&recorder), around.path(), 0, |pushed| recorder.mark(pushed)).unwrap();
    let log = recorder.log();
    let mut random = Random::seeded(7);
    for (number, point) in log.points().enumerate() {
        for kind in [KINDS[number % KINDS.len()], Kind::Lost] {
            // Where sectors are lost between others a journal may be damaged: its records come anew.
            if kind == Kind::Reordered {
                continue;
            }
            let state = State::make(&log, point, kind, &mut random);
            let cut = scratch();
            state.write_to(cut.path());
            let told = Told(&state);
            check(cut.path(), state.mark.unwrap_or(0));
            drop(told);
        }
    }
}

#[test]
fn a_failed_call_anywhere_loses_and_doubles_nothing() {
    let around = scratch();
    let clean = Injector::idle(Arc::new(QuickFiles));
    run(&disk(&clean), around.path(), 0, |_| ()).unwrap();
    for plan in Plan::all(&clean.steps()).into_iter().step_by(5) {
        let around = scratch();
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let mut pushed = 0;
        let told = Telling(format!("{plan:?}"));
        let _ = run(&files(&injector), around.path(), 0, |number| pushed = number);
        check(around.path(), pushed);
        drop(told);
    }
}

fn files(files: &(impl FileSystem + Clone + 'static)) -> Disk {
    disk(files)
}

/// Names a plan if the test fails while it is there.
struct Telling(String);

impl Drop for Telling {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed: {}", self.0);
        }
    }
}
