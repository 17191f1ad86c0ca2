//! A disk that is full, read-only or gone while clients wait: the error is named, and when the disk is
//! well again everything that was answered is there.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pairgate::disk::{Disk, IoError};

use super::{Service, Told, check, complete, disk, small_shards};
use crate::disk::clock::TestClock;
use crate::disk::full::SmallDisk;
use crate::disk::quick::{QuickFiles, scratch};

const PAIRS: usize = 30;

/// The error names what could not be written, and the system's reason.
#[track_caller]
fn is_named(error: &IoError, out: &Path, kind: ErrorKind) {
    let IoError::Write { to, why } = error else { panic!("{error}") };
    assert!(to.contains(out.to_str().unwrap()), "{to}");
    assert_eq!(why.kind(), kind, "{error}");
}

/// Serves until the disk, which `harm` does something to behind the first ten pairs, ends it.
fn harmed(size: u64, harm: impl FnOnce(&SmallDisk), kind: ErrorKind) {
    let around = scratch();
    let out = around.path().join("out");
    let files = SmallDisk::new(Arc::new(QuickFiles), around.path(), size);
    let mut told = Told::default();
    let mut service = Service::start(&disk(&files), &out, small_shards()).unwrap();
    service.ask(&(0..10).collect::<Vec<_>>(), &mut told).unwrap();
    assert_eq!(told.answers.len(), 10);
    harm(&files);
    let error = service.ask(&(10..PAIRS).collect::<Vec<_>>(), &mut told).unwrap_err();
    is_named(&error, &out, kind);
    drop(service);
    // A start on that disk is refused with the same name, or works where it needs no room.
    if let Err(error) = Service::start(&disk(&files), &out, small_shards()) {
        is_named(&error, &out, kind);
    }
    complete(&out, PAIRS, &mut told);
    check(&out, &told);
}

#[test]
fn a_disk_that_others_fill_costs_nothing_that_was_answered() {
    harmed(1 << 20, |disk| disk.fill(1 << 20), ErrorKind::StorageFull);
}

#[test]
fn a_disk_that_fills_up_by_itself_costs_nothing_that_was_answered() {
    harmed(40 << 10, |_| (), ErrorKind::StorageFull);
}

#[test]
fn a_disk_that_becomes_read_only_costs_nothing_that_was_answered() {
    harmed(1 << 20, |disk| disk.set_read_only(true), ErrorKind::ReadOnlyFilesystem);
}

/// Nobody is told "kept" behind the folder's removal, nor "rejected"; a new start begins anew.
#[test]
fn an_output_folder_that_is_removed_is_named_and_told_to_whoever_waits() {
    // The first pair behind it would be kept, or rejected.
    for before in [10, 7] {
        let around = scratch();
        let out = around.path().join("out");
        let mut told = Told::default();
        let mut service = Service::start(&disk(&QuickFiles), &out, small_shards()).unwrap();
        service.ask(&(0..before).collect::<Vec<_>>(), &mut told).unwrap();
        fs::remove_dir_all(&out).unwrap();
        let error = service.ask(&[before], &mut told).unwrap_err();
        let IoError::Write { to, why } = &error else { panic!("{error}") };
        assert!(to.contains("out") && why.kind() == ErrorKind::NotFound, "{error}");
        assert_eq!(told.answers.len(), before);
        drop(service);
        let mut anew = Told::default();
        complete(&out, PAIRS, &mut anew);
        check(&out, &anew);
    }
}

/// The time of day jumps by an hour, back and forth: answers come, and what waits for others waits as
/// long as it may.
#[test]
fn a_clock_that_jumps_delays_no_answer() {
    let around = scratch();
    let out = around.path().join("out");
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
    let mut told = Told::default();
    let mut service = Service::start(&disk, &out, small_shards()).unwrap();
    for (round, hours) in [2, 0, 1, 3, 0].into_iter().enumerate() {
        clock.jump(UNIX_EPOCH + TestClock::START + Duration::from_secs(3600 * hours));
        let numbers: Vec<_> = (6 * round..6 * round + 6).collect();
        // `ask` holds that all of them get an answer.
        service.ask(&numbers, &mut told).unwrap();
    }
    service.end().unwrap();
    complete(&out, PAIRS, &mut told);
    check(&out, &told);
}
