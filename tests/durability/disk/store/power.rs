//! The power is cut after every call of a run, and of the run that goes on behind it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pairgate::disk::Disk;
use pairgate::sink::{RunEnd, Sink};
use pairgate::store::StoreSink;
use pairgate_core::config::StorageConfig;

use super::{
    Run, Shards, accept, check_agreement, check_completed, check_published, check_samples,
    is_damaged, is_long,
};
use crate::disk::clock::TestClock;
use crate::disk::injector::{After, Fault, Injector, Plan};
use crate::disk::log::Log;
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

/// Runs to the end in a folder `out`, and notes after every pair what is durable.
pub(super) fn recorded(run: &Run) -> Log {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(recorder.clone()), Arc::new(clock.clone()));
    let (mut sink, _) = run.go_on(&disk, &around.path().join("out")).unwrap();
    let look = |sink: &StoreSink| {
        clock.advance(Duration::from_millis(10));
        recorder.mark(sink.durable().unwrap());
    };
    accept(&mut sink, &run.pairs, look).unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    recorder.mark(sink.durable().unwrap());
    recorder.log()
}

/// Goes on after the power was cut, and looks at all.
fn check(around: &Path, state: &State, run: &Run, unbroken: &Shards) {
    let folder = around.join("out");
    let durable = state.mark.unwrap_or(0);
    if folder.is_dir() {
        check_published(&folder);
        #[cfg(feature = "parquet")]
        super::embeddings::check_published(&folder, run);
    }
    let resumed = run.complete(&folder, run.pairs.len());
    assert!(resumed.next_ticket >= durable, "{} of {durable} are left", resumed.next_ticket);
    let damaged = is_damaged(&folder);
    assert!(!damaged || state.kind == Kind::Reordered, "{:?}", resumed.damaged);
    if state.kind != Kind::Reordered {
        check_samples(&folder, &run.pairs);
    }
    match run.again && !damaged {
        true => check_completed(&folder, run, unbroken),
        false => check_agreement(&folder, &run.pairs, durable),
    }
    #[cfg(feature = "parquet")]
    super::embeddings::check_published(&folder, run);
}

/// Cuts the power at points of the log, `of_3` of three, each time in another way; in the long form at every
/// point in all ways.
pub(super) fn cut(log: &Log, run: &Run, seed: u64, of_3: usize) {
    let (unbroken, mut random) = (run.unbroken(), Random::seeded(seed));
    for (number, point) in log.points().enumerate() {
        let one = (number + number / KINDS.len()) % KINDS.len();
        for kind in
            if is_long() { &KINDS[..] } else { &KINDS[one..one + usize::from(number % 3 < of_3)] }
        {
            cut_at(log, point, *kind, &mut random, |folder, state| {
                check(folder, state, run, &unbroken);
            });
        }
    }
}

fn cut_at(
    log: &Log,
    point: usize,
    kind: Kind,
    random: &mut Random,
    check: impl FnOnce(&Path, &State),
) {
    let state = State::make(log, point, kind, random);
    let around = scratch();
    state.write_to(around.path());
    let told = Told(&state);
    check(around.path(), &state);
    drop(told);
}

#[test]
fn what_was_durable_is_there_and_the_run_comes_to_the_same() {
    let run = Run::of(200);
    cut(&recorded(&run), &run, 1, 1);
}

#[test]
fn the_same_where_the_clock_says_when_to_sync() {
    let mut run = Run::of(60);
    run.config = StorageConfig { sync_pairs: 0, sync_ms: 45, ..run.config };
    cut(&recorded(&run), &run, 2, 3);
}

#[test]
fn the_same_where_only_shards_are_synced() {
    let mut run = Run::of(60);
    run.config = StorageConfig { sync_pairs: 0, ..run.config };
    cut(&recorded(&run), &run, 3, 3);
}

/// A camera gives no pair again: what is stored has one record, and what was durable is there.
#[test]
fn a_camera_loses_nothing_that_was_durable() {
    let run = Run::of(60).by_camera();
    cut(&recorded(&run), &run, 4, 3);
}

