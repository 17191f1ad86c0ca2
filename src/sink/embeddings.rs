//! Embeddings beside a file of scores: `NAME.npz`, a row for each of its rows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Judged, RunEnd, Sink};
use crate::disk::{Disk, IoError, failed, partial_path};
use crate::embeddings::Recording;
use crate::embeddings::npz::{self, Select, beside};
use crate::embeddings::rows::{RowsWriter, waiting_path};
use crate::journal::Terms;

/// Writes the `.npz` beside what another sink writes. It has its name before that has.
pub struct EmbeddingsSink {
    disk: Disk,
    recording: Recording,
    path: PathBuf,
    /// `None`: the run has ended, or has failed.
    rows: Option<RowsWriter>,
    count: u64,
    scores: Box<dyn Sink>,
}

impl EmbeddingsSink {
    /// The embeddings of what `scores` writes to the file at `path`.
    ///
    /// # Errors
    /// [`IoError::Write`] if they cannot be written, or this build does not write them.
    pub fn around(
        scores: Box<dyn Sink>,
        path: &Path,
        recording: Recording,
    ) -> Result<Self, IoError> {
        let (disk, path) = (Disk::system(), beside(path));
        npz::check_built(&path)?;
        let rows = Some(RowsWriter::create(&disk, &path, recording.dimension, 0)?);
        Ok(Self { disk, recording, path, rows, count: 0, scores })
    }

    fn publish(&mut self) -> Result<(), IoError> {
        let Some(mut rows) = self.rows.take() else { return Ok(()) };
        rows.sync()?;
        drop(rows);
        npz::publish(&self.disk, &self.path, &self.recording, Select::Every(self.count))?;
        let rows = waiting_path(&self.path);
        self.disk.remove_if_there(&partial_path(&rows).map_err(failed(&rows))?)
    }
}

impl Sink for EmbeddingsSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        if let Some(rows) = &mut self.rows {
            rows.append(judged.ticket, judged.uid, judged.embeddings.as_deref())?;
            self.count += 1;
        }
        self.scores.accept(judged)
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        self.scores.epoch(terms, first_ticket)
    }

    fn idle(&mut self) -> Result<(), IoError> {
        self.scores.idle()
    }

    fn due_in(&self) -> Option<Duration> {
        self.scores.due_in()
    }

    fn settled(&mut self) -> Result<(), IoError> {
        self.scores.settled()
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        if end != RunEnd::Complete {
            return self.scores.finish(end);
        }
        let published = self.publish();
        let end = if published.is_ok() { end } else { RunEnd::Failed };
        published.and(self.scores.finish(end))
    }
}
