//! The rows of a journal.

use pairgate_core::decision::Reason;

use super::beside::Embedded;
use super::{RecordedRow, Rows};
use crate::disk::IoError;
use crate::journal::{Reader, Record};

/// One row a record.
#[derive(Debug)]
pub(super) struct JournalRows {
    reader: Reader,
    embedded: Embedded,
}

impl JournalRows {
    pub fn new(reader: Reader, embedded: Embedded) -> Self {
        Self { reader, embedded }
    }
}

impl Rows for JournalRows {
    fn next(&mut self) -> Result<Option<RecordedRow>, IoError> {
        let Some(record) = Iterator::next(&mut self.reader).transpose()? else {
            self.embedded.end()?;
            return Ok(None);
        };
        let Record { ticket, uid, key, shard, verdict, reason, facts, stored, recovered, .. } =
            record;
        // One that was made of a stored sample is out of its order.
        let stored = stored.filter(|_| !recovered).map(|stored| stored.shard);
        Ok(Some(RecordedRow {
            uid,
            key,
            shard,
            score: facts.score.filter(|score| !score.is_nan()),
            reason: (reason != Reason::Passed).then_some(reason),
            verdict: Some(verdict),
            caption: None,
            embeddings: self.embedded.next(Some(uid), ticket, stored)?,
        }))
    }
}
