//! One call fails, every call in turn: it is told, and what was durable is there.

use std::path::Path;
use std::sync::Arc;

use pairgate::disk::IoError;
use pairgate::spool::{Push, Spool, SyncPolicy};

use super::power::{check, mark, marked};
use super::{disk, interval, options, payload, read_all};
use crate::disk::injector::{After, Fault, Injector, Kind, Plan};
use crate::disk::power_cut::{KINDS, Kind as Left, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

/// How a producer and a consumer fared.
#[derive(Default)]
struct Ended {
    error: Option<IoError>,
    full: u64,
    durable: u64,
    acknowledged: u64,
}

/// Pushes, reads and acknowledges until a call fails; a pair that finds no room is given once more.
fn run(
    files: &Recorder,
    folder: &Path,
    sync: SyncPolicy,
    ended: &mut Ended,
) -> Result<(), IoError> {
    let mut spool = Spool::open(&disk(files), folder, options(sync))?;
    spool.go_on_from(0);
    let mut number = 0;
    let mut tries = 0;
    while number < 30 && tries < 60 {
        tries += 1;
        match spool.push(&payload(number)) {
            Ok(Push::Taken(sequence)) => {
                assert_eq!(sequence, number);
                number += 1;
            }
            Ok(Push::Full) => ended.full += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                // Nothing counts from here on, whatever the disk says.
                let durable = spool.durable();
                assert!(spool.push(&payload(number)).is_err() && spool.sync().is_err());
                assert_eq!(spool.durable(), durable);
                return Err(error);
            }
        }
        if number % 4 == 3 {
            spool.sync()?;
        }
        (ended.durable, ended.acknowledged) = (spool.durable(), ended.acknowledged);
        files.mark(mark(&spool, ended.acknowledged));
        if number % 6 == 5 {
            ended.acknowledged = read_all(&mut spool).last().map_or(ended.acknowledged, |l| l - 1);
            files.mark(mark(&spool, ended.acknowledged));
            spool.acknowledge(ended.acknowledged);
        }
    }
    Ok(())
}

fn fail_everywhere(sync: SyncPolicy, seed: u64) {
    let around = scratch();
    let clean = Injector::idle(Arc::new(QuickFiles));
    let recorder = Recorder::with(around.path(), Arc::new(clean.clone()));
    run(&recorder, &around.path().join("spool"), sync, &mut Ended::default()).unwrap();
    let mut random = Random::seeded(seed);
    for (number, plan) in Plan::all(&clean.steps()).into_iter().enumerate() {
        let around = scratch();
        let folder = around.path().join("spool");
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let recorder = Recorder::with(around.path(), Arc::new(injector.clone()));
        let mut ended = Ended::default();
        ended.error = run(&recorder, &folder, sync, &mut ended).err();
        let failed = injector.failed().unwrap_or_else(|| panic!("{plan:?} has not come"));
        let told = Telling(format!("{plan:?}: {failed}"));
        check_told(&plan, failed.kind, &failed.path, &ended);
        let log = recorder.log();
        let kind = KINDS[number % KINDS.len()];
        let state = State::make(&log, log.calls.len(), kind, &mut random);
        let cut = scratch();
        state.write_to(cut.path());
        let cut_told = Told(&state);
        let (durable, acknowledged) = marked(state.mark);
        check(&cut.path().join("spool"), durable, acknowledged, kind == Left::Reordered);
        drop(cut_told);
        check(&folder, ended.durable, ended.acknowledged, false);
        drop(told);
    }
}

/// A failed call is an error that names a file of the spool, or an answer; cleaning up may wait.
fn check_told(plan: &Plan, kind: Kind, path: &Path, ended: &Ended) {
    let is_full = matches!(plan.fault, Fault::Full | Fault::Short);
    let name = path.file_name().unwrap().to_string_lossy();
    let is_hint = name.contains("ledger") || kind == Kind::RemoveFile;
    let is_answered = is_full && ended.full > 0 && matches!(kind, Kind::Write | Kind::Open);
    match &ended.error {
        Some(error) => assert!(error.to_string().contains("injected"), "{error}"),
        None => assert!(is_hint || is_answered, "no error"),
    }
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

#[test]
fn a_failed_call_costs_nothing_that_was_durable() {
    fail_everywhere(SyncPolicy::Always, 1);
}

#[test]
fn the_same_where_pairs_are_synced_together() {
    fail_everywhere(interval(), 2);
}

/// A full disk is an answer; when there is room again, it goes on.
#[test]
fn a_full_disk_is_a_full_spool() {
    let around = scratch();
    let clean = Injector::idle(Arc::new(QuickFiles));
    let recorder = Recorder::with(around.path(), Arc::new(clean.clone()));
    run(&recorder, &around.path().join("spool"), SyncPolicy::Always, &mut Ended::default())
        .unwrap();
    let steps = clean.steps();
    let is_write = |call: &usize| {
        let step = &steps[*call];
        step.kind == Kind::Write && step.path.extension().is_some_and(|ending| ending == "spool")
    };
    for call in (0..steps.len()).filter(is_write) {
        for fault in [Fault::Full, Fault::Short] {
            let around = scratch();
            let plan = Plan { call, fault, after: After::Well };
            let injector = Injector::new(Arc::new(QuickFiles), plan);
            let recorder = Recorder::with(around.path(), Arc::new(injector));
            let mut ended = Ended::default();
            run(&recorder, &around.path().join("spool"), SyncPolicy::Always, &mut ended).unwrap();
            assert_eq!((ended.full, ended.durable), (1, 30));
        }
    }
}
