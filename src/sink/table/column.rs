//! What a table is made of: columns, and the cells of a row.

use std::borrow::Cow;

/// What all values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int64,
    Float64,
    /// Unsigned: sizes and lengths.
    Uint32,
    /// Scores.
    Float32,
    Text,
    /// JSON text.
    Json,
}

#[cfg(feature = "parquet")]
impl Kind {
    /// The name in the files that tell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Uint32 => "uint32",
            Self::Float32 => "float32",
            Self::Text => "string",
            Self::Json => "json",
        }
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
    /// Whether cells may be null.
    pub nullable: bool,
    /// Whether few values are to be expected, again and again.
    pub repeats: bool,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Whole(u32),
    Float(f64),
    Score(f32),
    /// A string, or JSON text.
    Text(Cow<'a, str>),
}

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
