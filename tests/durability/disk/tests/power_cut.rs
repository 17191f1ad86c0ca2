//! What can get lost does, and what cannot does not.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pairgate::disk::{FileSystem, Open};

use super::{ends, name_lists, publish, recorded, same, seen};
use crate::disk::log::Log;
use crate::disk::power_cut::{Kind, State, cut_everywhere, states};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;
use crate::disk::tree::Tree;

#[test]
fn unsynced_bytes_may_be_lost_and_synced_ones_never_are() {
    let (folder, recorder) = recorded();
    let mut file = recorder.open(&folder.path().join("a"), Open::New).unwrap();
    recorder.sync_folder(folder.path()).unwrap();
    file.write_all(b"synced").unwrap();
    file.sync().unwrap();
    file.write_all(b"or").unwrap();
    file.write_all(b"not").unwrap();
    let after: BTreeSet<Vec<u8>> =
        seen(&ends(&recorder), "a").into_iter().map(|bytes| bytes.unwrap()[6..].to_vec()).collect();
    let expected: [&[u8]; 9] =
        [b"", b"or", b"ornot", b"o", b"o\0", b"\0\0", b"orn", b"orno", b"\0\0not"];
    expected.iter().for_each(|bytes| assert!(after.contains(*bytes), "{bytes:?} of {after:?}"));
    assert!(seen(&ends(&recorder), "a").iter().all(|bytes| bytes.unwrap().starts_with(b"synced")));
    file.sync().unwrap();
    assert_eq!(seen(&ends(&recorder), "a"), [Some(&b"syncedornot"[..])].into());
}

#[test]
fn a_cut_that_is_not_synced_may_be_undone() {
    let (folder, recorder) = recorded();
    let mut file = recorder.open(&folder.path().join("a"), Open::New).unwrap();
    file.write_all(b"abcdef").unwrap();
    file.sync().unwrap();
    recorder.sync_folder(folder.path()).unwrap();
    file.set_len(2).unwrap();
    let either = [Some(&b"ab"[..]), Some(&b"abcdef"[..])].into();
    assert_eq!(seen(&ends(&recorder), "a"), either);
    file.write_all(b"x").unwrap();
    assert!(seen(&ends(&recorder), "a").contains(&Some(&b"abxdef"[..])));
}

/// The states that are not chosen at random.
#[test]
fn names_and_bytes_are_lost_together_or_alone() {
    let (folder, recorder) = recorded();
    let at = |name: &str| folder.path().join(name);
    let mut file = recorder.open(&at("a"), Open::New).unwrap();
    recorder.sync_folder(folder.path()).unwrap();
    file.write_all(b"1").unwrap();
    recorder.rename(&at("a"), &at("b")).unwrap();
    let log = recorder.log();
    let kinds = [
        (Kind::Lost, "a", ""),
        (Kind::All, "b", "1"),
        (Kind::Names, "b", ""),
        (Kind::Bytes, "a", "1"),
    ];
    for (kind, name, bytes) in kinds {
        let state = State::make(&log, log.calls.len(), kind, &mut Random::seeded(1));
        assert_eq!(state.tree.files(), [(Path::new(name), bytes.as_bytes())].into(), "{kind:?}");
    }
}

/// Sectors of one write too reach the disk in any order.
#[test]
fn sectors_of_one_write_may_be_holes() {
    let (folder, recorder) = recorded();
    let mut file = recorder.open(&folder.path().join("a"), Open::New).unwrap();
    recorder.sync_folder(folder.path()).unwrap();
    file.write_all(&[1; 100]).unwrap();
    file.write_all(&[2; 1000]).unwrap();
    let holes = ends(&recorder).iter().any(|state| {
        let bytes = state.tree.files()[Path::new("a")];
        bytes.len() == 1100
            && bytes[..512].iter().any(|byte| *byte != 0)
            && bytes[512..1024] == [0; 512]
    });
    assert!(holes);
}

#[test]
fn a_rename_without_a_sync_of_the_folder_may_be_undone() {
    let (folder, recorder) = recorded();
    let at = |name: &str| folder.path().join(name);
    let mut file = recorder.open(&at("a"), Open::New).unwrap();
    file.write_all(b"new").unwrap();
    file.sync().unwrap();
    // A file's own sync does not keep its name.
    assert_eq!(seen(&ends(&recorder), "a"), [None, Some(&b"new"[..])].into());
    recorder.sync_folder(folder.path()).unwrap();
    recorder.rename(&at("a"), &at("b")).unwrap();
    let either = [vec!["a".into()], vec!["b".into()]].into();
    assert_eq!(name_lists(&ends(&recorder)), either);
    recorder.sync_folder(folder.path()).unwrap();
    assert_eq!(ends(&recorder).len(), 1);
}

