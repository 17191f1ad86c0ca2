//! Thresholds as they were recorded, for pairs that are examined again.

use pairgate_core::decision::Decision;
use pairgate_core::policy::Policy;

use crate::decide::{Decider, Examined};
use crate::disk::IoError;
use crate::journal::Record;

/// Decides on each pair by the threshold that its record tells, where it tells one: that of a group.
pub struct RecordedThresholds<I> {
    records: I,
    policy: Policy,
    first_ticket: u64,
}

impl<I> RecordedThresholds<I> {
    /// Decides by `records`, one for each pair from the one with the ticket `first_ticket` on, and by
    /// `policy` where they tell no threshold.
    pub fn new(records: I, policy: Policy, first_ticket: u64) -> Self {
        Self { records, policy, first_ticket }
    }
}

impl<I: Iterator<Item = Result<Record, IoError>> + Send> Decider for RecordedThresholds<I> {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        let record = match pair.ticket < self.first_ticket {
            true => None,
            false => self.records.next().transpose()?,
        };
        let threshold = record.and_then(|record| record.threshold).or(self.policy.threshold);
        let policy = Policy { threshold, ..self.policy };
        Ok(policy.decide(pair.evidence.found, pair.evidence.facts))
    }
}
