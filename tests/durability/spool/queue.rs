//! In at one end, out at the other.

use std::sync::Arc;
use std::time::Duration;

use pairgate::disk::Disk;
use pairgate::spool::{Push, Spool, SpoolOptions, SyncPolicy};

use super::{interval, open, options, payload, push_all, read_all, segments};
use crate::disk::clock::TestClock;
use crate::disk::quick::{QuickFiles, scratch};

#[test]
fn pairs_come_out_in_order_while_others_go_in() {
    let folder = scratch();
    let mut spool = open(folder.path());
    for round in 0..20 {
        push_all(&mut spool, 5 * round..5 * (round + 1));
        assert_eq!(read_all(&mut spool), (5 * round..5 * (round + 1)).collect::<Vec<_>>());
    }
    assert!(segments(folder.path()).len() > 5, "nothing is acknowledged");
    assert_eq!((spool.waiting(), spool.durable()), (100, 100));
}

#[test]
fn acknowledged_segments_go_and_others_stay() {
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..40);
    let before = segments(folder.path()).len();
    spool.acknowledge(20);
    let after = segments(folder.path());
    assert!(after.len() < before && after.len() > 1, "{after:?}");
    drop(spool);
    let mut spool = open(folder.path());
    spool.go_on_from(20);
    assert_eq!(read_all(&mut spool), (20..40).collect::<Vec<_>>());
    assert_eq!(spool.lost(), Default::default());
}

/// What was read and not acknowledged comes again; the consumer's number outweighs the ledger's.
#[test]
fn a_restart_goes_on_where_the_consumer_says() {
    let folder = scratch();
    let mut spool = open(folder.path());
    let id = spool.id();
    push_all(&mut spool, 0..30);
    assert_eq!(read_all(&mut spool).len(), 30);
    spool.acknowledge(10);
    drop(spool);
    for from in [10, 12, 29, 30, 77] {
        let mut spool = open(folder.path());
        assert_eq!(spool.id(), id);
        spool.go_on_from(from);
        assert_eq!(read_all(&mut spool), (from.min(30)..30).collect::<Vec<_>>());
        // A number that was used is not used again.
        let next = if from == 77 { 77 } else { 30 };
        if from == 77 {
            assert_eq!(spool.push(&payload(77)).unwrap(), Push::Taken(next));
            assert_eq!(read_all(&mut spool), [77]);
        }
    }
}

#[test]
fn the_bound_holds_for_all_of_it_and_room_comes_back() {
    let folder = scratch();
    let most = 8000;
    let options = SpoolOptions::new(most, SyncPolicy::Always);
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let mut spool = Spool::open(&disk, folder.path(), options).unwrap();
    let (mut next, mut acknowledged) = (0, 0);
    for _ in 0..10 {
        while let Push::Taken(number) = spool.push(&payload(next)).unwrap() {
            assert_eq!(number, next);
            next += 1;
            let files = segments(folder.path()).into_iter();
            let bytes: u64 =
                files.map(|name| folder.path().join(name).metadata().unwrap().len()).sum();
            assert!(bytes <= most && bytes == spool.bytes(), "{bytes}");
        }
        assert_eq!(spool.push(&payload(next)).unwrap(), Push::Full);
        assert_eq!(read_all(&mut spool), (acknowledged..next).collect::<Vec<_>>());
        spool.acknowledge(next);
        acknowledged = next;
    }
    assert!(next > 100);
    assert_eq!(spool.push(&vec![1; 8001]).unwrap(), Push::TooLarge);
}

/// One segment as large as the bound: what is done with must not hold up what comes.
#[test]
fn a_spool_of_one_segment_does_not_stay_full() {
    let folder = scratch();
    let options =
        SpoolOptions { max_bytes: 2000, segment_bytes: 1 << 20, sync: SyncPolicy::Always };
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let mut spool = Spool::open(&disk, folder.path(), options).unwrap();
    let mut taken = 0;
    for _ in 0..5 {
        while spool.push(&payload(taken)).unwrap() == Push::Taken(taken) {
            taken += 1;
        }
        read_all(&mut spool);
        spool.acknowledge(taken);
    }
    assert!(taken > 20, "{taken}");
}

#[test]
fn the_oldest_make_room_and_are_counted() {
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..40);
    let first = spool.next_pair().unwrap().unwrap();
    assert_eq!(first.0, 0);
    let dropped = spool.drop_oldest().unwrap();
    assert!(dropped > 0 && spool.lost().dropped == dropped);
    assert_eq!(read_all(&mut spool), (dropped + 1..40).collect::<Vec<_>>());
    assert_eq!(spool.lost().damaged, 0);
    while spool.bytes() > 0 {
        spool.drop_oldest().unwrap();
    }
    push_all(&mut spool, 40..45);
    assert_eq!(read_all(&mut spool), (40..45).collect::<Vec<_>>());
}

#[test]
fn pairs_are_durable_at_once_or_when_they_have_waited() {
    let folder = scratch();
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
    let mut spool = Spool::open(&disk, folder.path(), options(interval())).unwrap();
    push_all(&mut spool, 0..1);
    clock.advance(Duration::from_millis(30));
    push_all(&mut spool, 1..2);
    spool.sync_due().unwrap();
    assert_eq!(spool.durable(), 0);
    clock.advance(Duration::from_millis(20));
    spool.sync_due().unwrap();
    assert_eq!(spool.durable(), 2);
    push_all(&mut spool, 2..3);
    assert_eq!(spool.durable(), 2);
    spool.sync().unwrap();
    assert_eq!(spool.durable(), 3);
    drop(spool);
    let mut spool = Spool::open(&disk, folder.path(), options(SyncPolicy::Always)).unwrap();
    push_all(&mut spool, 3..4);
    assert_eq!(spool.durable(), 4);
}

#[test]
fn a_second_process_is_refused() {
    let folder = scratch();
    let held = open(folder.path());
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let error = Spool::open(&disk, folder.path(), options(SyncPolicy::Always)).unwrap_err();
    assert!(error.to_string().contains("writing into this folder"), "{error}");
    drop(held);
}
