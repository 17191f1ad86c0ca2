//! The columns of every table of scores.

use crate::table::{Column, Kind};

/// Name of the column for metadata that no other column holds.
pub(super) const REST: &str = "metadata_other";

/// The columns of every table, but for [`REST`], which is the last one; the verdict where a threshold
/// decides, and what a state's scorers gave, under the names `measures`.
pub(super) fn fixed(with_verdict: bool, measures: &[String]) -> Vec<Column> {
    let column = |name: &str, kind, nullable, repeats| Column {
        name: name.to_owned(),
        kind,
        nullable,
        repeats,
    };
    let verdict = with_verdict.then(|| column("verdict", Kind::Text, false, true));
    let before = [
        column("uid", Kind::Text, false, false),
        column("key", Kind::Text, false, false),
        column("shard", Kind::Text, false, true),
        column("score", Kind::Float32, true, false),
        column("reason", Kind::Text, true, true),
    ];
    let behind = [
        column("width", Kind::Uint32, false, true),
        column("height", Kind::Uint32, false, true),
        column("caption_length", Kind::Uint32, false, true),
        column("sha256", Kind::Text, true, false),
    ];
    let measures = measures.iter().map(|name| column(name, Kind::Float32, true, false));
    before.into_iter().chain(verdict).chain(behind).chain(measures).collect()
}
