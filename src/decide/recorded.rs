//! Decisions from scores that an earlier pass over the same input recorded.

use std::io;

use pairgate_core::decision::Decision;
use pairgate_core::policy::Policy;

use super::groups::{Bar, GroupBar};
use super::{Decider, Examined, Noted};
use crate::disk::IoError;
use crate::journal::Record;

/// Decides by recorded evidence; each pair must be the one that the next record tells of, by its
/// names and its image's digest.
pub struct Recorded<I> {
    records: I,
    bar: Bar,
}

impl<I> Recorded<I> {
    /// Decides by `policy` on what `records` tell, one for each pair in the source's order.
    pub fn new(records: I, policy: Policy) -> Self {
        Self::by(records, Bar::One(policy))
    }

    /// The same by `bar`.
    pub fn by(records: I, bar: Bar) -> Self {
        Self { records, bar }
    }

    /// What decided.
    pub fn bar(&self) -> &Bar {
        &self.bar
    }
}

impl<I: Iterator<Item = Result<Record, IoError>> + Send> Decider for Recorded<I> {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        let sample = &pair.sample;
        let Some(record) = self.records.next().transpose()? else {
            return Err(changed(
                &sample.shard,
                format!("{:?} is new since the first pass", sample.key),
            ));
        };
        if !record.names(&sample.key, &sample.shard)
            || record.facts.content != pair.evidence.facts.content
        {
            let why = format!("{:?} is not what the first pass read", record.key);
            return Err(changed(&record.shard, why));
        }
        Ok(self.bar.decide(sample, record.reason, record.facts))
    }

    fn noted(&mut self) -> Noted {
        self.bar.noted()
    }

    fn overruled(&mut self) {
        self.bar.overruled();
    }

    fn groups(&self) -> Option<&GroupBar> {
        self.bar.groups()
    }

    fn end(&mut self) -> Result<(), IoError> {
        let Some(record) = self.records.next().transpose()? else { return Ok(()) };
        Err(changed(&record.shard, format!("{:?} is gone since the first pass", record.key)))
    }
}

fn changed(shard: &str, why: String) -> IoError {
    IoError::Read { from: shard.to_owned(), why: io::Error::other(why) }
}
