//! Messages that the broker will not have.
//!
//! MQTT 3.1.1 has no word for that: a broker to which a message is too large ends the connection, and
//! ends the next one at the same message. So what was on its way when a connection ended is sent again
//! alone; what ends a third one is refused, and never sent again. Two could be a bad line's doing.

use super::in_flight::Payload;

/// Connections that may end at a message before it is refused.
const LOSSES: u32 = 2;

/// Refused messages after which their size is taken for the reason.
const SURE: u64 = 2;

/// What the broker has refused so far.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Messages of kept pairs.
    kept: u64,
    /// Bytes of the smallest of them.
    smallest: Option<usize>,
    /// Bytes of the largest message that the broker has taken.
    largest_taken: usize,
    /// Connections that ended while counters were on their way.
    counters_lost: u32,
    /// Whether counters are refused.
    no_counters: bool,
}

/// What becomes of what was on its way when a connection ended.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// To be sent again, oldest first.
    pub(super) again: Vec<super::in_flight::Message>,
    /// Bytes of the message that is refused.
    pub(super) refused: Option<usize>,
}

impl Refusals {
    /// Messages of kept pairs that were refused.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// Whether counters are not to be sent any more.
    pub(super) fn no_counters(&self) -> bool {
        self.no_counters
    }

    /// Whether counters may be what the broker ends connections for.
    pub(super) fn suspects_counters(&self) -> bool {
        self.counters_lost > 0
    }

    /// Whether that may be what the broker ends connections for.
    pub(super) fn suspects(&self, payload: &Payload) -> bool {
        match payload {
            Payload::Kept(message) => message.is_suspect(),
            Payload::Counters => self.suspects_counters(),
            Payload::Status => false,
        }
    }

    /// The broker has taken a message.
    pub(super) fn taken(&mut self, payload: &Payload) {
        match payload {
            Payload::Kept(message) => {
                self.largest_taken = self.largest_taken.max(message.bytes.len());
            }
            Payload::Counters => self.counters_lost = 0,
            Payload::Status => {}
        }
    }

    /// Counts a message of a kept pair that needs no second try: larger ones than it were refused
    /// more than once, and none of its size was taken.
    pub(super) fn is_hopeless(&mut self, bytes: usize) -> bool {
        let too_large =
            self.smallest.is_some_and(|least| bytes >= least && least > self.largest_taken);
        let hopeless = self.kept >= SURE && too_large;
        self.kept += u64::from(hopeless);
        hopeless
    }

    /// Sorts what was on its way when a connection ended; `by_broker` is whether the broker has ended
    /// it.
    pub(super) fn sort(&mut self, lost: Vec<Payload>, by_broker: bool) -> Sorted {
        let is_alone = by_broker && lost.len() == 1;
        let mut sorted = Sorted::default();
        for payload in lost {
            match payload {
                Payload::Kept(message) if is_alone && message.losses >= LOSSES => {
                    let bytes = message.bytes.len();
                    self.kept += 1;
                    self.smallest = Some(self.smallest.map_or(bytes, |least| least.min(bytes)));
                    sorted.refused = Some(bytes);
                }
                Payload::Kept(mut message) => {
                    message.losses += 1;
                    sorted.again.push(message);
                }
                Payload::Counters => {
                    self.no_counters |= is_alone && self.counters_lost >= LOSSES;
                    self.counters_lost += 1;
                }
                Payload::Status => {}
            }
        }
        sorted
    }
}
