//! A score as lines and tables have it.

use pairgate_core::decision::{Facts, Reason, ReasonSet, Verdict};
use pairgate_core::pair::{Digest, Position, Size};

use crate::journal::Record;

/// What lines and tables tell of a pair, as text.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    pub uid: &'a str,
    pub key: &'a str,
    pub shard: &'a str,
    pub score: Option<f32>,
    pub reason: Option<&'a str>,
    pub sha256: Option<&'a str>,
    pub caption_length: u32,
    pub size: Size,
}

impl Row<'_> {
    /// The record with this ticket.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub fn record(&self, ticket: u64) -> Result<Record, String> {
        let Row { uid, key, shard, score, reason, sha256, caption_length, size } = *self;
        let uid = uid.parse().map_err(|_| format!("uid {uid:?} is not 32 hex digits"))?;
        let content: Option<Digest> = match sha256 {
            None => Some(Digest::default()),
            Some(text) => text.parse().ok(),
        };
        let content = content
            .ok_or_else(|| format!("sha256 {:?} is not 64 hex digits", sha256.unwrap_or("")))?;
        let found = match reason {
            None => Some(Reason::Passed),
            Some(name) => Reason::ALL.iter().copied().find(|reason| reason.name() == name),
        };
        let reason = found
            .ok_or_else(|| format!("reason {:?} is none of this version", reason.unwrap_or("")))?;
        let is_open = matches!(reason, Reason::Passed | Reason::LowSimilarity);
        if is_open && !score.is_some_and(f32::is_finite) {
            return Err("there is neither a score nor a reason why there is none".into());
        }
        Ok(Record {
            ticket,
            uid,
            key: key.to_owned(),
            shard: shard.to_owned(),
            position: Position::default(),
            verdict: Verdict::Kept,
            reason,
            facts: Facts { score, caption_length, size, content },
            image_bytes: 0,
            broken: ReasonSet::default(),
            stored: None,
            threshold: None,
            recovered: false,
            spooled: None,
            choice: None,
            group: None,
        })
    }
}
