//! From the cells of a row, as texts and tables have them, to the row.

use std::borrow::Cow;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::Size;

use super::row::{Field, RecordedRow};

/// The cells that are read of a row; what is null, not there or not read is `None`, or 0.
#[derive(Debug, Default)]
pub(super) struct Cells<'a> {
    /// By [`Field::TEXTS`].
    pub texts: [Option<Cow<'a, str>>; Field::TEXTS.len()],
    pub score: Option<f32>,
    pub caption_length: u32,
    pub size: Size,
}

impl Cells<'_> {
    /// The row with this place.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub fn row(&self, ticket: u64) -> Result<RecordedRow, String> {
        let text = |field: Field| self.texts[field as usize].as_deref();
        let word = |field: Field| text(field).filter(|text| !text.is_empty());
        let owned = |field: Field| text(field).unwrap_or_default().to_owned();
        let uid = text(Field::Uid).and_then(|text| text.parse().ok());
        let content = word(Field::Sha256)
            .map(|text| text.parse().map_err(|_| format!("sha256 {text:?} is not 64 hex digits")));
        Ok(RecordedRow {
            uid: uid.unwrap_or_default(),
            is_malformed: uid.is_none(),
            ticket,
            key: owned(Field::Key),
            shard: owned(Field::Shard),
            score: self.score.filter(|score| !score.is_nan()),
            reason: word(Field::Reason).map(reason).transpose()?,
            verdict: word(Field::Verdict).map(verdict).transpose()?,
            caption: text(Field::Caption).map(str::to_owned),
            caption_length: self.caption_length,
            size: self.size,
            content: content.transpose()?.unwrap_or_default(),
            ..RecordedRow::default()
        })
    }
}

fn reason(name: &str) -> Result<Reason, String> {
    let known = Reason::ALL.iter().find(|reason| reason.name() == name);
    known.copied().ok_or_else(|| format!("the reason {name:?} is not known"))
}

fn verdict(name: &str) -> Result<Verdict, String> {
    let known = Verdict::ALL.into_iter().find(|verdict| verdict.name() == name);
    known.ok_or_else(|| format!("the verdict {name:?} is none"))
}
