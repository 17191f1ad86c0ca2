//! A pair as a frame's payload.
//!
//! ```text
//! payload = the postcard encoding of (shard, key, fault's code, [(extension, length)], note), then the
//!           members' bytes, one after the other
//! ```
//! The note is what whoever handed the pair in adds to it.

use std::sync::Arc;

use pairgate_core::decision::Reason;
use serde::{Deserialize, Serialize};

use crate::source::{Member, Sample};

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    shard: &'a str,
    key: &'a str,
    fault: Option<u8>,
    #[serde(borrow)]
    members: Vec<(&'a str, u64)>,
    note: &'a [u8],
}

/// The payload of a sample with a note.
pub fn write_pair(sample: &Sample, note: &[u8]) -> Vec<u8> {
    let lengths = sample.members.iter().map(|m| (m.extension.as_str(), m.data.len() as u64));
    let head = Head {
        shard: &sample.shard,
        key: &sample.key,
        fault: sample.fault.map(|fault| fault as u8),
        members: lengths.collect(),
        note,
    };
    // Into memory nothing fails.
    let mut payload = postcard::to_allocvec(&head).unwrap_or_default();
    payload.reserve_exact(sample.bytes() as usize);
    sample.members.iter().for_each(|member| payload.extend_from_slice(&member.data));
    payload
}

/// The sample and the note in a payload; `None` where it is none, or of a later version.
pub fn read_pair(payload: &[u8]) -> Option<(Sample, Vec<u8>)> {
    let (head, mut data) = postcard::take_from_bytes::<Head<'_>>(payload).ok()?;
    let fault = match head.fault {
        Some(code) => Some(*Reason::ALL.get(usize::from(code))?),
        None => None,
    };
    let mut members = Vec::with_capacity(head.members.len());
    for (extension, length) in head.members {
        let (own, rest) = data.split_at_checked(usize::try_from(length).ok()?)?;
        members.push(Member { extension: extension.to_owned(), data: own.to_vec() });
        data = rest;
    }
    let (shard, key) = (Arc::from(head.shard), head.key.to_owned());
    data.is_empty().then(|| (Sample { shard, key, members, fault }, head.note.to_vec()))
}
