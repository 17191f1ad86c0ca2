//! What a folder's journal has come to, entry by entry.

use std::path::Path;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::{Digest, Position};
use pairgate_core::stats::Counts;
use serde::{Deserialize, Serialize};

use super::stats::Share;
use crate::journal::{self, Closed, Dropped, Entry, Record};
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
    /// Pairs that were stored, those that are gone among them.
    pub stored: u64,
    /// Shards that were removed to make room, or for their age.
    pub gone: Gone,
}

/// Shards that are gone: the oldest ones, each of which the journal tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gone {
    /// How many.
    pub shards: u64,
    /// Pairs that were in them.
    pub pairs: u64,
    /// The number behind that of the last one.
    pub below: u32,
}

impl Gone {
    fn take(&mut self, dropped: Dropped) {
        self.shards += 1;
        self.pairs += dropped.samples;
        self.below = self.below.max(dropped.shard.saturating_add(1));
    }
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
            Entry::Dropped(dropped) => self.gone.take(*dropped),
            Entry::Epoch(_) | Entry::Unknown => {}
        }
    }

    fn take_record(&mut self, record: &Record) {
        let decision = record.decision();
        self.counts.add(&decision);
        self.share.add(&decision, record.verdict == Verdict::Kept && record.stored.is_none());
        self.next_ticket = self.next_ticket.max(record.ticket + 1);
        self.is_complete = false;
        self.stored += u64::from(record.stored.is_some());
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

    /// The number behind that of the last shard that a record so far may tell of.
    pub fn shards_end(&self) -> u32 {
        self.shard + u32::from(self.samples > 0)
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
    earlier: Earlier,
    stored: u64,
    gone: Gone,
}

/// What a checkpoint was before shards could be removed; it still begins so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Earlier {
    next_ticket: u64,
    counts: Vec<Count>,
    share: Vec<Count>,
    share_empty: u64,
    shard: u32,
    samples: u64,
    last: Option<Last>,
    is_complete: bool,
    /// What the decider had learnt.
    decider: Vec<u8>,
}

/// A verdict's code, a reason's, and how often they were given.
type Count = (u8, u8, u64);

impl Checkpoint {
    /// What stands in the checkpoint of a segment that begins now.
    pub fn new(ledger: &Ledger, decider: Vec<u8>) -> Self {
        let share = &ledger.share;
        let earlier = Earlier {
            next_ticket: ledger.next_ticket,
            counts: listed(&ledger.counts),
            share: listed(share.counts()),
            share_empty: share.empty(),
            shard: ledger.shard,
            samples: ledger.samples,
            last: ledger.last.clone(),
            is_complete: ledger.is_complete,
            decider,
        };
        Self { earlier, stored: ledger.stored, gone: ledger.gone }
    }

    /// The checkpoint beside a segment, also one of an earlier version; `None` where that is missing or
    /// damaged.
    pub fn beside(segment: &Path) -> Option<Self> {
        journal::checkpoint::<Self>(segment).or_else(|| {
            let earlier = journal::checkpoint::<Earlier>(segment)?;
            let stored = counted(&earlier.counts).total(Verdict::Kept);
            Some(Self { earlier, stored, gone: Gone::default() })
        })
    }

    /// What the decider had learnt.
    pub fn decider(&self) -> &[u8] {
        &self.earlier.decider
    }

    /// The ledger that it was made of.
    pub fn ledger(&self) -> Ledger {
        let earlier = &self.earlier;
        Ledger {
            next_ticket: earlier.next_ticket,
            counts: counted(&earlier.counts),
            share: Share::of(counted(&earlier.share), earlier.share_empty),
            shard: earlier.shard,
            samples: earlier.samples,
            last: earlier.last.clone(),
            is_complete: earlier.is_complete,
            stored: self.stored,
            gone: self.gone,
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
