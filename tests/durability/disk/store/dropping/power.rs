//! The power is cut, or a call fails, while shards go.

use std::path::Path;
use std::sync::Arc;

use pairgate::disk::{Disk, FileSystem};
use pairgate::sink::{RunEnd, Sink};

use super::super::{Run, Shards, accept, is_damaged, is_long, shards};
use super::{bounded, check_told, check_told_but, gone};
use crate::disk::clock::TestClock;
use crate::disk::full::SmallDisk;
use crate::disk::injector::{Fault, Injector, Plan};
use crate::disk::log::Log;
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

/// Runs to the end in a folder `out` on these files, and notes after every pair what is durable.
fn recorded(run: &Run, recorder: &Recorder, files: &dyn Fn() -> Arc<dyn FileSystem>) {
    let disk = Disk::new(files(), Arc::new(TestClock::still()));
    let around = recorder.folder().to_owned();
    let (mut sink, _) = run.go_on(&disk, &around.join("out")).unwrap();
    accept(&mut sink, &run.pairs, |sink| recorder.mark(sink.durable().unwrap())).unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    recorder.mark(sink.durable().unwrap());
}

fn log_of(run: &Run) -> Log {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    recorded(run, &recorder, &|| Arc::new(recorder.clone()));
    recorder.log()
}

/// Goes on where the power was cut, and looks at all.
fn check_cut(around: &Path, state: &State, run: &Run, unbroken: Option<&Shards>) {
    let folder = around.join("out");
    let durable = state.mark.unwrap_or(0);
    let resumed = run.complete(&folder, run.pairs.len());
    assert!(resumed.next_ticket >= durable, "{} of {durable}", resumed.next_ticket);
    let damaged = is_damaged(&folder);
    assert!(!damaged || state.kind == Kind::Reordered, "{:?}", resumed.damaged);
    if damaged || !folder.is_dir() {
        return;
    }
    // A camera's last samples have no record that tells whether they are whole.
    check_told_but(&folder, run, state.kind == Kind::Reordered && !run.again);
    if let Some(unbroken) = unbroken {
        let found = shards(&folder);
        assert!(found == *unbroken, "{:?} {:?}", found.keys(), unbroken.keys());
    }
}

fn cut(log: &Log, run: &Run, unbroken: Option<&Shards>, seed: u64) {
    let mut random = Random::seeded(seed);
    for (number, point) in log.points().enumerate() {
        let one = (number + number / KINDS.len()) % KINDS.len();
        for kind in if is_long() { &KINDS[..] } else { &KINDS[one..=one] } {
            let state = State::make(log, point, *kind, &mut random);
            let around = scratch();
            state.write_to(around.path());
            let told = Told(&state);
            check_cut(around.path(), &state, run, unbroken);
            drop(told);
        }
    }
}

#[test]
fn the_power_may_be_cut_while_shards_go() {
    for (drop_journal, seed) in [(false, 11), (true, 12)] {
        let run = bounded(70, drop_journal);
        cut(&log_of(&run), &run, Some(&run.unbroken()), seed);
    }
}

/// A camera gives no pair again: what is left has records, what is gone is told of.
#[test]
fn the_same_for_a_camera() {
    let run = bounded(60, true).by_camera();
    cut(&log_of(&run), &run, None, 13);
}

/// The disk itself is full, many times; and the power is cut then.
#[test]
fn a_full_disk_makes_room_and_the_run_goes_on() {
    let mut run = bounded(110, true);
    run.config.max_bytes = 0;
    let around = scratch();
    // A shard may have a table beside it.
    let room = if cfg!(feature = "parquet") { 80_000 } else { 45_000 };
    let disk = |quick| SmallDisk::new(quick, around.path(), room);
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let small = disk(Arc::new(recorder.clone()));
    recorded(&run, &recorder, &|| Arc::new(small.clone()));
    let folder = around.path().join("out");
    check_told(&folder, &run);
    assert!(shards(&folder).len() > 1 && !gone(&folder).is_empty());
    assert!(small.free() < 20_000, "{}", small.free());
    cut(&recorder.log(), &run, None, 14);
}

/// A call fails, every call in turn: what was durable is there or told of, also where that was on the way
/// out.
#[test]
fn a_failed_call_loses_no_shard_that_nobody_tells_of() {
    let run = bounded(60, true);
    let clean = Injector::idle(Arc::new(QuickFiles));
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(clean.clone()));
    recorded(&run, &recorder, &|| Arc::new(recorder.clone()));
    let (unbroken, mut random) = (run.unbroken(), Random::seeded(15));
    let every = if is_long() { 1 } else { 5 };
    for (number, plan) in Plan::all(&clean.steps()).into_iter().enumerate().step_by(every) {
        let around = scratch();
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let recorder = Recorder::with(around.path(), Arc::new(injector.clone()));
        let out = around.path().join("out");
        let mut durable = 0;
        if let Ok((mut sink, _)) = run.go_on(&Run::disk(&recorder), &out) {
            let ended =
                accept(&mut sink, &run.pairs, |sink| recorder.mark(sink.durable().unwrap()));
            let end = if ended.is_err() { RunEnd::Failed } else { RunEnd::Complete };
            let _ = sink.finish(end);
            durable = sink.durable().unwrap();
            recorder.mark(durable);
        }
        let log = recorder.log();
        let kind = KINDS[number / every % KINDS.len()];
        let state = State::make(&log, log.calls.len(), kind, &mut random);
        let cut = scratch();
        state.write_to(cut.path());
        let failed = injector.failed().map_or(String::new(), |step| step.to_string());
        let told = (Told(&state), Telling(format!("{plan:?}: {failed}")));
        // A disk that says that it is full makes room once more.
        let is_full = matches!(plan.fault, Fault::Full | Fault::Short);
        check_cut(cut.path(), &state, &run, (!is_full).then_some(&unbroken));
        let resumed = run.complete(&out, 0);
        assert!(resumed.next_ticket >= durable);
        check_told(&out, &run);
        let found = shards(&out);
        assert!(found.iter().all(|(name, bytes)| unbroken.get(name) == Some(bytes)));
        let names = (found.keys(), unbroken.keys());
        let is_as_many = found.len() == unbroken.len();
        assert!(is_as_many || (is_full && found.len() + 2 >= unbroken.len()), "{names:?}");
        drop(told);
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
