//! Shards go at their age, whatever is done to the clock.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pairgate::disk::Disk;
use pairgate::sink::Sink;
use pairgate::store::StoreSink;
use pairgate_core::config::StorageConfig;

use super::super::{Run, accept, shards};
use super::gone;
use crate::disk::clock::TestClock;
use crate::disk::quick::{QuickFiles, scratch};

/// Shards go at their age and no earlier, whatever is done to the clock; a run that goes on counts from
/// what the statistics tell.
#[test]
fn shards_go_when_they_are_old_enough_and_not_before() {
    let hour = Duration::from_secs(3600);
    let mut run = Run::of(60);
    run.config = StorageConfig { keep_days: 2, ..run.config };
    for (jump, begins_wrong) in [(-1i32, false), (0, false), (1, false), (-1, true), (1, true)] {
        let folder = scratch();
        let clock = TestClock::still();
        let start = UNIX_EPOCH + TestClock::START;
        let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
        let set = |since: Duration, off: i32| {
            let now = start + since;
            clock.jump(if off < 0 { now - hour } else { now + hour * off as u32 });
        };
        let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
        accept(&mut sink, &run.pairs[..20], |_| ()).unwrap();
        let count = shards(folder.path()).len();
        assert!(count >= 1);
        let look = |sink: &mut StoreSink, left: usize, what: &str| {
            sink.idle().unwrap();
            assert_eq!(shards(folder.path()).len(), left, "{what}, {jump}");
        };
        clock.advance(24 * hour);
        set(24 * hour, jump);
        look(&mut sink, count, "a day");
        drop(sink);
        // The next run begins while the clock is right and it jumps then, or is wrong from the begin.
        set(24 * hour, if begins_wrong { jump } else { 0 });
        let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
        look(&mut sink, count, "a restart");
        clock.advance(23 * hour);
        set(47 * hour, jump);
        look(&mut sink, count, "47 hours");
        clock.advance(hour / 2);
        look(&mut sink, count, "half an hour before it is time");
        set(47 * hour + hour / 2, 0);
        // An hour is allowed for, and one more where the clock was behind.
        clock.advance(3 * hour);
        look(&mut sink, 0, "two days");
        assert!(sink.dropped() > 0);
        drop(sink);
        assert_eq!(gone(folder.path()).len(), count);
    }
}

/// A shard of this run has its age by the clock that never jumps, however wrong the day is.
#[test]
fn a_clock_that_is_years_off_removes_nothing_early() {
    let mut run = Run::of(30);
    run.config = StorageConfig { keep_days: 1, ..run.config };
    let folder = scratch();
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
    clock.jump(UNIX_EPOCH);
    let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
    accept(&mut sink, &run.pairs, |_| ()).unwrap();
    let count = shards(folder.path()).len();
    assert!(count > 1);
    clock.jump(UNIX_EPOCH + TestClock::START);
    sink.idle().unwrap();
    assert_eq!(shards(folder.path()).len(), count);
    clock.advance(Duration::from_secs(24 * 3600));
    sink.idle().unwrap();
    assert_eq!(shards(folder.path()).len(), 0);
}
