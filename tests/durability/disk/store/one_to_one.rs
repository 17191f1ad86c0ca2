//! One input, one output: whatever fails, and wherever the power is cut, a marker stands beside whole files
//! alone, and the next attempt comes to what an unbroken one comes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use pairgate::disk::{Disk, IoError};
use pairgate::journal::{Header, ModelName, Terms};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::store::one_to_one::{
    ATTEMPTS, Attempt, Claim, DATA, JOURNAL, Kind, MARKER, Marker, Names, Published, Standing,
    TABLE, tidy, verify,
};
use pairgate::store::{StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::Verdict;
use pairgate_core::pair::Digest;

use super::{Run, is_long, pair};
use crate::disk::injector::{After, Fault, Injector, Plan};
use crate::disk::log::Call;
use crate::disk::power_cut::cut_everywhere;
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

/// Files of an output folder by their names.
type Files = BTreeMap<String, Vec<u8>>;

fn terms(threshold: f32) -> Terms {
    let model = ModelName { name: "a model".into(), digest: Digest([1; 32]) };
    let config = Digest([(threshold * 100.0) as u8; 32]);
    Terms::new(model, config, vec![format!("policy.threshold={threshold}")], Some(threshold), None)
}

fn claim(threshold: f32) -> Claim {
    Claim {
        kind: Kind::Filter,
        input: "shards/a.tar".into(),
        input_bytes: Some(10_240),
        terms: terms(threshold),
    }
}

fn names(out: &Path) -> Names {
    Names::new(out, "a")
}

/// Some pairs; under a higher threshold fewer are kept.
fn pairs(claim: &Claim) -> Vec<Judged> {
    let all = if claim.terms.threshold > Some(0.25) { 14 } else { 26 };
    (0..all).map(pair).collect()
}

fn options(claim: &Claim) -> StoreOptions {
    let header = Header::new(claim.terms.clone(), vec![claim.input.clone()]);
    StoreOptions::new(StorageConfig::default(), header)
}

/// An attempt whose run is complete.
fn complete(disk: &Disk, out: &Path, claim: &Claim) -> Result<(Attempt, Marker), IoError> {
    let attempt = Attempt::begin(disk, &names(out))?;
    let mut sink = attempt.sink(options(claim))?;
    for judged in pairs(claim) {
        sink.accept(&judged)?;
    }
    sink.finish(RunEnd::Complete)?;
    drop(sink);
    let tally = attempt.tally(|_| ())?;
    let marker = Marker::new(claim, &tally.share);
    Ok((attempt, marker))
}

/// What a process does: nothing where it is done.
fn process(disk: &Disk, out: &Path, claim: &Claim, replace: bool) -> Result<(), IoError> {
    tidy(out, |name| name == "a");
    if !replace && matches!(Standing::of(&names(out), claim)?, Standing::Done(_)) {
        return Ok(());
    }
    let (attempt, marker) = complete(disk, out, claim)?;
    attempt.publish(marker, replace).map(drop)
}

fn quick() -> Disk {
    Run::disk(&QuickFiles)
}

fn made(folder: &Path) -> std::path::PathBuf {
    let out = folder.join("out");
    fs::create_dir_all(&out).unwrap();
    out
}

/// The files that have their names.
fn files(out: &Path) -> Files {
    let entries = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let is_hidden = |path: &Path| path.file_name().unwrap().as_encoded_bytes().starts_with(b".");
    let named = entries.filter(|path| path.is_file() && !is_hidden(path));
    named
        .map(|p| (p.file_name().unwrap().to_str().unwrap().into(), fs::read(&p).unwrap()))
        .collect()
}

fn unbroken(claim: &Claim) -> Files {
    let folder = scratch();
    let out = made(folder.path());
    process(&quick(), &out, claim, false).unwrap();
    files(&out)
}

/// Where there is a marker, all is as it says.
fn check_marker(out: &Path) -> bool {
    let marker = Marker::read(&names(out)).expect("a marker is whole or not there");
    let Some(marker) = marker else { return false };
    let wrong = verify(&names(out), &marker);
    assert!(wrong.is_empty(), "behind a marker: {wrong:?}");
    true
}

/// What the next process comes to, whatever was left.
fn check_rerun(out: &Path, claim: &Claim, replace: bool, wanted: &Files) {
    process(&quick(), out, claim, replace).unwrap();
    assert!(check_marker(out));
    let found = files(out);
    assert!(found.keys().eq(wanted.keys()), "{:?}", found.keys());
    assert!(found == *wanted, "the files differ");
    let left = fs::read_dir(out.join(ATTEMPTS)).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.is_dir()).count(), 0, "an attempt is left behind");
}