/// The power is cut, and once more while the run goes on.
#[test]
fn the_power_may_be_cut_during_recovery() {
    let mut random = Random::seeded(5);
    for camera in [false, true] {
        let run = if camera { Run::of(40).by_camera() } else { Run::of(40) };
        let (log, unbroken) = (recorded(&run), run.unbroken());
        let step = if is_long() { 1 } else { 37 };
        for (number, point) in log.points().enumerate().step_by(step) {
            let kind = KINDS[number % KINDS.len()];
            cut_at(&log, point, kind, &mut random.fork(), |around, state| {
                let recorder = Recorder::with(around, Arc::new(QuickFiles));
                recorder.mark(state.mark.unwrap_or(0));
                let (mut sink, resumed) =
                    run.go_on(&Run::disk(&recorder), &around.join("out")).unwrap();
                // What a camera's samples get records of again has other tickets.
                let mark = |sink: &StoreSink| {
                    let durable = if camera { state.mark } else { sink.durable() };
                    recorder.mark(durable.unwrap_or(0));
                };
                mark(&sink);
                // A camera's pairs that come now are others, which nobody looks for.
                let rest = run.rest(&resumed, run.pairs.len());
                accept(&mut sink, &rest[..rest.len().min(9)], mark).unwrap();
                drop(sink);
                let again = recorder.log();
                let explained = state.kind == Kind::Reordered;
                for (number, point) in again.points().enumerate().step_by(3) {
                    let kind = KINDS[(number / 3) % KINDS.len()];
                    cut_at(&again, point, kind, &mut random, |around, state| match explained {
                        true => check_after_damage(around, state, &run),
                        false => check(around, state, &run, &unbroken),
                    });
                }
            });
        }
    }
}

/// Where sectors were lost between others there may be damage.
fn check_after_damage(around: &Path, state: &State, run: &Run) {
    run.complete(&around.join("out"), run.pairs.len());
    if run.again && !is_damaged(&around.join("out")) {
        check_agreement(&around.join("out"), &run.pairs, state.mark.unwrap_or(0));
    }
}

/// A run is killed, the next one goes on from what the system still knows, and then the power is cut:
/// names and bytes that the killed run had not synced must not be taken for what is on disk.
#[test]
fn the_power_may_be_cut_behind_a_run_that_was_killed() {
    let run = Run::of(40);
    let (unbroken, mut random) = (run.unbroken(), Random::seeded(6));
    let clean = Injector::idle(Arc::new(QuickFiles));
    let folder = scratch();
    let (mut sink, _) = run.go_on(&Run::disk(&clean), &folder.path().join("out")).unwrap();
    accept(&mut sink, &run.pairs, |_| ()).unwrap();
    for call in 0..clean.steps().len() {
        let around = scratch();
        let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
        let plan = Plan { call, fault: Fault::Device, after: After::Failing };
        let killed = Run::disk(&Injector::new(Arc::new(recorder.clone()), plan));
        let out = around.path().join("out");
        if let Ok((mut sink, _)) = run.go_on(&killed, &out) {
            let mark = |sink: &StoreSink| recorder.mark(sink.durable().unwrap());
            let _ = accept(&mut sink, &run.pairs, mark);
        }
        let from = recorder.log().calls.len();
        let (mut sink, resumed) = run.go_on(&Run::disk(&recorder), &out).unwrap();
        recorder.mark(sink.durable().unwrap());
        let rest = run.rest(&resumed, 0);
        let mark = |sink: &StoreSink| recorder.mark(sink.durable().unwrap());
        accept(&mut sink, &rest[..rest.len().min(8)], mark).unwrap();
        drop(sink);
        let log = recorder.log();
        let points: Vec<_> = log.points().filter(|point| *point >= from).collect();
        let tries = if is_long() { points.len() } else { 2 };
        for number in 0..tries {
            let point = if is_long() { points[number] } else { points[random.below(points.len())] };
            let kind = [Kind::Lost, KINDS[(call + number) % KINDS.len()]][number % 2];
            cut_at(&log, point, kind, &mut random.fork(), |around, state| {
                check(around, state, &run, &unbroken);
            });
        }
    }
}
