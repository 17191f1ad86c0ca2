//! Time goes as tests say.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pairgate::disk::{Disk, SystemFiles};

use crate::disk::clock::TestClock;

#[test]
fn a_test_sets_the_clock() {
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(SystemFiles), Arc::new(clock.clone()));
    let start = disk.now();
    assert_eq!(start, UNIX_EPOCH + TestClock::START);
    clock.advance(Duration::from_secs(5));
    assert_eq!(
        (disk.now(), disk.elapsed()),
        (start + Duration::from_secs(5), Duration::from_secs(5))
    );
    clock.jump(UNIX_EPOCH);
    assert_eq!((disk.now(), disk.elapsed()), (UNIX_EPOCH, Duration::from_secs(5)));
}

#[test]
fn a_clock_goes_on_at_each_look() {
    let disk =
        Disk::new(Arc::new(SystemFiles), Arc::new(TestClock::stepping(Duration::from_secs(1))));
    assert_eq!([disk.elapsed(), disk.elapsed()].map(|time| time.as_secs()), [0, 1]);
    assert_eq!(disk.now(), UNIX_EPOCH + TestClock::START + Duration::from_secs(2));
}