/// Kept pairs of a claim, by their uids, are in the output, each once.
#[test]
fn an_output_holds_each_kept_pair_once() {
    let folder = scratch();
    let out = made(folder.path());
    process(&quick(), &out, &claim(0.2), false).unwrap();
    let mut kept: Vec<_> = pairs(&claim(0.2))
        .into_iter()
        .filter(|judged| judged.decision.verdict == Verdict::Kept)
        .map(|judged| judged.uid)
        .collect();
    let records = pairgate::journal::Reader::open(&out).unwrap().map(Result::unwrap);
    let mut stored: Vec<_> = records.filter(|r| r.stored.is_some()).map(|r| r.uid).collect();
    kept.sort_unstable();
    stored.sort_unstable();
    assert_eq!(kept, stored);
    assert!(check_marker(&out));
    let marker = Marker::read(&names(&out)).unwrap().unwrap();
    assert_eq!(marker.stored(), kept.len() as u64);
    let text = String::from_utf8(files(&out)[&format!("a{MARKER}")].clone()).unwrap();
    for time in ["time", "duration"] {
        assert!(!text.contains(time), "a marker tells no {time}: {text}");
    }
}

#[test]
fn no_marker_stands_beside_what_a_power_cut_took() {
    let (claim, around) = (claim(0.2), scratch());
    let out = made(around.path());
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    process(&Run::disk(&recorder), &out, &claim, false).unwrap();
    let (wanted, mut random) = (unbroken(&claim), Random::seeded(3));
    let mut marked = 0;
    cut_everywhere(&recorder.log(), &mut random, if is_long() { 12 } else { 4 }, |around, _| {
        let out = made(around);
        marked += usize::from(check_marker(&out));
        check_rerun(&out, &claim, false, &wanted);
    });
    assert!(marked > 0, "no state had a marker");
}

/// Names on some disks are not kept in their order: what must be behind another is behind a sync of the folder.
#[test]
fn the_folder_is_synced_before_the_marker_comes_and_behind_one_that_goes() {
    let around = scratch();
    let out = made(around.path());
    process(&quick(), &out, &claim(0.2), false).unwrap();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    process(&Run::disk(&recorder), &out, &claim(0.3), true).unwrap();
    let calls = recorder.log().calls;
    let place = |wanted: &dyn Fn(&Call) -> bool| calls.iter().position(wanted).unwrap();
    let renamed = |name: &str| {
        let path = Path::new("out").join(name);
        place(&|call| matches!(call, Call::Rename { to, .. } if *to == path))
    };
    let gone =
        place(&|call| matches!(call, Call::RemoveFile { path } if path.ends_with("a_stats.json")));
    let (first, last, marker) = (renamed("a.pairgate"), renamed("a.tar"), renamed("a_stats.json"));
    let synced = |from: usize, to: usize| {
        let is_sync = |call: &Call| matches!(call, Call::SyncFolder { path, done: true } if path == Path::new("out"));
        assert!(from < to && calls[from..to].iter().any(is_sync), "no sync from {from} to {to}");
    };
    synced(gone, first);
    synced(last, marker);
    synced(marker, calls.len());
}

/// An output of other decisions gives way: there is the old one, none or the new one.
#[test]
fn a_power_cut_while_an_output_is_replaced_leaves_a_whole_one_or_none() {
    let (old, new, around) = (claim(0.2), claim(0.3), scratch());
    let out = made(around.path());
    process(&quick(), &out, &old, false).unwrap();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    process(&Run::disk(&recorder), &out, &new, true).unwrap();
    let (wanted, mut random) = (unbroken(&new), Random::seeded(4));
    cut_everywhere(&recorder.log(), &mut random, if is_long() { 12 } else { 4 }, |around, _| {
        let out = made(around);
        check_marker(&out);
        check_rerun(&out, &new, true, &wanted);
    });
}

