//! Decisions from scores that were made beforehand for the same pairs.
//!
//! Each pair must be one that was scored: of the same key, shard, uid and image. As long as pairs come in
//! the order of the scores nothing is held. From the first pair on that does not, all scores are looked
//! up by uid, which takes [`ENTRY_BYTES`] for each of them.

mod index;

use std::io;
use std::path::PathBuf;

use pairgate_core::decision::{Decision, Reason};

use super::groups::{Bar, GroupBar};
use super::{Decider, Examined, Noted};
use crate::disk::IoError;
use crate::journal::{Reader, Record};

pub use index::ENTRY_BYTES;
use index::{Found, Index};

/// Scored pairs that are looked up at most: 8 GB of them.
pub const MOST: u64 = 100_000_000;

/// What to do where a pair was not scored.
const SCORE_IT: &str = "score these inputs again, or give those that were scored";

/// An iterator over recorded scores.
pub type Records = Box<dyn Iterator<Item = Result<Record, IoError>> + Send>;

/// Scores that can be gone over again.
pub trait Scores: Send {
    /// All of them, in their order.
    ///
    /// # Errors
    /// [`IoError::Read`] if they cannot be read.
    fn open(&self) -> Result<Records, IoError>;
}

/// What scores are matched with.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// Whether there may be scores of pairs that do not come.
    pub is_part: bool,
    /// Pairs that an earlier part of the run has decided, and the journal that tells of them.
    pub decided: Option<(u64, PathBuf)>,
    /// Bytes that looking up may take; 0: no bound but [`MOST`].
    pub most_bytes: u64,
}

/// Decides by scores that were made for the same pairs.
pub struct Matched<S> {
    scores: S,
    matching: Matching,
    bar: Bar,
    order: Order,
}

enum Order {
    /// Pairs come as they were scored; `taken` is the number of scores before the next one.
    Same {
        records: Records,
        taken: u64,
    },
    Any(Index),
}

impl<S: Scores> Matched<S> {
    /// Decides by `bar`.
    ///
    /// # Errors
    /// Those of the scores.
    pub fn new(scores: S, matching: Matching, bar: Bar) -> Result<Self, IoError> {
        let taken = matching.decided.as_ref().map_or(0, |(count, _)| *count);
        let mut records = scores.open()?;
        for record in records.by_ref().take(usize::try_from(taken).unwrap_or(usize::MAX)) {
            record?;
        }
        Ok(Self { scores, matching, bar, order: Order::Same { records, taken } })
    }

    /// What decided.
    pub fn bar(&self) -> &Bar {
        &self.bar
    }

    /// Whether pairs came in another order than that of the scores.
    pub fn is_reordered(&self) -> bool {
        matches!(self.order, Order::Any(_))
    }

    fn find(&mut self, pair: &Examined) -> Result<Found, IoError> {
        if let Order::Same { records, taken } = &mut self.order {
            let record = records.next().transpose()?;
            if let Some(record) = record.filter(|record| is_of(record, pair)) {
                *taken += 1;
                return Ok(Found { reason: record.reason, facts: record.facts });
            }
            let taken = *taken;
            self.order = Order::Any(self.index(taken)?);
        }
        let Order::Any(index) = &mut self.order else {
            return Err(unlike(pair, "it was not scored", SCORE_IT));
        };
        index.find(pair)
    }

    /// All scores; those up to `taken` have had their pairs.
    fn index(&self, taken: u64) -> Result<Index, IoError> {
        let most = match self.matching.most_bytes {
            0 => MOST,
            bytes => (bytes / ENTRY_BYTES).min(MOST),
        };
        let (before, journal) = match &self.matching.decided {
            Some((before, journal)) => (*before, Some(journal)),
            None => (0, None),
        };
        let mut index = Index::of(self.scores.open()?, before..taken, most)?;
        if let Some(journal) = journal {
            // No further: behind them the journal is being written.
            for record in Reader::open(journal)? {
                let record = record?;
                index.had(&record);
                if record.ticket + 1 >= before {
                    break;
                }
            }
        }
        let mebibytes = index.bytes().div_ceil(1 << 20);
        log::info!(
            "the pairs do not come in the order of their scores: they are looked up by uid, in {mebibytes} MiB"
        );
        Ok(index)
    }
}

/// Whether a record tells of this pair.
fn is_of(record: &Record, pair: &Examined) -> bool {
    record.uid == pair.uid
        && record.names(&pair.sample.key, &pair.sample.shard)
        && record.facts.content == pair.evidence.facts.content
}

impl<S: Scores> Decider for Matched<S> {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        let Found { mut reason, mut facts } = self.find(pair)?;
        // What a state said of it then is decided anew, as the threshold is.
        if reason.is_of_selection() {
            reason = Reason::Passed;
        }
        facts.content = pair.evidence.facts.content;
        Ok(self.bar.decide(&pair.sample, reason, facts))
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
        if self.matching.is_part {
            return Ok(());
        }
        let left = match &mut self.order {
            Order::Same { records, .. } => records.next().transpose()?,
            Order::Any(index) => {
                let mut left = None;
                if index.has_left() {
                    for record in self.scores.open()? {
                        let record = record?;
                        if index.is_left(&record) {
                            left = Some(record);
                            break;
                        }
                    }
                }
                left
            }
        };
        let Some(record) = left else { return Ok(()) };
        let why = format!(
            "{:?} was scored and is not among the sources: give all sources that were scored, or --part \
             where they are meant to be a part of them",
            record.key
        );
        Err(IoError::Read { from: record.shard, why: io::Error::other(why) })
    }
}

/// What is wrong with a pair.
fn unlike(pair: &Examined, why: &str, what_to_do: &str) -> IoError {
    let why = format!("{:?}: {why}: {what_to_do}", pair.sample.key);
    IoError::Read { from: pair.sample.shard.to_string(), why: io::Error::other(why) }
}
