//! Decisions as a journal in one file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::target::{Target, closed};
use super::{Judged, RunEnd, Sink};
use crate::disk::IoError;
use crate::disk::failed;
use crate::journal::{Entry, Epoch, Header, Terms, header_bytes};
use crate::store::record_of;

/// Writes a journal of one file.
pub struct JournalSink {
    /// `None`: it has got its name, or the run has failed.
    target: Option<Target>,
    path: PathBuf,
    frame: Vec<u8>,
}

impl JournalSink {
    /// A sink into the file at `path`, which appears, or is replaced, when the run is complete.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, IoError> {
        Self::into_target(Target::create(path)?, header)
    }

    /// A sink into `writer`; `path` is what errors call it.
    ///
    /// # Errors
    /// [`IoError::Write`] if the header cannot be written.
    pub fn over(
        writer: Box<dyn Write + Send>,
        path: &Path,
        header: &Header,
    ) -> Result<Self, IoError> {
        Self::into_target(Target::over(writer, path), header)
    }

    fn into_target(mut target: Target, header: &Header) -> Result<Self, IoError> {
        let path = target.path().to_owned();
        let bytes = header_bytes(header).map_err(io::Error::other);
        bytes.and_then(|bytes| target.write_all(&bytes)).map_err(failed(&path))?;
        Ok(Self { target: Some(target), path, frame: Vec::new() })
    }

    fn append(&mut self, entry: &Entry) -> Result<(), IoError> {
        self.write(entry).map_err(|why| {
            // What is not whole must not get its name.
            self.target = None;
            failed(&self.path)(why)
        })
    }

    fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let target = self.target.as_mut().ok_or_else(closed)?;
        let frame = entry.frame(&mut self.frame).map_err(io::Error::other)?;
        target.write_all(frame)
    }
}

impl Sink for JournalSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.append(&Entry::Record(Box::new(record_of(judged))))
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        let epoch = Epoch { terms: terms.clone(), first_ticket };
        self.append(&Entry::Epoch(Box::new(epoch)))
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        if end == RunEnd::Complete {
            self.write(&Entry::End).map_err(failed(&self.path))?;
        }
        self.target.take().map_or(Ok(()), |target| target.finish(end))
    }
}