#[test]
fn a_call_that_fails_leaves_no_marker_beside_anything_else() {
    let claim = claim(0.2);
    let wanted = unbroken(&claim);
    let clean = Injector::idle(Arc::new(QuickFiles));
    let folder = scratch();
    process(&Run::disk(&clean), &made(folder.path()), &claim, false).unwrap();
    for call in 0..clean.steps().len() {
        for fault in [Fault::Device, Fault::Full, Fault::DoneYetFailed] {
            for after in [After::Failing, After::Well] {
                let folder = scratch();
                let out = made(folder.path());
                let plan = Plan { call, fault, after };
                let disk = Run::disk(&Injector::new(Arc::new(QuickFiles), plan));
                let ended = process(&disk, &out, &claim, false);
                let is_marked = check_marker(&out);
                // Behind the marker's name there is its folder's sync alone.
                assert!(
                    is_marked || ended.is_err(),
                    "call {call}, {fault:?}: done without a marker"
                );
                check_rerun(&out, &claim, false, &wanted);
            }
        }
    }
}

#[test]
fn racing_attempts_agree() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    let (one, marker) = complete(&quick(), &out, &claim).unwrap();
    let (other, again) = complete(&quick(), &out, &claim).unwrap();
    let first = one.publish(marker, false).unwrap();
    assert!(matches!(first, Published::First(_)));
    let before = files(&out);
    let second = other.publish(again, false).unwrap();
    assert!(matches!(second, Published::Agreed(_)));
    assert_eq!(first.marker(), second.marker());
    assert!(files(&out) == before);
    check_rerun(&out, &claim, false, &unbroken(&claim));
}

#[test]
fn an_attempt_that_came_to_something_else_is_an_error() {
    let (claims, folder) = ([claim(0.2), claim(0.3)], scratch());
    let out = made(folder.path());
    let (one, marker) = complete(&quick(), &out, &claims[0]).unwrap();
    let (other, otherwise) = complete(&quick(), &out, &claims[1]).unwrap();
    one.publish(marker, false).unwrap();
    let why = other.publish(otherwise, false).unwrap_err().to_string();
    assert!(why.contains("something else") && why.contains("a_stats.json"), "{why}");
    check_rerun(&out, &claims[0], false, &unbroken(&claims[0]));
    let standing = Standing::of(&names(&out), &claims[1]).unwrap();
    let Standing::Decided(_, why) = standing else { panic!("{standing:?}") };
    assert!(why.concat().contains("threshold was 0.2, it is 0.3"), "{why:?}");
}

/// Threads stand for processes: all write, one is first, and all that is there is whole.
#[test]
fn many_at_one_output_leave_one_whole_output() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| process(&quick(), &out, &claim, false).unwrap());
        }
    });
    check_rerun(&out, &claim, false, &unbroken(&claim));
}

#[test]
fn what_a_killed_attempt_left_goes_with_the_next_one_at_the_same_input() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    let attempts = out.join(ATTEMPTS);
    let dead = |name: &str| {
        let folder = attempts.join(name);
        fs::create_dir_all(folder.join("run/journal")).unwrap();
        fs::write(folder.join("lock"), "").unwrap();
        fs::write(folder.join("run/.00000.tar.partial"), "half").unwrap();
        folder
    };
    let own = dead("a.0123456789abcdef");
    let others = [dead("ab.0123456789abcdef"), dead("a.b.0123456789abcdef")];
    let (alive, marker) = complete(&quick(), &out, &claim).unwrap();
    assert!(!own.exists());
    process(&quick(), &out, &claim, false).unwrap();
    assert!(others.iter().all(|folder| folder.exists()), "of other inputs");
    let published = alive.publish(marker, false).unwrap();
    assert!(matches!(published, Published::Agreed(_)), "the living one was not disturbed");
}

