//! Answers that are remembered by their uid, also after a restart.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;

use super::answer::{Answer, Names};
use crate::disk::IoError;
use crate::journal::{self, Reader, SegmentReader};

/// Bytes that an answer may take on average, with its texts and its places in the lists; the oldest
/// go where clients' keys are longer.
const ANSWER_BYTES: usize = 512;
/// Bytes of an answer beside its texts.
const FIXED_BYTES: usize = 256;

/// The last answers, by their uid.
#[derive(Debug, Default)]
pub struct Window {
    most: usize,
    answers: HashMap<Uid, Arc<Answer>>,
    /// The oldest first.
    order: VecDeque<Uid>,
    bytes: usize,
}

impl Window {
    /// A window of `most` answers.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// The window that the journal in `folder` leads to, whose next record has the ticket
    /// `next_ticket`: of its last segments no more are read than the window needs. Where one of them
    /// cannot be read, what follows it is not remembered, and the log says so. `is_spooled` says that kept
    /// pairs went to a spool.
    pub fn of_journal(folder: &Path, most: usize, next_ticket: u64, is_spooled: bool) -> Self {
        let mut window = Self::new(most);
        if most > 0
            && let Err(error) =
                window.read(folder, next_ticket.saturating_sub(most as u64), is_spooled)
        {
            log::warn!("answers of earlier runs are not all remembered: {error}");
        }
        window
    }

    /// Remembers what was answered from about `first_ticket` on.
    fn read(&mut self, folder: &Path, first_ticket: u64, is_spooled: bool) -> Result<(), IoError> {
        let from = folder.display().to_string();
        let parts = journal::parts(folder).map_err(|why| IoError::Read { from, why })?;
        let first = first_part(&parts, first_ticket)?;
        let parts = parts.get(first..).unwrap_or_default();
        let Some(mut reader) = Reader::over(parts.to_vec())? else { return Ok(()) };
        let mut names = Arc::new(Names::of(reader.terms()));
        while let Some(record) = reader.next() {
            let record = record?;
            if !names.are_of(reader.terms()) {
                names = Arc::new(Names::of(reader.terms()));
            }
            let mut answer = Answer::of_record(record, reader.terms(), names.clone());
            if is_spooled {
                answer.set_spooled();
            }
            self.remember(Arc::new(answer));
        }
        Ok(())
    }

    /// Bytes that a window of `most` answers takes at worst.
    pub fn memory(most: usize) -> u64 {
        (most as u64).saturating_mul(ANSWER_BYTES as u64)
    }

    /// The answer that was given to this uid.
    pub fn answer(&self, uid: &Uid) -> Option<Arc<Answer>> {
        self.answers.get(uid).cloned()
    }

    /// Remembers an answer. One to a pair that never arrived whole, or that nobody judged, is not: the
    /// pair may come again.
    pub fn remember(&mut self, answer: Arc<Answer>) {
        if self.most == 0 || matches!(answer.reason, Reason::ArchiveTorn | Reason::NotJudged) {
            return;
        }
        self.bytes += cost(&answer);
        let uid = answer.uid;
        match self.answers.insert(uid, answer) {
            Some(before) => self.bytes -= cost(&before),
            None => self.order.push_back(uid),
        }
        while self.order.len() > self.most || self.bytes > self.most.saturating_mul(ANSWER_BYTES) {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(gone) = self.answers.remove(&oldest) {
                self.bytes -= cost(&gone);
            }
        }
    }
}

fn cost(answer: &Answer) -> usize {
    FIXED_BYTES + answer.text_bytes()
}

/// The last part whose first record is not behind `ticket`.
fn first_part(parts: &[PathBuf], ticket: u64) -> Result<usize, IoError> {
    for (place, part) in parts.iter().enumerate().skip(1).rev() {
        if SegmentReader::open(part)?.header().first_ticket <= ticket {
            return Ok(place);
        }
    }
    Ok(0)
}
