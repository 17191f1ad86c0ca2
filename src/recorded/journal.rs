//! The rows of a journal.

use std::path::Path;

use pairgate_core::decision::Reason;

use super::row::RecordedRow;
use super::rows::{Failed, Form};
use crate::disk::IoError;
use crate::journal::{Reader, Record, Terms};

/// One row a record.
pub(super) struct Journal(Reader);

impl Journal {
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Reader::open(path).map(Self)
    }
}

impl Form for Journal {
    fn next(&mut self) -> Result<Option<RecordedRow>, Failed> {
        let Some(record) = self.0.next().transpose()? else { return Ok(None) };
        let Record { ticket, uid, key, shard, verdict, reason, facts, .. } = record;
        Ok(Some(RecordedRow {
            uid,
            ticket,
            key,
            shard,
            score: facts.score.filter(|score| !score.is_nan()),
            reason: (reason != Reason::Passed).then_some(reason),
            verdict: Some(verdict),
            threshold: record.threshold.or(self.0.terms().threshold),
            group: record.group,
            caption_length: facts.caption_length,
            size: facts.size,
            content: facts.content,
            stored: record.stored.map(|stored| stored.shard),
            is_recovered: record.recovered,
            ..RecordedRow::default()
        }))
    }

    fn place(&self) -> String {
        self.0.part().display().to_string()
    }

    fn terms(&self) -> Option<&Terms> {
        Some(self.0.terms())
    }
}
