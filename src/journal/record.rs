//! One decision, as it is written and as it is read back.

use std::borrow::Cow;

use pairgate_core::decision::{Decision, Facts, Reason, ReasonSet, Verdict};
use pairgate_core::pair::{Digest, Position, Size, Uid};
use pairgate_core::wire;
use serde::{Deserialize, Serialize};

/// Longest key and longest shard name in a record, in bytes; what is longer is cut between two
/// characters. The uid still tells such samples apart.
pub const MAX_NAME: usize = 4096;

/// Note: the pair was found stored without a record; the record tells where, and what the sample says
/// of itself.
const RECOVERED: u8 = 1;
/// Note: the decision came through a spool; the value is the spool's number and the ticket there, as
/// postcard encodes a [`Position`].
const SPOOLED: u8 = 2;
/// Note: methods selected; the value is a [`Choice`] as postcard encodes it.
const CHOICE: u8 = 3;
/// Note: the group that a field of its metadata puts the pair in; the value is the group's name, at most
/// [`MAX_GROUP`] bytes of it.
const GROUP: u8 = 4;

/// Longest name of a group, in bytes.
pub const MAX_GROUP: usize = 256;

/// Where a kept pair is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The shard's number.
    pub shard: u32,
    /// The sample's key there.
    pub key: String,
    /// CRC-32C of its members but the image, each behind its length; not known of earlier formats.
    pub check: Option<u32>,
}

/// What a decision of selection methods rested on, beside the score.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Choice {
    /// What each pure scorer of the state gave, in their order; NaN where it has none.
    pub measures: Vec<f32>,
    /// The concept cluster or the source that the pair was counted in, by its number in the state.
    pub group: Option<u32>,
    /// Ticket of the earlier pair that this one is like.
    pub like: Option<u64>,
    /// Codes of reasons that speak against the pair and decide nothing.
    pub flags: Vec<u8>,
    /// What a decider that goes on takes in of the pair, in its own encoding; empty where that is nothing.
    pub learnt: Vec<u8>,
}

impl Choice {
    /// The names of the reasons in [`flags`](Self::flags); `unknown` of those of a later version.
    pub fn flag_names(&self) -> Vec<&'static str> {
        let name = |code: &u8| Reason::ALL.get(usize::from(*code)).map_or("unknown", |r| r.name());
        self.flags.iter().map(name).collect()
    }
}

/// One decision of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The pair's place among all of the run, from 0.
    pub ticket: u64,
    /// The sample's identity.
    pub uid: Uid,
    /// The sample's key in its source, at most [`MAX_NAME`] bytes of it.
    pub key: String,
    /// The shard, folder or manifest that it came from, at most [`MAX_NAME`] bytes of it.
    pub shard: String,
    /// Its place in the inputs; not known of formats 1 and 2.
    pub position: Position,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What was measured.
    pub facts: Facts,
    /// Bytes of the stored image file; 0 where there is none, or the format does not tell.
    pub image_bytes: u64,
    /// Every rule that it breaks, as far as its path went.
    pub broken: ReasonSet,
    /// Where it is stored, if it is.
    pub stored: Option<Stored>,
    /// Lowest score that passed then, where the threshold moves; else it is the header's.
    pub threshold: Option<f32>,
    /// Whether the record was made of a sample that was found stored without one.
    pub recovered: bool,
    /// Where the decision comes from, if it waited in a spool: the spool's number, and the ticket that it
    /// has there.
    pub spooled: Option<Position>,
    /// What it rested on beside the score, where methods selected.
    pub choice: Option<Box<Choice>>,
    /// The group that a field of its metadata puts it in, where groups have thresholds of their own.
    pub group: Option<String>,
}

impl Record {
    /// The decision that the record holds.
    pub fn decision(&self) -> Decision {
        Decision { verdict: self.verdict, reason: self.reason, facts: self.facts }
    }

    /// The record's bytes, as they are in a journal's entry.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Into memory nothing fails.
        postcard::to_allocvec(&RecordBytes::from(self)).unwrap_or_default()
    }

    /// The record of these bytes; `None` where they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes::<RecordBytes<'_>>(bytes).ok().map(Self::from)
    }

    /// Whether the record tells of a sample with this key, from this shard.
    pub fn names(&self, key: &str, shard: &str) -> bool {
        self.key == cut(key, MAX_NAME) && self.shard == cut(shard, MAX_NAME)
    }

    /// What a record of an earlier format tells; `ticket` is its place.
    pub(super) fn earlier(record: wire::Record<'_>, threshold: Option<f32>, ticket: u64) -> Self {
        let wire::Record { uid, key, shard, verdict, reason, facts } = record;
        Self {
            ticket,
            uid,
            key: key.to_owned(),
            shard: shard.to_owned(),
            position: Position::default(),
            verdict,
            reason,
            facts,
            image_bytes: 0,
            broken: ReasonSet::default(),
            stored: None,
            threshold,
            recovered: false,
            spooled: None,
            choice: None,
            group: None,
        }
    }
}

