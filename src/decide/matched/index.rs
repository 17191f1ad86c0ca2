//! Scores, looked up by the uids of their pairs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Range;

use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::{Digest, Size, Uid};

use super::{Records, SCORE_IT, unlike};
use crate::decide::Examined;
use crate::disk::IoError;
use crate::journal::{MAX_NAME, Record, cut};

/// Bytes that a score takes.
pub const ENTRY_BYTES: u64 = size_of::<Entry>() as u64;

// As the documentation has it.
const _: () = assert!(ENTRY_BYTES == 80);

/// What was recorded of a pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub reason: Reason,
    pub facts: Facts,
}

/// A score.
#[derive(Debug, Clone, Copy)]
struct Entry {
    uid: Uid,
    /// Of key and shard.
    name: u64,
    content: Digest,
    score: Option<f32>,
    caption_length: u32,
    size: Size,
    reason: Reason,
    /// Whether its pair has come.
    is_had: bool,
}

/// All scores, sorted by uid and name.
pub(super) struct Index {
    entries: Vec<Entry>,
}

impl Index {
    /// Takes all of `records`; those with a place in `had` have had their pairs.
    ///
    /// # Errors
    /// Those of the records, more than `most` of them, and two that say different things of one pair.
    pub fn of(records: Records, had: Range<u64>, most: u64) -> Result<Self, IoError> {
        let mut entries = Vec::new();
        for (place, record) in (0_u64..).zip(records) {
            let record = record?;
            if place >= most {
                let why = format!(
                    "the pairs do not come in the order of their scores, and more than {most} scores are \
                     too many to look up: bring the sources, or the scores, into one order"
                );
                return Err(IoError::Read {
                    from: "the scores".into(),
                    why: io::Error::other(why),
                });
            }
            entries.push(Entry { is_had: had.contains(&place), ..Entry::of(&record) });
        }
        // Of equal ones the one whose pair has come goes first, and stands for all.
        entries.sort_by_key(|entry| (entry.uid, entry.name, !entry.is_had));
        let is_told_twice =
            |one: &Entry, other: &Entry| one.place() == other.place() && !one.says_the_same(other);
        let twice = entries.windows(2).find(|pair| is_told_twice(&pair[0], &pair[1]));
        if let Some(one) = twice.and_then(<[_]>::first) {
            let why =
                format!("the pair with the uid {} is there twice, with different scores", one.uid);
            return Err(IoError::Read { from: "the scores".into(), why: io::Error::other(why) });
        }
        entries.dedup_by_key(|entry| entry.place());
        Ok(Self { entries })
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> u64 {
        self.entries.len() as u64 * ENTRY_BYTES
    }

    /// What was recorded of a pair.
    ///
    /// # Errors
    /// [`IoError::Read`] that says how the pair differs from what was scored.
    pub fn find(&mut self, pair: &Examined) -> Result<Found, IoError> {
        let (content, name) =
            (pair.evidence.facts.content, name_of(&pair.sample.key, &pair.sample.shard));
        if let Some(entry) = self.entry(pair.uid, name).filter(|entry| entry.content == content) {
            entry.is_had = true;
            return Ok(entry.found());
        }
        let named = self.entries.iter().find(|entry| entry.name == name);
        let why = match named {
            Some(entry) if entry.content != content => "its image is another one than was scored",
            Some(_) => "its caption, or the uid in its metadata, is another one than was scored",
            None if self.has_uid(pair.uid) => {
                let why = "it was scored under another name (key and shard)";
                let what_to_do = "name the sources as they were named when they were scored";
                return Err(unlike(pair, why, what_to_do));
            }
            None => "it was not scored",
        };
        Err(unlike(pair, why, SCORE_IT))
    }

    /// Takes note of a pair that was decided earlier.
    pub fn had(&mut self, record: &Record) {
        if let Some(entry) = self.entry(record.uid, name_of(&record.key, &record.shard)) {
            entry.is_had = true;
        }
    }

    /// Whether there are scores whose pairs have not come.
    pub fn has_left(&self) -> bool {
        self.entries.iter().any(|entry| !entry.is_had)
    }

    /// Whether this is one of them.
    pub fn is_left(&mut self, record: &Record) -> bool {
        let entry = self.entry(record.uid, name_of(&record.key, &record.shard));
        entry.is_some_and(|entry| !entry.is_had)
    }

    fn entry(&mut self, uid: Uid, name: u64) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&(uid, name), Entry::place).ok()?;
        self.entries.get_mut(place)
    }

    fn has_uid(&self, uid: Uid) -> bool {
        self.entries.binary_search_by_key(&uid, |entry| entry.uid).is_ok()
    }
}

impl Entry {
    fn of(record: &Record) -> Self {
        let Facts { score, caption_length, size, content } = record.facts;
        let name = name_of(&record.key, &record.shard);
        let (uid, reason) = (record.uid, record.reason);
        Self { uid, name, content, score, caption_length, size, reason, is_had: false }
    }

    fn place(&self) -> (Uid, u64) {
        (self.uid, self.name)
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let bits = |entry: &Self| entry.score.map(f32::to_bits);
        (self.content, self.reason, bits(self)) == (other.content, other.reason, bits(other))
    }

    fn found(&self) -> Found {
        let Self { content, score, caption_length, size, reason, .. } = *self;
        Found { reason, facts: Facts { score, caption_length, size, content } }
    }
}

/// A number for a key and a shard, as far as records have them.
fn name_of(key: &str, shard: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    (cut(key, MAX_NAME), cut(shard, MAX_NAME)).hash(&mut hash);
    hash.finish()
}
