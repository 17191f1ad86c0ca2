//! The spool: what it keeps through restarts, damage, failing disks and power cuts.

mod bytes;
mod damage;
mod faults;
mod outbox;
mod power;
mod queue;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pairgate::disk::{Disk, FileSystem};
use pairgate::spool::{Push, Spool, SpoolOptions, SyncPolicy};

use super::disk::clock::TestClock;
use super::disk::quick::QuickFiles;

/// Segments of a few pairs.
fn options(sync: SyncPolicy) -> SpoolOptions {
    SpoolOptions { max_bytes: 1 << 20, segment_bytes: 900, sync }
}

fn disk(files: &(impl FileSystem + Clone + 'static)) -> Disk {
    Disk::new(Arc::new(files.clone()), Arc::new(TestClock::still()))
}

fn open(folder: &Path) -> Spool {
    Spool::open(&disk(&QuickFiles), folder, options(SyncPolicy::Always)).unwrap()
}

/// What is pushed under a number: of several lengths, with bytes in it that look like a frame's.
fn payload(number: u64) -> Vec<u8> {
    let mut bytes = format!("pair {number} PGSP").into_bytes();
    bytes.resize(40 + (number as usize * 97) % 400, number as u8);
    bytes
}

/// Pushes the pairs of these numbers, which are their sequence numbers.
fn push_all(spool: &mut Spool, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(spool.push(&payload(number)).unwrap(), Push::Taken(number));
    }
}

/// Sequence numbers of all that can be read; each is what was pushed.
fn read_all(spool: &mut Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((sequence, bytes)) = spool.next_pair().unwrap() {
        assert!(bytes == payload(sequence), "{sequence} is not what it was");
        numbers.push(sequence);
    }
    numbers
}

/// Names in a folder, but for the lock.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != ".pairgate.lock").collect();
    names.sort();
    names
}

fn segments(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.ends_with(".spool")).collect()
}

fn interval() -> SyncPolicy {
    SyncPolicy::Interval(Duration::from_millis(50))
}
