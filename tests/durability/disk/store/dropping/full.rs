//! The disk is full, when a run begins or in its middle; or the folder itself is gone.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pairgate::disk::IoError;
use pairgate::sink::{RunEnd, Sink};
use pairgate_core::config::{OnFullDisk, StorageConfig};

use super::super::{Run, accept, shards};
use super::{bounded, check_told};
use crate::disk::full::SmallDisk;
use crate::disk::quick::{QuickFiles, scratch};

/// What a run of so many pairs leaves that is killed, and then others take all that is free.
fn left_on_a_full_disk(run: &Run, pairs: usize, around: &Path) -> SmallDisk {
    let small = SmallDisk::new(Arc::new(QuickFiles), around, 1 << 20);
    let (mut sink, _) = run.go_on(&Run::disk(&small), &around.join("out")).unwrap();
    accept(&mut sink, &run.pairs[..pairs], |_| ()).unwrap();
    drop(sink);
    small.fill(small.free());
    assert_eq!(small.free(), 0);
    small
}

#[test]
fn a_restart_on_a_full_disk_makes_room_first() {
    for pairs in 20..35 {
        let mut run = bounded(60, false);
        run.config.max_bytes = 0;
        let around = scratch();
        let small = left_on_a_full_disk(&run, pairs, around.path());
        let out = around.path().join("out");
        let (mut sink, resumed) = run.go_on(&Run::disk(&small), &out).unwrap();
        accept(&mut sink, run.rest(&resumed, 0), |_| ()).unwrap();
        sink.finish(RunEnd::Complete).unwrap();
        assert!(sink.dropped() > 0);
        check_told(&out, &run);
    }
}

/// Where nothing may go the run says what helps, and goes on when that was done.
#[test]
fn a_full_disk_without_shards_to_go_is_an_error_that_says_what_helps() {
    for (on_full, advice) in [
        (OnFullDisk::Stop, "storage.on_full = \"drop_oldest\""),
        (OnFullDisk::DropOldest, "no finished shard is left"),
    ] {
        let mut run = Run::of(30);
        run.config = StorageConfig { on_full, ..run.config };
        let around = scratch();
        let small = left_on_a_full_disk(&run, 4, around.path());
        let out = around.path().join("out");
        let begun = run.go_on(&Run::disk(&small), &out);
        let error = begun.and_then(|(mut sink, resumed)| {
            accept(&mut sink, run.rest(&resumed, 0), |_| ())?;
            sink.finish(RunEnd::Complete)
        });
        let error = error.unwrap_err();
        let IoError::Write { why, .. } = &error else { panic!("{error}") };
        assert_eq!(why.kind(), io::ErrorKind::StorageFull, "{error}");
        assert!(error.to_string().contains(advice), "{error}");
        small.fill(0);
        run.complete(&out, 0);
        assert!(shards(&out) == run.unbroken());
    }
}

/// So many bytes stay free for others, who take more and more of the disk.
#[test]
fn what_is_to_stay_free_stays_free() {
    let mut run = bounded(200, false);
    run.config = StorageConfig { max_bytes: 0, min_free: 60_000, ..run.config };
    let around = scratch();
    let small = SmallDisk::new(Arc::new(QuickFiles), around.path(), 200_000);
    let out = around.path().join("out");
    let (mut sink, _) = run.go_on(&Run::disk(&small), &out).unwrap();
    for (number, judged) in run.pairs.iter().enumerate() {
        accept(&mut sink, std::slice::from_ref(judged), |_| ()).unwrap();
        small.fill(number as u64 * 200);
        // Looked at whenever nothing comes.
        sink.idle().unwrap();
        // What the journal and the open shard still buffer is not seen, nor what lies beside a shard.
        assert!(small.free() >= 45_000, "{number}: {}", small.free());
    }
    assert!(sink.dropped() > 0);
    sink.finish(RunEnd::Complete).unwrap();
    check_told(&out, &run);
    drop(sink);
    small.fill(200_000);
    let begun = run.go_on(&Run::disk(&small), &out);
    let error = begun.and_then(|(mut sink, _)| accept(&mut sink, &run.pairs[..1], |_| ()));
    assert!(error.unwrap_err().to_string().contains("no finished shard is left"));
}

/// Nothing is called durable behind a folder's removal.
#[test]
fn an_output_folder_that_is_removed_is_named_and_ends_the_run() {
    for sync_pairs in [1, 0] {
        let mut run = Run::of(60);
        run.config = StorageConfig { sync_pairs, ..run.config };
        let around = scratch();
        let out = around.path().join("out");
        let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), &out).unwrap();
        // The open shard has room left: nothing else tells.
        accept(&mut sink, &run.pairs[..8], |_| ()).unwrap();
        let durable = sink.durable().unwrap();
        fs::remove_dir_all(&out).unwrap();
        let mut taken = durable;
        let error = accept(&mut sink, &run.pairs[8..], |sink| taken = sink.durable().unwrap());
        let error = error.unwrap_err();
        let IoError::Write { to, why } = &error else { panic!("{error}") };
        assert!(to.contains("out") && why.kind() == io::ErrorKind::NotFound, "{error}");
        assert_eq!(taken, durable, "nothing more was called durable");
    }
}

/// A card that becomes read-only ends the run with its name, and every run after it until it is mended.
#[test]
fn a_disk_that_becomes_read_only_is_named_and_loses_nothing() {
    for on_full in [OnFullDisk::Stop, OnFullDisk::DropOldest] {
        let mut run = bounded(60, true);
        run.config = StorageConfig { on_full, max_bytes: 0, ..run.config };
        let around = scratch();
        let small = SmallDisk::new(Arc::new(QuickFiles), around.path(), 1 << 20);
        let out = around.path().join("out");
        let (mut sink, _) = run.go_on(&Run::disk(&small), &out).unwrap();
        accept(&mut sink, &run.pairs[..20], |_| ()).unwrap();
        small.set_read_only(true);
        let error = accept(&mut sink, &run.pairs[20..], |_| ()).unwrap_err();
        sink.finish(RunEnd::Failed).unwrap();
        let durable = sink.durable().unwrap();
        drop(sink);
        let IoError::Write { to, why } = &error else { panic!("{error}") };
        assert!(to.contains("out") && why.kind() == io::ErrorKind::ReadOnlyFilesystem, "{error}");
        let again = run.go_on(&Run::disk(&small), &out).unwrap_err();
        assert!(again.to_string().contains("ead-only"), "{again}");
        small.set_read_only(false);
        let resumed = run.complete(&out, 0);
        assert!(resumed.next_ticket >= durable && durable > 0);
        assert!(shards(&out) == run.unbroken());
    }
}