/// A whole tar without samples, and a table without rows.
#[test]
fn an_input_of_which_nothing_is_kept_has_an_empty_output() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    let attempt = Attempt::begin(&quick(), &names(&out)).unwrap();
    let mut sink = attempt.sink(options(&claim)).unwrap();
    let rejected = pairs(&claim).into_iter().filter(|j| j.decision.verdict == Verdict::Rejected);
    for (ticket, judged) in (0..).zip(rejected) {
        sink.accept(&Judged { ticket, ..judged }).unwrap();
    }
    sink.finish(RunEnd::Complete).unwrap();
    drop(sink);
    let tally = attempt.tally(|_| ()).unwrap();
    attempt.publish(Marker::new(&claim, &tally.share), false).unwrap();
    assert!(check_marker(&out));
    let found = files(&out);
    assert_eq!(found[&format!("a{DATA}")], [0; 1024]);
    assert_eq!(found.contains_key(&format!("a{TABLE}")), cfg!(feature = "parquet"));
}

#[test]
fn what_is_damaged_is_told_and_done_again() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    let wanted = unbroken(&claim);
    for ending in [DATA, JOURNAL] {
        process(&quick(), &out, &claim, false).unwrap();
        let path = names(&out).path(ending);
        let mut bytes = fs::read(&path).unwrap();
        bytes[600] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let marker = Marker::read(&names(&out)).unwrap().unwrap();
        let wrong = verify(&names(&out), &marker).concat();
        assert!(wrong.contains(&format!("a{ending} has other bytes")), "{wrong}");
        // The same length says nothing to a process that passes by; another one does.
        assert!(matches!(Standing::of(&names(&out), &claim).unwrap(), Standing::Done(_)));
        check_rerun(&out, &claim, true, &wanted);
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(Standing::of(&names(&out), &claim).unwrap(), Standing::Broken(_)));
        check_rerun(&out, &claim, false, &wanted);
        fs::remove_file(&path).unwrap();
        check_rerun(&out, &claim, false, &wanted);
    }
}

#[test]
fn somebody_elses_data_are_not_replaced_unasked() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    fs::write(out.join("a.tar"), "somebody's").unwrap();
    let why = Standing::of(&names(&out), &claim).unwrap_err().to_string();
    assert!(why.contains("a.tar") && why.contains("--overwrite"), "{why}");
    fs::write(out.join("a_stats.json"), "{\"count\": 1}").unwrap();
    let why = Standing::of(&names(&out), &claim).unwrap_err().to_string();
    assert!(why.contains("a_stats.json") && why.contains("no marker"), "{why}");
}

#[test]
fn another_input_of_the_name_is_told() {
    let (first, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    process(&quick(), &out, &first, false).unwrap();
    let told = |claim: Claim| match Standing::of(&names(&out), &claim).unwrap() {
        Standing::Other(why) => why.concat(),
        standing => panic!("{standing:?}"),
    };
    let elsewhere = Claim { input: "other/a.tar".into(), ..first.clone() };
    assert!(told(elsewhere).contains("was shards/a.tar, it is other/a.tar"));
    let grown = Claim { input_bytes: Some(20_480), ..first.clone() };
    assert!(told(grown).contains("had 10240 bytes, it has 20480 bytes"));
    assert!(told(Claim { kind: Kind::Score, ..first }).contains("it was filtered"));
}

#[test]
fn one_shard_never_becomes_two() {
    let (claim, folder) = (claim(0.2), scratch());
    let options = options(&claim).into_one_shard();
    let config = StorageConfig { shard_pairs: 2, ..options.config };
    let options = StoreOptions { config, ..options };
    let mut sink = StoreSink::create(&quick(), folder.path(), options).unwrap();
    let kept = pairs(&claim).into_iter().filter(|j| j.decision.verdict == Verdict::Kept);
    let kept: Vec<_> = kept.collect();
    sink.accept(&kept[0]).unwrap();
    sink.accept(&kept[1]).unwrap();
    let why = sink.accept(&kept[2]).unwrap_err().to_string();
    assert!(why.contains("more than 2 kept pairs"), "{why}");
    assert!(!folder.path().join("00000.tar").exists());
}

/// A run that goes on in such a folder would take the outputs' journals for its own.
#[test]
fn a_run_of_another_kind_does_not_go_on_in_the_folder() {
    let (claim, folder) = (claim(0.2), scratch());
    let out = made(folder.path());
    process(&quick(), &out, &claim, false).unwrap();
    let before = files(&out);
    let why = StoreSink::go_on(&quick(), &out, options(&claim)).unwrap_err().to_string();
    assert!(why.contains("one-to-one"), "{why}");
    assert!(files(&out) == before);
}
