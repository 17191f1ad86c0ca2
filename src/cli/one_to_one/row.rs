//! What an input came to, as one line of JSON.

use std::collections::BTreeMap;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::stats::Counts;
use serde_json::json;

use crate::source::SingleInput;
use crate::store::one_to_one::{DATA, JOURNAL, Kind, Marker, Names};

/// What an input came to.
pub struct Row {
    pub name: String,
    input: String,
    /// The file of kept pairs; of scores, the journal.
    output: String,
    pub counts: Counts,
    bytes: u64,
    sha256: String,
    /// Whether it was done before, here or by another process.
    pub skipped: bool,
}

impl Row {
    /// What a marker says of the output.
    pub fn of(input: &SingleInput, names: &Names, marker: &Marker, skipped: bool) -> Self {
        let ending = match marker.kind {
            Kind::Filter => DATA,
            Kind::Score => JOURNAL,
        };
        let data = marker.data(names);
        Self {
            name: names.name().to_owned(),
            input: input.path.display().to_string(),
            output: names.path(ending).display().to_string(),
            counts: marker.counts(),
            bytes: data.map_or(0, |data| data.bytes),
            sha256: data.map(|data| data.sha256.clone()).unwrap_or_default(),
            skipped,
        }
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        let total = |verdict| self.counts.total(verdict);
        let row = json!({
            "input": self.input,
            "output": self.output,
            "read": self.counts.decided(),
            "kept": total(Verdict::Kept),
            "rejected": total(Verdict::Rejected),
            "failed": total(Verdict::Failed),
            "reasons": reasons(&self.counts),
            "bytes": self.bytes,
            "sha256": self.sha256,
            "skipped": self.skipped,
        });
        format!("{row}\n")
    }
}

/// How often each reason was given, whatever the verdict, but that nothing spoke against a pair.
pub fn reasons(counts: &Counts) -> BTreeMap<&'static str, u64> {
    let mut found = BTreeMap::new();
    for verdict in Verdict::ALL {
        for (reason, count) in counts.reasons(verdict).filter(|(r, _)| *r != Reason::Passed) {
            *found.entry(reason.name()).or_default() += count;
        }
    }
    found
}
