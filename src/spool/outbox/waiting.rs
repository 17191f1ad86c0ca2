//! A decided pair as a frame's payload.
//!
//! ```text
//! payload = as of a pair that waits for its decision; rejected and failed pairs without members
//! note    = the postcard encoding of (the terms that decided, the bytes of the journal's record)
//! ```
//! Each frame tells who decided: no other one is needed to understand it.

use pairgate_core::decision::Verdict;

use crate::journal::{Record, Terms};
use crate::source::Sample;
use crate::spool::{read_pair, write_pair};
use crate::store::{Judged, record_of};

/// Bytes of a payload beside a sample's own, at most: terms name every setting that is not the default.
const BESIDE: u64 = 16 << 10;

/// A decided pair that waits for its output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    /// The pair; one that is not kept has no members.
    pub judged: Judged,
    /// What the journal is told of it.
    pub record: Record,
    /// What decided.
    pub terms: Terms,
}

/// The payload of a decided pair, and its record.
pub(super) fn write(judged: &Judged, terms: &Terms) -> (Vec<u8>, Record) {
    let record = record_of(judged);
    // Into memory nothing fails.
    let note = postcard::to_allocvec(&(terms, record.to_bytes())).unwrap_or_default();
    let payload = match judged.decision.verdict {
        Verdict::Kept => write_pair(&judged.sample, &note),
        Verdict::Rejected | Verdict::Failed => write_pair(&bare(&judged.sample), &note),
    };
    (payload, record)
}

/// The decided pair in a payload; `None` where there is none.
pub(super) fn read(payload: &[u8]) -> Option<Waiting> {
    let (sample, note) = read_pair(payload)?;
    let (terms, record) = postcard::from_bytes::<(Terms, Vec<u8>)>(&note).ok()?;
    let record = Record::from_bytes(&record)?;
    let judged = Judged {
        ticket: record.ticket,
        position: record.position,
        sample,
        uid: record.uid,
        decision: record.decision(),
        broken: record.broken,
        threshold: record.threshold,
        embeddings: None,
        choice: record.choice.clone(),
        group: record.group.as_deref().map(Into::into),
    };
    Some(Waiting { judged, record, terms })
}

/// The sample without its members.
pub(super) fn bare(sample: &Sample) -> Sample {
    let Sample { shard, key, fault, members: _ } = sample;
    Sample { shard: shard.clone(), key: key.clone(), fault: *fault, members: Vec::new() }
}

/// Bytes that a sample's frame takes at most.
pub(super) fn frame_bytes(sample: &Sample) -> u64 {
    let names = sample.members.iter().map(|member| member.extension.len() + 16).sum::<usize>();
    sample.bytes() + (2 * (sample.key.len() + sample.shard.len()) + names) as u64 + BESIDE
}
