//! What a folder's journal has come to, entry by entry.

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::{Digest, Position};
use pairgate_core::stats::Counts;
use serde::{Deserialize, Serialize};

use super::stats::Share;
use crate::journal::{Closed, Entry, Record};
use crate::source::Place;

/// The state of a folder that the entries so far lead to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    /// The next record's ticket.
    pub next_ticket: u64,
    /// How all pairs came out.
    pub counts: Counts,
    /// Those since the last shard was closed.
    pub share: Share,
    /// The number of the shard that is open, or is opened next.
    pub shard: u32,
    /// Samples in it.
    pub samples: u64,
    /// The pair that was decided last.
    pub last: Option<Last>,
    /// Whether the inputs were read to their end, and nothing was decided since.
    pub is_complete: bool,
}

/// The pair that was decided last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    position: Option<Position>,
    key: String,
    content: Digest,
}

impl Ledger {
    /// Takes the next entry.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Record(record) => self.take_record(record),
            Entry::Closed(closed) => self.close(*closed),
            Entry::End => self.is_complete = true,
            Entry::Epoch(_) | Entry::Unknown => {}
        }
    }

    fn take_record(&mut self, record: &Record) {
        let decision = record.decision();
        self.counts.add(&decision);
        self.share.add(&decision, record.verdict == Verdict::Kept && record.stored.is_none());
        self.next_ticket = self.next_ticket.max(record.ticket + 1);
        self.is_complete = false;
        if let Some(stored) = &record.stored
            && stored.shard >= self.shard
        {
            self.samples = if stored.shard > self.shard { 1 } else { self.samples + 1 };
            self.shard = stored.shard;
        }
        if !record.recovered {
            let position = Some(record.position);
            self.last =
                Some(Last { position, key: record.key.clone(), content: record.facts.content });
        }
    }

    fn close(&mut self, closed: Closed) {
        if closed.shard >= self.shard {
            (self.shard, self.samples) = (closed.shard + 1, 0);
        }
        self.share = Share::default();
    }

    /// Says that records so far tell of no places: they are of an earlier format.
    pub fn forget_position(&mut self) {
        if let Some(last) = &mut self.last {
            last.position = None;
        }
    }

    /// Where the inputs are read on.
    pub fn place(&self) -> Option<Place> {
        let Last { position, key, content } = self.last.clone()?;
        Some(Place { tickets: self.next_ticket, position, key, content })
    }
}

/// A checkpoint: the ledger before a segment, and the state of the decider there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    next_ticket: u64,
    counts: Vec<Count>,
    share: Vec<Count>,
    share_empty: u64,
    shard: u32,
    samples: u64,
    last: Option<Last>,
    is_complete: bool,
    /// What the decider had learnt.
    pub decider: Vec<u8>,
}

/// A verdict's code, a reason's, and how often they were given.
type Count = (u8, u8, u64);

impl Checkpoint {
    /// What stands in the checkpoint of a segment that begins now.
    pub fn new(ledger: &Ledger, decider: Vec<u8>) -> Self {
        let share = &ledger.share;
        Self {
            next_ticket: ledger.next_ticket,
            counts: listed(&ledger.counts),
            share: listed(share.counts()),
            share_empty: share.empty(),
            shard: ledger.shard,
            samples: ledger.samples,
            last: ledger.last.clone(),
            is_complete: ledger.is_complete,
            decider,
        }
    }

    /// The ledger that it was made of.
    pub fn ledger(&self) -> Ledger {
        Ledger {
            next_ticket: self.next_ticket,
            counts: counted(&self.counts),
            share: Share::of(counted(&self.share), self.share_empty),
            shard: self.shard,
            samples: self.samples,
            last: self.last.clone(),
            is_complete: self.is_complete,
        }
    }
}

fn listed(counts: &Counts) -> Vec<Count> {
    let of = |verdict: Verdict| {
        counts.reasons(verdict).map(move |(reason, count)| (verdict as u8, reason as u8, count))
    };
    Verdict::ALL.into_iter().flat_map(of).collect()
}

fn counted(list: &[Count]) -> Counts {
    let mut counts = Counts::default();
    for (verdict, reason, count) in list {
        let verdict = Verdict::ALL.get(usize::from(*verdict));
        if let (Some(verdict), Some(reason)) = (verdict, Reason::ALL.get(usize::from(*reason))) {
            counts.add_many(*verdict, *reason, *count);
        }
    }
    counts
}
