//! One call of a run fails, every call in turn.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pairgate::disk::IoError;
use pairgate::sink::{RunEnd, Sink};
use pairgate_core::decision::Verdict;

use super::{Run, Shards, accept, check_completed, check_published, is_damaged, is_long, shards};
use crate::disk::injector::{After, Fault, Injector, Kind, Plan, Step};
use crate::disk::power_cut::{KINDS, Kind as Left, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;
use crate::disk::tree::Tree;

/// What a run came to in which a call failed.
struct Ended {
    error: Option<IoError>,
    /// Pairs that were accepted, and kept ones of them that are not lost.
    accepted: u64,
    kept: u64,
    durable: u64,
}

/// Runs as the pipeline does, in the folder `out`.
fn run_to_its_end(run: &Run, files: &Recorder, around: &Path) -> Ended {
    let out = around.join("out");
    let (mut sink, resumed) = match run.go_on(&Run::disk(files), &out) {
        Ok(begun) => begun,
        Err(error) => return Ended { error: Some(error), accepted: 0, kept: 0, durable: 0 },
    };
    files.mark(sink.durable().unwrap());
    let (mut accepted, rest) = (0, run.rest(&resumed, 0));
    let mut error = accept(&mut sink, rest, |sink| {
        accepted += 1;
        files.mark(sink.durable().unwrap());
    })
    .err();
    let end = if error.is_some() { RunEnd::Failed } else { RunEnd::Complete };
    let finished = sink.finish(end);
    error = error.or(finished.err());
    let durable = sink.durable().unwrap();
    files.mark(durable);
    let kept = rest[..accepted].iter().filter(|j| j.decision.verdict == Verdict::Kept).count();
    let kept =
        (kept as u64).checked_sub(sink.lost().decided()).expect("more is lost than was kept");
    Ended {
        error,
        accepted: resumed.next_ticket + accepted as u64,
        kept: resumed.kept + kept,
        durable,
    }
}

/// The calls of a run over what is in `before`.
fn steps(run: &Run, before: &Tree) -> Vec<Step> {
    let around = scratch();
    before.write_to(around.path());
    let clean = Injector::idle(Arc::new(QuickFiles));
    let ended =
        run_to_its_end(run, &Recorder::with(around.path(), Arc::new(clean.clone())), around.path());
    assert!(ended.error.is_none() && ended.durable == run.pairs.len() as u64);
    clean.steps()
}

/// The file that an error names.
fn named(error: &IoError) -> (&Path, &io::Error) {
    match error {
        IoError::Write { to, why } => (Path::new(to), why),
        IoError::Read { from, why } => (Path::new(from), why),
        other => panic!("{other} names no file"),
    }
}

/// Whether the name is of the file that failed, or of the one that it was to become.
fn is_named(failed: &Step, named: &Path) -> bool {
    let stem = |path: &Path| -> String {
        let name = path.file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        name.trim_end_matches(".partial").trim_end_matches(".repaired").to_owned()
    };
    let is_parent = || failed.path.parent() == Some(named) || Some(&*failed.path) == named.parent();
    stem(&failed.path) == stem(named) || is_parent()
}

/// Lets each call of a run over `before` fail in all ways, and goes on with healthy files.
pub(super) fn fail_everywhere(
    run: &Run,
    before: &Tree,
    every: usize,
    unbroken: &Shards,
    seed: u64,
) {
    let mut random = Random::seeded(seed);
    let plans = Plan::all(&steps(run, before));
    for (number, plan) in plans.into_iter().enumerate().step_by(every) {
        let around = scratch();
        before.write_to(around.path());
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let recorder = Recorder::with(around.path(), Arc::new(injector.clone()));
        let ended = run_to_its_end(run, &recorder, around.path());
        let failed = injector.failed().unwrap_or_else(|| panic!("{plan:?} has not come"));
        let telling = Telling(format!("{plan:?}: {failed}"));
        check_error(&plan, &failed, &ended);
        check_names_behind(&plan, &failed, &injector.steps());

        // What a cut leaves of it, then what is there if the power stays on.
        let log = recorder.log();
        let kind = [Left::Lost, KINDS[number / 2 % KINDS.len()]][number % 2];
        let state = State::make(&log, log.calls.len(), kind, &mut random);
        let cut = scratch();
        state.write_to(cut.path());
        let told = Told(&state);
        check_after(run, &cut.path().join("out"), &ended, unbroken, kind == Left::Reordered);
        drop(told);
        check_after(run, &around.path().join("out"), &ended, unbroken, false);
        drop(telling);
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

fn check_error(plan: &Plan, failed: &Step, ended: &Ended) {
    let Some(error) = &ended.error else {
        // A second name is only one way to keep a file.
        assert_eq!((failed.kind, plan.after), (Kind::HardLink, After::Well), "no error");
        return;
    };
    let (file, why) = named(error);
    let is_full = matches!(plan.fault, Fault::Full | Fault::Short);
    assert!(is_named(failed, file) || failed.kind == Kind::HardLink, "{error} names another file");
    assert_eq!(why.kind() == io::ErrorKind::StorageFull, is_full, "{error}");
    assert!(why.to_string().contains("injected"), "{error}");
}

/// A failed write or sync is final: no shard gets its name behind it, whatever later calls say.
fn check_names_behind(plan: &Plan, failed: &Step, steps: &[Step]) {
    let is_shard = |step: &&Step| {
        step.kind == Kind::Rename && step.path.extension().is_some_and(|ending| ending == "tar")
    };
    let named = steps[plan.call + 1..].iter().find(is_shard);
    assert!(named.is_none() || failed.kind == Kind::HardLink, "{}", named.unwrap());
}

/// Nothing torn has a name, what was durable and what was counted is there, and the run is completed.
fn check_after(run: &Run, folder: &Path, ended: &Ended, unbroken: &Shards, is_explained: bool) {
    if folder.is_dir() {
        check_published(folder);
    }
    let resumed = run.complete(folder, ended.accepted as usize);
    assert!(resumed.next_ticket >= ended.durable, "{} of {}", resumed.next_ticket, ended.durable);
    assert!(resumed.kept >= ended.kept, "{} of {} kept", resumed.kept, ended.kept);
    let damaged = is_damaged(folder);
    assert!(!damaged || is_explained, "{:?}", resumed.damaged);
    if !damaged {
        check_completed(folder, run, unbroken);
    }
}

#[test]
fn a_failed_call_costs_nothing_that_was_durable() {
    let mut run = Run::of(30);
    run.config.shard_pairs = 4;
    // Each call has four ways or more.
    let every = if is_long() { 1 } else { 3 };
    fail_everywhere(&run, &Tree::default(), every, &run.unbroken(), 1);
}

/// The same while a run goes on in what another one has left.
#[test]
fn a_failed_call_of_recovery_costs_nothing_either() {
    let mut run = Run::of(30);
    run.config.shard_pairs = 4;
    let (unbroken, mut random) = (run.unbroken(), Random::seeded(2));
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let whole = run_to_its_end(&run, &recorder, around.path());
    assert!(whole.error.is_none());
    let log = recorder.log();
    let points: Vec<_> = log.points().collect();
    for part in 1..8 {
        let point = points[points.len() * part / 8];
        for kind in [Left::All, Left::Torn] {
            let state = State::make(&log, point, kind, &mut random);
            let every = if is_long() { 1 } else { 41 };
            fail_everywhere(&run, &state.tree, every, &unbroken, part as u64);
        }
    }
}

/// A full disk is told as one, with the shard's name, and nothing gets a final name.
#[test]
fn a_full_disk_ends_the_run() {
    let run = Run::of(30);
    let clean = steps(&run, &Tree::default());
    let is_write = |step: &Step| {
        let name = step.path.file_name().unwrap().to_str().unwrap();
        step.kind == Kind::Write && name == ".00001.tar.partial"
    };
    let writes: BTreeSet<_> = (0..clean.len()).filter(|at| is_write(&clean[*at])).collect();
    assert!(writes.len() > 1);
    for call in writes {
        let around = scratch();
        let plan = Plan { call, fault: Fault::Full, after: After::Well };
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let recorder = Recorder::with(around.path(), Arc::new(injector));
        let ended = run_to_its_end(&run, &recorder, around.path());
        let error = ended.error.unwrap();
        let IoError::Write { to, why } = &error else { panic!("{error}") };
        assert_eq!(why.kind(), io::ErrorKind::StorageFull);
        assert!(to.contains("00001.tar"), "{to}");
        let names: Vec<_> = shards(&around.path().join("out")).into_keys().collect();
        assert_eq!(names, ["00000.tar"]);
    }
}
