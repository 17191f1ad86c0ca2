//! Rows of two runs, matched by uid.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::{Digest, Size, Uid};
use pairgate_core::policy;
use thiserror::Error;

use super::read::Rows;
use super::row::Row;
use crate::disk::IoError;
use crate::printable::printable_line;

/// Pairs that wait for their partner at most, of both runs together: about 1 GB.
pub const MOST_WAITING: usize = 8_000_000;

/// Why two runs cannot be compared.
#[derive(Debug, Error)]
pub enum JoinError {
    /// A run cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// No uid is in both.
    #[error("the two runs have no pair in common, by uid\n  first of each: {}", told(.0))]
    NothingInCommon(Box<[Option<Row>; 2]>),
    /// The orders differ by too much.
    #[error(
        "more than {0} pairs wait for their partner in the other run: they are in another order \
         there, or not at all. Compare the runs shard by shard"
    )]
    TooManyWait(usize),
    /// A share is wanted of no scores.
    #[error("{}: no pair was scored, so there is no share to keep", .0.display())]
    NoScores(PathBuf),
}

fn told(samples: &[Option<Row>; 2]) -> String {
    let one = |row: &Option<Row>| match row {
        None => "no pair".to_owned(),
        Some(row) => {
            printable_line(&format!("{} ({} in {})", row.uid, row.key, row.shard)).into_owned()
        }
    };
    format!("{}\n          and: {}", one(&samples[0]), one(&samples[1]))
}

/// What one run says of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Its score, where it has one.
    pub score: Option<f32>,
    /// Whether the score alone decides.
    pub is_pooled: bool,
}

impl Side {
    fn of(row: &Row) -> Self {
        Self {
            verdict: row.verdict,
            reason: row.reason,
            score: row.facts.score.filter(|score| score.is_finite()),
            is_pooled: policy::pooled_score(row.reason, &row.facts).is_some(),
        }
    }
}

/// A pair that is in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The sample's identity.
    pub uid: Uid,
    /// Its key in its source.
    pub key: String,
    /// Where it came from.
    pub shard: String,
    /// SHA-256 of its picture's file; zeros where that is not known.
    pub content: Digest,
    /// Of the picture.
    pub size: Size,
    /// Characters of the caption.
    pub caption_length: u32,
    /// What the two runs say.
    pub sides: [Side; 2],
}

/// Takes what a join finds.
pub trait Matched {
    /// A pair that is in both runs.
    fn both(&mut self, pair: Pair);
    /// A pair that is in one run alone: 0 the earlier, 1 the later.
    fn only(&mut self, run: usize, side: Side);
    /// Each row as it is read, before it is matched.
    fn read(&mut self, _run: usize, _row: &Row) {}
}

/// Gives each pair of the two runs to `to`, while at most `most` wait for their partner. A uid that comes
/// several times is matched in the order in which it comes.
///
/// # Errors
/// [`JoinError`]: a run cannot be read, or too many pairs wait.
pub fn join(runs: &mut [Rows; 2], most: usize, to: &mut dyn Matched) -> Result<(), JoinError> {
    let mut waiting = [Waiting::default(), Waiting::default()];
    let mut has_ended = [false; 2];
    while !has_ended.iter().all(|ended| *ended) {
        let mut fresh = [None, None];
        for run in [0, 1] {
            fresh[run] = if has_ended[run] { None } else { runs[run].next().transpose()? };
            has_ended[run] = fresh[run].is_none();
            if let Some(row) = &fresh[run] {
                to.read(run, row);
            }
        }
        let [old, new] = fresh;
        match (old, new) {
            (Some(old), Some(new))
                if old.uid == new.uid && waiting.iter().all(|w| !w.has(&old.uid)) =>
            {
                to.both(pair(&new, Side::of(&old), old.facts.content, 1));
            }
            (old, new) => {
                for (run, row) in [(0, old), (1, new)] {
                    let Some(row) = row else { continue };
                    match waiting[1 - run].take(&row.uid) {
                        Some(other) => to.both(pair(&row, other.side, other.content, run)),
                        None if has_ended[1 - run] => to.only(run, Side::of(&row)),
                        None => waiting[run].add(&row),
                    }
                }
            }
        }
        if waiting[0].count + waiting[1].count > most {
            return Err(JoinError::TooManyWait(most));
        }
    }
    for (run, waiting) in waiting.iter().enumerate() {
        waiting.all().for_each(|waits| to.only(run, waits.side));
    }
    Ok(())
}

/// A pair of a row that has its names, of the run numbered `run`, and of what the other run says.
fn pair(row: &Row, other: Side, content: Digest, run: usize) -> Pair {
    let own = Side::of(row);
    let is_known = row.facts.content != Digest::default();
    Pair {
        uid: row.uid,
        key: row.key.clone(),
        shard: row.shard.clone(),
        content: if is_known { row.facts.content } else { content },
        size: row.facts.size,
        caption_length: row.facts.caption_length,
        sides: if run == 0 { [own, other] } else { [other, own] },
    }
}

/// What is held of a row until its partner comes.
#[derive(Debug, Clone, Copy)]
struct Waits {
    side: Side,
    content: Digest,
}

/// Rows of one run without a partner so far.
#[derive(Debug, Default)]
struct Waiting {
    /// The first of each uid.
    first: HashMap<Uid, Waits>,
    /// Further ones of the same uid, in their order.
    more: HashMap<Uid, VecDeque<Waits>>,
    count: usize,
}

impl Waiting {
    fn has(&self, uid: &Uid) -> bool {
        self.count > 0 && self.first.contains_key(uid)
    }

    fn add(&mut self, row: &Row) {
        let waits = Waits { side: Side::of(row), content: row.facts.content };
        self.count += 1;
        match self.first.entry(row.uid) {
            Entry::Vacant(place) => {
                place.insert(waits);
            }
            Entry::Occupied(_) => self.more.entry(row.uid).or_default().push_back(waits),
        }
    }

    fn take(&mut self, uid: &Uid) -> Option<Waits> {
        if self.count == 0 {
            return None;
        }
        let found = self.first.remove(uid)?;
        self.count -= 1;
        if let Some(more) = self.more.get_mut(uid) {
            self.first.extend(more.pop_front().map(|next| (*uid, next)));
            if more.is_empty() {
                self.more.remove(uid);
            }
        }
        Some(found)
    }

    fn all(&self) -> impl Iterator<Item = &Waits> {
        self.first.values().chain(self.more.values().flatten())
    }
}
