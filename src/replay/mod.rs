//! Decisions again, from what a journal recorded of them.

pub mod scores;
mod thresholds;

use pairgate_core::decision::{Class, Decision, Reason, Verdict};
use pairgate_core::policy::{self, OnError, Policy};

use crate::disk::IoError;
use crate::journal::{Record, Terms};
use crate::sink::{Judged, RunEnd, Sink};

pub use thresholds::RecordedThresholds;

/// How many pairs went from each verdict to each, and some of those whose verdict changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Confusion {
    counts: [[u64; 3]; 3],
    /// Changed pairs: at most so many for each pair of verdicts.
    most: usize,
    examples: Vec<Example>,
}

/// A pair whose verdict changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The verdict before.
    pub old: Verdict,
    /// The verdict now.
    pub new: Verdict,
    /// What was recorded.
    pub record: Record,
}

impl Confusion {
    /// An empty table that keeps at most `most` examples of each change.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Counts a pair that was `record` and is now decided as `new`.
    pub fn add(&mut self, record: &Record, new: Verdict) {
        let old = record.verdict;
        let count = self.count_one(old, new);
        if old != new && count <= self.most as u64 {
            self.examples.push(Example { old, new, record: record.clone() });
        }
    }

    /// Counts a pair that was `old` and is now `new`, and gives how many such there are.
    pub fn count_one(&mut self, old: Verdict, new: Verdict) -> u64 {
        let count = &mut self.counts[old as usize][new as usize];
        *count += 1;
        *count
    }

    /// Pairs that were `old` and are now `new`.
    pub fn count(&self, old: Verdict, new: Verdict) -> u64 {
        self.counts[old as usize][new as usize]
    }

    /// Pairs whose verdict changed.
    pub fn changed(&self) -> u64 {
        let all: u64 = self.counts.iter().flatten().sum();
        all - Verdict::ALL.into_iter().map(|verdict| self.count(verdict, verdict)).sum::<u64>()
    }

    /// Pairs that are now `new`.
    pub fn now(&self, new: Verdict) -> u64 {
        Verdict::ALL.into_iter().map(|old| self.count(old, new)).sum()
    }

    /// Examples, in the journals' order.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }
}

/// The score that a share of the pool is taken by.
pub fn pooled_score(record: &Record) -> Option<f32> {
    policy::pooled_score(record.reason, &record.facts)
}

/// The policy that gave a record its verdict, as far as it shows: the journal's terms do not say what
/// became of pairs that could not be judged, the record does.
pub fn recorded_policy(terms: &Terms, record: &Record) -> Policy {
    let kept_fault = record.verdict == Verdict::Kept && record.reason.class() == Class::Faulty;
    let on_error = if kept_fault { OnError::Keep } else { OnError::Drop };
    Policy { threshold: record.threshold.or(terms.threshold), on_error }
}

/// What differs between a recorded decision and one made now.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The pair's key and shard.
    pub name: String,
    /// What was recorded, and what is so now.
    pub what: String,
}

/// Compares two decisions on a pair, scores by their bits.
pub fn difference(record: &Record, now: &Decision) -> Option<Difference> {
    let was = record.decision();
    let bits = |decision: &Decision| decision.facts.score.map(f32::to_bits);
    let what = if bits(&was) != bits(now) {
        format!("score {} is now {}", told(was.facts.score), told(now.facts.score))
    } else if (was.verdict, was.reason) != (now.verdict, now.reason) {
        format!("{} is now {}", was.reason, now.reason)
    } else if was.facts.content != now.facts.content {
        "it is another picture now".to_owned()
    } else if (was.facts.size, was.facts.caption_length)
        != (now.facts.size, now.facts.caption_length)
    {
        "its size or its caption's length is another now".to_owned()
    } else {
        return None;
    };
    Some(Difference { name: format!("{} in {}", record.key, record.shard), what })
}

fn told(score: Option<f32>) -> String {
    score.map_or("none".to_owned(), |score| score.to_string())
}

/// The decision where the threshold is the record's own: one that was followed moves, and a gate does
/// not know where it was then.
fn as_recorded(record: &Record, decision: &Decision) -> Decision {
    match (record.threshold, decision.reason) {
        (Some(_), Reason::Passed | Reason::LowSimilarity) => {
            let policy = Policy { threshold: record.threshold, on_error: OnError::Drop };
            policy.decide_again(decision.reason, decision.facts)
        }
        _ => *decision,
    }
}

/// Takes decisions that are made anew and compares each with the next record of a journal.
pub struct VerifySink<I> {
    records: I,
    first_ticket: u64,
    read: u64,
    /// Pairs compared.
    pub compared: u64,
    /// Pairs that differ.
    pub different: u64,
    /// The first differences.
    pub first: Vec<Difference>,
    most: usize,
}

impl<I: Iterator<Item = Result<Record, IoError>>> VerifySink<I> {
    /// A sink that compares with `records`, and keeps at most `most` differences.
    pub fn new(records: I, most: usize) -> Self {
        let (first_ticket, read) = (0, 0);
        Self { records, first_ticket, read, compared: 0, different: 0, first: Vec::new(), most }
    }

    /// The same for a journal whose first segments were removed: its first record is that of the pair
    /// with this ticket.
    pub fn from_ticket(self, first_ticket: u64) -> Self {
        Self { first_ticket, ..self }
    }

    fn note(&mut self, difference: Difference) {
        self.different += 1;
        if self.first.len() < self.most {
            self.first.push(difference);
        }
    }
}

impl<I: Iterator<Item = Result<Record, IoError>> + Send> Sink for VerifySink<I> {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.read += 1;
        if self.read <= self.first_ticket {
            return Ok(());
        }
        self.compared += 1;
        let name = || format!("{} in {}", judged.sample.key, judged.sample.shard);
        match self.records.next().transpose()? {
            None => {
                self.note(Difference { name: name(), what: "it is not in the journal".into() });
            }
            Some(record) if !record.names(&judged.sample.key, &judged.sample.shard) => {
                let what = format!("the journal has {} in {} there", record.key, record.shard);
                self.note(Difference { name: name(), what });
            }
            Some(record) => {
                let now = as_recorded(&record, &judged.decision);
                if let Some(found) = difference(&record, &now) {
                    self.note(found);
                }
            }
        }
        Ok(())
    }

    /// Records that no pair came for differ too.
    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        while let Some(record) = self.records.next().transpose()? {
            let name = format!("{} in {}", record.key, record.shard);
            self.note(Difference { name, what: "the source has no such pair".into() });
        }
        Ok(())
    }
}
