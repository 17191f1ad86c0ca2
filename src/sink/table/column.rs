//! The columns of every table of scores.

use crate::table::{Column, Kind};

/// Name of the column for metadata that no other column holds.
pub(super) const REST: &str = "metadata_other";

/// The columns of every table, but for [`REST`], which is the last one.
pub(super) fn fixed() -> [Column; 9] {
    let column = |name: &str, kind, nullable, repeats| Column {
        name: name.to_owned(),
        kind,
        nullable,
        repeats,
    };
    [
        column("uid", Kind::Text, false, false),
        column("key", Kind::Text, false, false),
        column("shard", Kind::Text, false, true),
        column("score", Kind::Float32, true, false),
        column("reason", Kind::Text, true, true),
        column("width", Kind::Uint32, false, true),
        column("height", Kind::Uint32, false, true),
        column("caption_length", Kind::Uint32, false, true),
        column("sha256", Kind::Text, true, false),
    ]
}
