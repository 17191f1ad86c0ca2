//! The power is cut after every call: what was durable is there, once, in order.

use std::path::Path;
use std::sync::Arc;

use pairgate::spool::{Push, Spool, SyncPolicy};

use super::{disk, interval, names, options, payload, read_all};
use crate::disk::log::Log;
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

/// What is promised: pairs below the first are durable, below the second done with.
pub(super) fn mark(spool: &Spool, acknowledged: u64) -> u64 {
    spool.durable() << 32 | acknowledged
}

pub(super) fn marked(mark: Option<u64>) -> (u64, u64) {
    let mark = mark.unwrap_or(0);
    (mark >> 32, mark & 0xffff_ffff)
}

/// Pushes, reads and acknowledges by turns, in a folder `spool`; pairs are called by their numbers.
fn recorded(sync: SyncPolicy) -> Log {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let folder = around.path().join("spool");
    let mut spool = Spool::open(&disk(&recorder), &folder, options(sync)).unwrap();
    let mut acknowledged = 0;
    for number in 0..40 {
        assert_eq!(spool.push(&payload(number)).unwrap(), Push::Taken(number));
        if number % 5 == 4 {
            spool.sync().unwrap();
        }
        recorder.mark(mark(&spool, acknowledged));
        if number % 7 == 6 {
            // The consumer's own records are on disk: that much is promised from here on.
            acknowledged = read_all(&mut spool).last().unwrap() - 2;
            recorder.mark(mark(&spool, acknowledged));
            spool.acknowledge(acknowledged);
        }
    }
    recorder.log()
}

/// Goes on behind the cut: all that was durable and is not done with comes, in order, then what is new.
pub(super) fn check(folder: &Path, durable: u64, acknowledged: u64, is_explained: bool) {
    let mut spool = Spool::open(&disk(&QuickFiles), folder, options(SyncPolicy::Always)).unwrap();
    spool.go_on_from(acknowledged);
    let read = read_all(&mut spool);
    assert!(read.windows(2).all(|two| two[0] < two[1]), "{read:?}");
    assert!(read.first().is_none_or(|first| *first >= acknowledged), "{read:?}");
    for number in acknowledged..durable {
        assert!(read.binary_search(&number).is_ok(), "{number} is lost: {read:?}");
    }
    let Push::Taken(next) = spool.push(&payload(1000)).unwrap() else { panic!("it is full") };
    assert!(next >= durable && read.last().is_none_or(|last| next > *last));
    assert_eq!(spool.next_pair().unwrap().unwrap(), (next, payload(1000)));
    spool.acknowledge(next + 1);
    let damaged = names(folder).iter().any(|name| name.contains(".damaged-"));
    assert!(!damaged || is_explained, "{:?}", names(folder));
}

fn cut_everywhere(log: &Log, seed: u64) {
    let mut random = Random::seeded(seed);
    for point in log.points() {
        for kind in KINDS {
            let state = State::make(log, point, kind, &mut random);
            let around = scratch();
            state.write_to(around.path());
            let told = Told(&state);
            let (durable, acknowledged) = marked(state.mark);
            check(&around.path().join("spool"), durable, acknowledged, kind == Kind::Reordered);
            drop(told);
        }
    }
}

#[test]
fn what_was_durable_is_there() {
    cut_everywhere(&recorded(SyncPolicy::Always), 1);
}

#[test]
fn the_same_where_pairs_are_synced_together() {
    cut_everywhere(&recorded(interval()), 2);
}

/// The power is cut, and once more while the next process goes on.
#[test]
fn the_power_may_be_cut_during_recovery() {
    let log = recorded(interval());
    let mut random = Random::seeded(3);
    for (number, point) in log.points().enumerate().step_by(5) {
        let kind = KINDS[number % KINDS.len()];
        let state = State::make(&log, point, kind, &mut random);
        let around = scratch();
        state.write_to(around.path());
        let told = Told(&state);
        let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
        let (durable, acknowledged) = marked(state.mark);
        let promised = durable << 32 | acknowledged;
        recorder.mark(promised);
        let folder = around.path().join("spool");
        let mut spool =
            Spool::open(&disk(&recorder), &folder, options(SyncPolicy::Always)).unwrap();
        spool.go_on_from(acknowledged);
        let read = read_all(&mut spool);
        // The pair at the end is what its number says, whichever that is.
        let next = spool.durable();
        let Push::Taken(pushed) = spool.push(&payload(next)).unwrap() else { panic!() };
        assert_eq!(pushed, next);
        drop(spool);
        drop(told);
        let again = recorder.log();
        for point in again.points() {
            let second = KINDS[(point + number) % KINDS.len()];
            let cut = State::make(&again, point, second, &mut random);
            let around = scratch();
            cut.write_to(around.path());
            let told = Told(&cut);
            let explained = [kind, second].contains(&Kind::Reordered);
            check(&around.path().join("spool"), durable, acknowledged, explained);
            drop(told);
        }
        assert!(read.len() as u64 >= durable - acknowledged);
    }
}
