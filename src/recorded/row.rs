//! What is recorded of a pair, and which of it is read.

use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Size, Uid};

use crate::embeddings::Names;
use crate::score::PairEmbeddings;

/// What is recorded of a pair.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RecordedRow {
    /// Its identity; zeros where [`is_malformed`](Self::is_malformed).
    pub uid: Uid,
    /// Whether its uid is not 32 hex digits.
    pub is_malformed: bool,
    /// Its ticket in a journal; elsewhere its place among the rows, from 0.
    pub ticket: u64,
    /// Its key in its source; empty where that is not recorded.
    pub key: String,
    /// The shard, folder or manifest that it came from; empty where that is not recorded.
    pub shard: String,
    /// The score; `None` where there is none, or no number.
    pub score: Option<f32>,
    /// What speaks against it; `None` where nothing does, or nothing is said.
    pub reason: Option<Reason>,
    /// What became of it, where it was decided.
    pub verdict: Option<Verdict>,
    /// The threshold that decided, where that is recorded.
    pub threshold: Option<f32>,
    /// The group whose threshold decided, where it is one of a group.
    pub group: Option<String>,
    /// Its caption, where that is recorded.
    pub caption: Option<String>,
    /// Characters of the caption; 0 where that is not recorded.
    pub caption_length: u32,
    /// Of the picture; zeros where that is not recorded.
    pub size: Size,
    /// SHA-256 of the picture's file; zeros where that is not recorded.
    pub content: Digest,
    /// The number of the shard that it is kept in, where a journal tells.
    pub stored: Option<u32>,
    /// Whether the journal lost its record, and has one that was made of the stored sample.
    pub is_recovered: bool,
    /// Its embeddings, where it has any and they are read.
    pub embeddings: Option<PairEmbeddings>,
}

impl RecordedRow {
    /// What was found: [`Reason::Passed`] where nothing speaks against the pair.
    pub fn found(&self) -> Reason {
        self.reason.unwrap_or(Reason::Passed)
    }

    /// What was measured.
    pub fn facts(&self) -> Facts {
        let Self { score, caption_length, size, content, .. } = *self;
        Facts { score, caption_length, size, content }
    }
}

/// A field of a line, or a column of a table. Texts stand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    Uid,
    Key,
    Shard,
    Reason,
    Verdict,
    Sha256,
    Caption,
    Score,
    CaptionLength,
    Width,
    Height,
}

impl Field {
    /// Those that are texts.
    pub const TEXTS: [Self; 7] = [
        Self::Uid,
        Self::Key,
        Self::Shard,
        Self::Reason,
        Self::Verdict,
        Self::Sha256,
        Self::Caption,
    ];
    /// Those that are numbers.
    pub const NUMBERS: [Self; 4] = [Self::Score, Self::CaptionLength, Self::Width, Self::Height];

    /// Its name in what pairgate writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Key => "key",
            Self::Shard => "shard",
            Self::Reason => "reason",
            Self::Verdict => "verdict",
            Self::Sha256 => "sha256",
            Self::Caption => "caption",
            Self::Score => "score",
            Self::CaptionLength => "caption_length",
            Self::Width => "width",
            Self::Height => "height",
        }
    }
}

/// What is read of a file, and what is looked for in those that others have made too.
#[derive(Debug, Clone)]
pub struct ReadAs {
    /// What the arrays of embeddings are called; where none is said, pairgate's own are found whatever they
    /// are called, and others must be `image` and `text`.
    pub names: Option<Names>,
    /// The column of a metadata table that holds its scores, such as `clip_l14_similarity_score`; without
    /// one such rows have none.
    pub score: Option<String>,
    /// What every row must tell, be it null.
    pub needs: &'static [Field],
    /// What is read where it is there. A journal's rows always tell all that it holds.
    pub also: &'static [Field],
}

impl Default for ReadAs {
    /// What selection looks at.
    fn default() -> Self {
        use Field::{Caption, Key, Reason, Score, Shard, Uid, Verdict};
        Self::fields(&[Uid], &[Key, Shard, Score, Reason, Verdict, Caption])
    }
}

impl ReadAs {
    /// Reads fields that must be there, and fields that may be.
    pub fn fields(needs: &'static [Field], also: &'static [Field]) -> Self {
        Self { names: None, score: None, needs, also }
    }

    pub(super) fn reads(&self, field: Field) -> bool {
        self.needs.contains(&field) || self.also.contains(&field)
    }
}
