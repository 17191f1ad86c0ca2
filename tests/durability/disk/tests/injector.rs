//! Each call fails as it is told to, once.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use pairgate::disk::{FileSystem, Open};
use tempfile::tempdir;

use super::{ends, name_lists, publish, seen};
use crate::disk::injector::{After, Fault, Injector, Kind, Plan, Step};
use crate::disk::quick::QuickFiles;
use crate::disk::recorder::Recorder;

/// A file that appears whole, written twice, on a disk of which one call fails.
fn run(files: &Injector, folder: &Path) -> Vec<io::Result<()>> {
    let all = |name: &str| publish(files, &folder.join(name), b"abcdef");
    vec![files.create_folder(folder), all("a"), all("b")]
}

fn clean_run() -> Vec<Step> {
    let folder = tempdir().unwrap();
    let clean = Injector::idle(Arc::new(QuickFiles));
    assert!(run(&clean, folder.path()).iter().all(Result::is_ok));
    assert_eq!(clean.failed(), None);
    clean.steps().iter().map(|step| inside(step, folder.path())).collect()
}

/// A call with its path in the folder.
fn inside(step: &Step, folder: &Path) -> Step {
    Step { kind: step.kind, path: step.path.strip_prefix(folder).unwrap().to_owned() }
}

#[test]
fn calls_of_all_kinds_are_counted() {
    let clean = clean_run();
    assert_eq!(clean[7].to_string(), "Rename a");
    let kinds: Vec<_> = clean.iter().map(|step| step.kind).collect();
    use Kind::*;
    let file = [Open, Lock, SetLen, SyncFolder, Write, Sync, Rename, SyncFolder];
    assert_eq!(kinds, [&[CreateFolder][..], &file, &file].concat());
}

#[test]
fn each_call_fails_in_each_way_exactly_once() {
    let clean = clean_run();
    let plans = Plan::all(&clean);
    let called: BTreeSet<_> = plans.iter().map(|plan| plan.call).collect();
    assert_eq!(called, (0..clean.len()).collect());
    for plan in plans {
        let folder = tempdir().unwrap();
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let results = run(&injector, folder.path());
        let failed = injector.failed().expect("the call comes");
        assert_eq!(inside(&failed, folder.path()), clean[plan.call], "{plan:?}");
        // The first call stands alone; eight calls make a file.
        let failing = plan.call.div_ceil(8);
        for (number, result) in results.iter().enumerate() {
            let fails = number == failing || number > failing && plan.after == After::Failing;
            assert_eq!(result.is_err(), fails, "{plan:?}, {failed}");
        }
        let error = results[failing].as_ref().unwrap_err();
        let full = matches!(plan.fault, Fault::Full | Fault::Short);
        assert_eq!(error.kind() == io::ErrorKind::StorageFull, full);
        assert!(error.to_string().starts_with("injected"));
    }
}

#[test]
fn calls_behind_the_failed_one_do_as_planned() {
    for (after, well) in [(After::Well, true), (After::Failing, false)] {
        let folder = tempdir().unwrap();
        let plan = Plan { call: 1, fault: Fault::Device, after };
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let synced: Vec<_> = (0..4).map(|_| injector.sync_folder(folder.path()).is_ok()).collect();
        assert_eq!(synced, [true, false, well, well]);
    }
}

#[test]
fn a_short_write_is_half_and_then_the_disk_is_full() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a");
    for after in [After::Well, After::Failing] {
        let plan = Plan { call: 1, fault: Fault::Short, after };
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let mut file = injector.open(&path, Open::Append).unwrap();
        assert_eq!(file.write(b"abcdef").unwrap(), 3);
        assert_eq!(file.write(b"def").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.write(b"g").is_ok(), after == After::Well);
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"abcgabc");
    let plan = Plan { call: 1, fault: Fault::Short, after: After::Well };
    let mut file = Injector::new(Arc::new(QuickFiles), plan).open(&path, Open::Append).unwrap();
    assert!(file.write(b"h").is_err(), "half of one byte is no write");
}

/// The disk has forgotten what it lost: it says so once, and then that all is well.
#[test]
fn what_a_failed_sync_was_to_save_stays_in_doubt() {
    for fault in [Fault::Device, Fault::DoneYetFailed] {
        let folder = tempdir().unwrap();
        let plan = Plan { call: 2, fault, after: After::Well };
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let recorder = Recorder::with(folder.path(), Arc::new(injector));
        let mut file = recorder.open(&folder.path().join("a"), Open::New).unwrap();
        file.write_all(b"1").unwrap();
        file.sync().unwrap_err();
        file.write_all(b"2").unwrap();
        file.sync().unwrap();
        recorder.sync_folder(folder.path()).unwrap();
        assert_eq!(seen(&ends(&recorder), "a"), [Some(&b"12"[..]), Some(&b"\x002"[..])].into());
        assert_eq!(recorder.log().lines()[2], "sync a, failed");
    }
}

#[test]
fn names_behind_a_failed_sync_of_their_folder_stay_in_doubt() {
    let folder = tempdir().unwrap();
    let plan = Plan { call: 1, fault: Fault::Device, after: After::Well };
    let injector = Injector::new(Arc::new(QuickFiles), plan);
    let recorder = Recorder::with(folder.path(), Arc::new(injector));
    let at = |name: &str| folder.path().join(name);
    recorder.open(&at("a"), Open::New).unwrap();
    recorder.sync_folder(folder.path()).unwrap_err();
    recorder.rename(&at("a"), &at("b")).unwrap();
    recorder.sync_folder(folder.path()).unwrap();
    let any = [vec![], vec!["a".into()], vec!["b".into()]].into();
    assert_eq!(name_lists(&ends(&recorder)), any);
}
