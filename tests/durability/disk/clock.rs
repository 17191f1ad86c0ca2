//! A clock that tests set.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pairgate::disk::Clock;

/// Stands still until it is told otherwise. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct TestClock {
    hands: Arc<Mutex<Hands>>,
    step: Duration,
}

#[derive(Debug)]
struct Hands {
    now: SystemTime,
    elapsed: Duration,
}

impl TestClock {
    /// The time of day when a clock is made.
    pub const START: Duration = Duration::from_secs(1_700_000_000);

    /// A clock that stands still.
    pub fn still() -> Self {
        Self::stepping(Duration::ZERO)
    }

    /// A clock that goes on by `step` after each look at it.
    pub fn stepping(step: Duration) -> Self {
        let hands = Hands { now: UNIX_EPOCH + Self::START, elapsed: Duration::ZERO };
        Self { hands: Arc::new(Mutex::new(hands)), step }
    }

    /// Lets time go by.
    pub fn advance(&self, by: Duration) {
        self.hands().advance(by);
    }

    /// Sets the time of day, back too, as an administrator or a time server does; no time goes by.
    pub fn jump(&self, to: SystemTime) {
        self.hands().now = to;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap()
    }

    fn look<T>(&self, at: impl Fn(&Hands) -> T) -> T {
        let mut hands = self.hands();
        let seen = at(&hands);
        hands.advance(self.step);
        seen
    }
}

impl Hands {
    fn advance(&mut self, by: Duration) {
        self.now += by;
        self.elapsed += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        self.look(|hands| hands.now)
    }

    fn elapsed(&self) -> Duration {
        self.look(|hands| hands.elapsed)
    }
}