/// A folder's name is the business of the one around it, and a rename between two folders that of
/// both.
#[test]
fn each_folder_keeps_its_own_names() {
    let (folder, recorder) = recorded();
    let at = |name: &str| folder.path().join(name);
    recorder.create_folder(&at("x")).unwrap();
    let mut file = recorder.open(&at("x/a"), Open::New).unwrap();
    file.write_all(b"1").unwrap();
    file.sync().unwrap();
    recorder.sync_folder(&at("x")).unwrap();
    assert_eq!(seen(&ends(&recorder), "x/a"), [None, Some(&b"1"[..])].into());
    recorder.sync_folder(folder.path()).unwrap();
    assert_eq!(ends(&recorder).len(), 1);
    recorder.rename(&at("x"), &at("y")).unwrap();
    let either: BTreeSet<_> = ends(&recorder).into_iter().map(|s| s.tree.folders).collect();
    assert_eq!(either, [["x".into()].into(), ["y".into()].into()].into());
    recorder.sync_folder(folder.path()).unwrap();
    recorder.rename(&at("y/a"), &at("a")).unwrap();
    recorder.sync_folder(&at("y")).unwrap();
    let nowhere = |state: &State| state.tree.names.is_empty();
    assert!(ends(&recorder).iter().any(nowhere));
}

#[test]
fn points_are_behind_marks_and_states_know_theirs() {
    let (folder, recorder) = recorded();
    recorder.create_folder(&folder.path().join("x")).unwrap();
    recorder.mark(1);
    recorder.mark(2);
    recorder.sync_folder(folder.path()).unwrap();
    let log = recorder.log();
    assert_eq!(log.points().collect::<Vec<_>>(), [0, 3, 4]);
    let mut marks = Vec::new();
    cut_everywhere(&log, &mut Random::seeded(1), 6, |folder, state| {
        assert!(same(&state.tree, folder));
        marks.push((state.mark, state.tree.folders.len()));
    });
    assert_eq!(marks, [(None, 0), (Some(2), 0), (Some(2), 1), (Some(2), 1)]);
}

/// What a state says of itself is enough to make it again.
#[test]
fn a_state_is_made_again_from_its_seed() {
    let (folder, recorder) = recorded();
    publish(&recorder, &folder.path().join("a"), &[1; 3000]).unwrap();
    let log = recorder.log();
    let mut random = Random::seeded(5);
    let _ = State::make(&log, 4, Kind::Torn, &mut random);
    let seed = random.seed();
    let state = State::make(&log, 4, Kind::Reordered, &mut random);
    let told = format!("Reordered at point 4 (behind `write .partial 3000 bytes`), seed {seed:#x}");
    assert_eq!(state.to_string(), told);
    let mut random = Random::seeded(seed);
    let again = State::make(&log, 4, Kind::Reordered, &mut random);
    assert_eq!(again.tree, state.tree);
}

/// The log of the calls up to a point is the log that a run killed there would have.
#[test]
fn a_log_is_cut_by_its_point_alone() {
    let (folder, recorder) = recorded();
    publish(&recorder, &folder.path().join("a"), b"abc").unwrap();
    let log = recorder.log();
    for point in log.points() {
        let shorter = Log { before: Tree::default(), calls: log.calls[..point].to_vec() };
        let trees = |log| {
            let states = states(log, point, &mut Random::seeded(3), 6);
            states.into_iter().map(|state| state.tree).collect::<Vec<_>>()
        };
        assert_eq!(trees(&log), trees(&shorter));
    }
}

/// A list of numbers that promises what it has been given, and makes a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    BytesNotSynced,
    NameNotSynced,
    PromisedTooEarly,
    RenamedTooEarly,
}

fn keep_list(recorder: &Recorder, folder: &Path, mistake: Mistake) -> io::Result<()> {
    let (partial, list) = (folder.join(".list"), folder.join("list"));
    let mut file = recorder.open(&partial, Open::New)?;
    if mistake != Mistake::NameNotSynced {
        recorder.sync_folder(folder)?;
    }
    for number in 1..=4 {
        file.write_all(&[number])?;
        let last = number == 4;
        if last && mistake == Mistake::RenamedTooEarly {
            recorder.rename(&partial, &list)?;
        }
        if mistake == Mistake::PromisedTooEarly {
            recorder.mark(number.into());
        }
        if mistake != Mistake::BytesNotSynced {
            file.sync()?;
        }
        recorder.mark(number.into());
    }
    if mistake != Mistake::RenamedTooEarly {
        recorder.rename(&partial, &list)?;
    }
    recorder.sync_folder(folder)
}

/// What was promised is there, and what has its name is whole.
fn check_list(folder: &Path, state: &State) {
    let read = |name: &str| std::fs::read(folder.join(name)).ok();
    if let Some(list) = read("list") {
        return assert_eq!(list, [1, 2, 3, 4]);
    }
    let promised: Vec<u8> = (1..=state.mark.unwrap_or(0) as u8).collect();
    assert!(read(".list").unwrap_or_default().starts_with(&promised));
}

#[test]
fn the_mistakes_that_programs_make_are_found() {
    use Mistake::*;
    for mistake in [None, BytesNotSynced, NameNotSynced, PromisedTooEarly, RenamedTooEarly] {
        let (folder, recorder) = recorded();
        keep_list(&recorder, folder.path(), mistake).unwrap();
        let log = recorder.log();
        let run = || cut_everywhere(&log, &mut Random::seeded(1), 6, check_list);
        let found = catch_unwind(AssertUnwindSafe(run)).is_err();
        assert_eq!(found, mistake != None, "{mistake:?}");
    }
}
