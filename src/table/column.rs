//! What a table is made of: columns, and the cells of a row.

use std::borrow::Cow;

/// What all values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) struct Column {
    pub name: String,
    pub kind: Kind,
    /// Whether cells may be null.
    pub nullable: bool,
    /// Whether few values are to be expected, again and again.
    pub repeats: bool,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Whole(u32),
    Float(f64),
    Score(f32),
    /// A string, or JSON text.
    Text(Cow<'a, str>),
}
