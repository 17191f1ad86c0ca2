//! What is recorded is what is done.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::disk::{Disk, FileSystem, Open, set_aside};
use tempfile::tempdir;

use super::{MANY, ends, publish, recorded, same, seen};
use crate::disk::clock::TestClock;
use crate::disk::log::Call;
use crate::disk::power_cut::{Kind, State, states};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

#[test]
fn calls_are_recorded_in_their_order_with_what_was_asked() {
    let (folder, recorder) = recorded();
    publish(&recorder, &folder.path().join("a"), b"abc").unwrap();
    recorder.mark(7);
    let path = PathBuf::from;
    let calls = [
        Call::Open { path: path(".partial"), how: Open::Append, file: 0 },
        Call::SetLen { file: 0, bytes: 0 },
        Call::SyncFolder { path: path(""), done: true },
        Call::Write { file: 0, at: 0, bytes: b"abc".to_vec() },
        Call::Sync { file: 0, done: true },
        Call::Rename { from: path(".partial"), to: path("a") },
        Call::SyncFolder { path: path(""), done: true },
        Call::Mark(7),
    ];
    assert_eq!(recorder.log().calls, calls);
    let lines = [
        "open .partial",
        "set_len .partial 0",
        "sync folder ",
        "write .partial 3 bytes",
        "sync .partial",
        "rename .partial to a",
        "sync folder ",
        "mark 7",
    ];
    assert_eq!(recorder.log().lines(), lines);
}

#[test]
fn every_kind_of_call_has_its_line() {
    let (folder, recorder) = recorded();
    let at = |name: &str| folder.path().join(name);
    recorder.create_folder(&at("x/y")).unwrap();
    recorder.open(&at("x/a"), Open::New).unwrap();
    recorder.open(&at("x/a"), Open::New).unwrap_err();
    recorder.hard_link(&at("x/a"), &at("x/y/b")).unwrap();
    recorder.remove_file(&at("x/a")).unwrap();
    let lines = ["create folder x/y", "open x/a", "link x/a as x/y/b", "remove x/a"];
    assert_eq!(recorder.log().lines(), lines);
}

/// The library's own calls, through a disk.
#[test]
fn quarantine_renames_and_syncs_the_folder() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, b"damaged").unwrap();
    let recorder = Recorder::over(folder.path());
    let disk = Disk::new(Arc::new(recorder.clone()), Arc::new(TestClock::still()));
    set_aside(&disk, &path).unwrap();
    assert_eq!(recorder.log().lines(), ["rename a to a.damaged-1", "sync folder "]);
    let there = [None, Some(&b"damaged"[..])].into();
    assert_eq!(seen(&ends(&recorder), "a.damaged-1"), [Some(&b"damaged"[..])].into());
    let undone = states(&recorder.log(), 1, &mut Random::seeded(1), MANY);
    assert_eq!(seen(&undone, "a"), there);
    assert_eq!(seen(&undone, "a.damaged-1"), there);
}

#[test]
fn a_file_is_the_same_under_all_its_names() {
    let (folder, recorder) = recorded();
    let at = |name: &str| folder.path().join(name);
    recorder.create_folder(&at("old")).unwrap();
    let mut file = recorder.open(&at("old/a"), Open::New).unwrap();
    recorder.rename(&at("old"), &at("new")).unwrap();
    recorder.hard_link(&at("new/a"), &at("b")).unwrap();
    // Nothing happens: both are one file.
    recorder.rename(&at("new/a"), &at("b")).unwrap();
    file.write_all(b"one").unwrap();
    recorder.remove_file(&at("new/a")).unwrap();
    recorder.open(&at("b"), Open::Append).unwrap().write_all(b"two").unwrap();
    assert!(ends(&recorder).iter().any(|state| same(&state.tree, folder.path())));
    let log = recorder.log();
    let opened: Vec<_> =
        log.calls.iter().filter(|call| matches!(call, Call::Open { .. })).collect();
    let last = Call::Open { path: "b".into(), how: Open::Append, file: 0 };
    assert_eq!(opened[1], &last);
}

/// Names of one file stay names of one file in a state that is written out and recorded again.
#[test]
fn what_is_there_before_a_recording_counts_as_synced() {
    let (folder, recorder) = recorded();
    let at = |name: &str| folder.path().join(name);
    recorder.create_folder(&at("x")).unwrap();
    recorder.open(&at("x/a"), Open::New).unwrap().write_all(b"one").unwrap();
    recorder.hard_link(&at("x/a"), &at("b")).unwrap();
    let all = State::make(&recorder.log(), 4, Kind::All, &mut Random::seeded(1));

    let copy = tempdir().unwrap();
    all.write_to(copy.path());
    let again = Recorder::over(copy.path());
    assert_eq!(ends(&again).len(), 1);
    again.open(&copy.path().join("b"), Open::Append).unwrap().write_all(b"two").unwrap();
    let kept = [Some(&b"one"[..]), Some(&b"onetwo"[..])];
    assert!(kept.iter().all(|bytes| seen(&ends(&again), "x/a").contains(bytes)));
    let alike =
        |state: &State| state.tree.names[Path::new("b")] == state.tree.names[Path::new("x/a")];
    assert!(ends(&again).iter().all(alike) || cfg!(not(unix)));
}

#[test]
#[should_panic(expected = "round the file layer")]
fn a_file_that_came_round_the_file_layer_is_named() {
    let (folder, recorder) = recorded();
    std::fs::write(folder.path().join("a"), b"").unwrap();
    let _ = recorder.open(&folder.path().join("a"), Open::Append);
}
