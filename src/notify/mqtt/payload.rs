//! What the messages say.

use std::collections::BTreeMap;
use std::path::Path;

use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::journal::cut;
use crate::pipeline::Outcome;
use crate::score_text::shortest;
use crate::sink::Judged;

/// Longest caption in a message, in bytes.
pub const MAX_CAPTION: usize = 8192;
/// Longest metadata in a message, in bytes of the sample's `.json` member.
pub const MAX_METADATA: usize = 8192;
/// Longest key and longest source in a message, in bytes, as in the journal.
const MAX_NAME: usize = crate::journal::MAX_NAME;

/// What a run has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// How the decisions came out.
    pub counts: Counts,
    /// Decided pairs that should be in storage and are not.
    pub unstored: u64,
    /// Whether the run is over.
    pub ended: bool,
}

impl From<&Outcome> for Counters {
    fn from(outcome: &Outcome) -> Self {
        Self { counts: outcome.counts, unstored: outcome.unstored, ended: true }
    }
}

/// What the counters say of the machine and of the run's way; `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Machine {
    /// Pairs or frames that found no place and were never judged.
    pub shed: Option<u64>,
    /// Pairs decided a second, lately.
    pub pairs_per_second: Option<f64>,
    /// Degrees Celsius of the board.
    pub temperature_c: Option<f32>,
    /// Bytes of the shards in the output folder.
    pub disk_used_bytes: Option<u64>,
    /// Bytes free on their file system.
    pub disk_free_bytes: Option<u64>,
}

/// The counters' message; `dropped` are the messages that were dropped, `refused` those of them that
/// the broker would not have.
pub(super) fn counters(
    counters: &Counters,
    machine: Machine,
    dropped: u64,
    refused: u64,
) -> Vec<u8> {
    let Counters { counts, unstored, ended } = *counters;
    let reasons = |verdict| counts.reasons(verdict).map(|(r, count)| (r.name(), count)).collect();
    let [kept, rejected, failed] = [Verdict::Kept, Verdict::Rejected, Verdict::Failed];
    let message = Counted {
        read: counts.decided() + unstored,
        kept: counts.total(kept),
        rejected: counts.total(rejected),
        failed: counts.total(failed),
        unstored,
        reasons: Reasons {
            kept: reasons(kept),
            rejected: reasons(rejected),
            failed: reasons(failed),
        },
        dropped,
        refused,
        machine,
        ended,
    };
    // Numbers and names always have a JSON form.
    serde_json::to_vec(&message).unwrap_or_default()
}

#[derive(Serialize)]
struct Counted {
    read: u64,
    kept: u64,
    rejected: u64,
    failed: u64,
    unstored: u64,
    reasons: Reasons,
    dropped: u64,
    refused: u64,
    #[serde(flatten)]
    machine: Machine,
    ended: bool,
}

#[derive(Serialize)]
struct Reasons {
    kept: BTreeMap<&'static str, u64>,
    rejected: BTreeMap<&'static str, u64>,
    failed: BTreeMap<&'static str, u64>,
}

/// The message of a kept pair that has the name `key` in `shard`.
pub(super) fn kept(judged: &Judged, shard: &Path, key: &str, threshold: Option<f32>) -> Vec<u8> {
    let Judged { sample, uid, decision, .. } = judged;
    let metadata = sample.metadata();
    let caption = sample.pair(&metadata).caption.map(String::from_utf8_lossy);
    let message = Kept {
        uid: uid.to_string(),
        key: cut(&sample.key, MAX_NAME),
        source: cut(&sample.shard, MAX_NAME),
        path: shard.to_string_lossy().into_owned(),
        stored_key: key,
        reason: decision.reason.name(),
        score: decision.facts.score.map(shortest),
        threshold: threshold.map(shortest),
        caption: caption.as_deref().map(|caption| cut(caption, MAX_CAPTION)),
        caption_length: decision.facts.caption_length,
        width: decision.facts.size.width,
        height: decision.facts.size.height,
        metadata: sample.json(MAX_METADATA),
        metadata_bytes: sample.member("json").map_or(0, <[u8]>::len),
    };
    // Strings, numbers and objects always have a JSON form.
    serde_json::to_vec(&message).unwrap_or_default()
}

#[derive(Serialize)]
struct Kept<'a> {
    uid: String,
    key: &'a str,
    source: &'a str,
    path: String,
    stored_key: &'a str,
    reason: &'static str,
    score: Option<Value>,
    threshold: Option<Value>,
    caption: Option<&'a str>,
    caption_length: u32,
    width: u32,
    height: u32,
    metadata: Option<Box<RawValue>>,
    metadata_bytes: usize,
}