/// A record's bytes: the fields in this order, by postcard. Fields are added at the end.
#[derive(Serialize, Deserialize)]
pub(super) struct RecordBytes<'a> {
    ticket: u64,
    uid: Uid,
    key: &'a str,
    shard: &'a str,
    position: Position,
    verdict: Verdict,
    reason: Reason,
    /// Scores of all stages that ran, the deciding one last.
    scores: Cow<'a, [f32]>,
    /// Of the caption alone: nothing scores it yet.
    caption_score: Option<f32>,
    size: Size,
    caption_length: u32,
    image_bytes: u64,
    content: Digest,
    /// Codes of the broken rules.
    broken: Cow<'a, [u8]>,
    stored: Option<StoredBytes<'a>>,
    threshold: Option<f32>,
    /// Tagged notes, each a tag, the length of its value and the value: a reader passes over tags
    /// that it does not know.
    notes: Cow<'a, [u8]>,
}

#[derive(Serialize, Deserialize)]
struct StoredBytes<'a> {
    shard: u32,
    /// `None` where it is the source's.
    key: Option<&'a str>,
    check: Option<u32>,
}

impl<'a> From<&'a Record> for RecordBytes<'a> {
    fn from(record: &'a Record) -> Self {
        let Facts { score, caption_length, size, content } = record.facts;
        let key = cut(&record.key, MAX_NAME);
        let stored = record.stored.as_ref().map(|stored| StoredBytes {
            shard: stored.shard,
            key: (stored.key != key).then_some(stored.key.as_str()),
            check: stored.check,
        });
        Self {
            ticket: record.ticket,
            uid: record.uid,
            key,
            shard: cut(&record.shard, MAX_NAME),
            position: record.position,
            verdict: record.verdict,
            reason: record.reason,
            scores: score.into_iter().collect(),
            caption_score: None,
            size,
            caption_length,
            image_bytes: record.image_bytes,
            content,
            broken: record.broken.iter().map(|reason| reason as u8).collect(),
            stored,
            threshold: record.threshold,
            notes: notes_of(record).into(),
        }
    }
}

impl From<RecordBytes<'_>> for Record {
    fn from(bytes: RecordBytes<'_>) -> Self {
        let reason = |code: &u8| Reason::ALL.get(*code as usize).copied();
        let stored = bytes.stored.as_ref().map(|stored| Stored {
            shard: stored.shard,
            key: stored.key.unwrap_or(bytes.key).to_owned(),
            check: stored.check,
        });
        Self {
            ticket: bytes.ticket,
            uid: bytes.uid,
            key: bytes.key.to_owned(),
            shard: bytes.shard.to_owned(),
            position: bytes.position,
            verdict: bytes.verdict,
            reason: bytes.reason,
            facts: Facts {
                score: bytes.scores.last().copied(),
                caption_length: bytes.caption_length,
                size: bytes.size,
                content: bytes.content,
            },
            image_bytes: bytes.image_bytes,
            broken: bytes.broken.iter().filter_map(reason).collect(),
            stored,
            threshold: bytes.threshold,
            recovered: note(&bytes.notes, RECOVERED).is_some(),
            spooled: note(&bytes.notes, SPOOLED).and_then(|value| postcard::from_bytes(value).ok()),
            choice: note(&bytes.notes, CHOICE).and_then(|value| postcard::from_bytes(value).ok()),
            group: note(&bytes.notes, GROUP)
                .and_then(|value| Some(std::str::from_utf8(value).ok()?.to_owned())),
        }
    }
}

/// The notes of a record, one after the other.
fn notes_of(record: &Record) -> Vec<u8> {
    let mut notes = Vec::new();
    if record.recovered {
        add_note(&mut notes, RECOVERED, &[]);
    }
    // Into memory nothing fails.
    if let Some(Ok(value)) = record.spooled.map(|place| postcard::to_allocvec(&place)) {
        add_note(&mut notes, SPOOLED, &value);
    }
    if let Some(Ok(value)) = record.choice.as_ref().map(postcard::to_allocvec) {
        add_note(&mut notes, CHOICE, &value);
    }
    if let Some(group) = &record.group {
        add_note(&mut notes, GROUP, cut(group, MAX_GROUP).as_bytes());
    }
    notes
}

fn add_note(notes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    notes.push(tag);
    notes.extend(postcard::to_allocvec(&value).unwrap_or_default());
}

/// The value of the first note with this tag.
fn note(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    notes(bytes).find(|(other, _)| *other == tag).map(|(_, value)| value)
}

/// The notes' tags and values, up to where they are not whole.
fn notes(notes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> + '_ {
    let mut rest = notes;
    std::iter::from_fn(move || {
        let (tag, behind) = rest.split_first()?;
        let (length, behind) = postcard::take_from_bytes::<u32>(behind).ok()?;
        let value = behind.get(..length as usize)?;
        rest = &behind[value.len()..];
        Some((*tag, value))
    })
}

/// The longest part of `text` from its begin that has at most `bytes` bytes.
pub fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
