//! Where a single file of results goes: a file that appears whole or not at all, or a stream.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::disk::IoError;
use crate::disk::{Disk, PartialFile, failed, partial_path};
use crate::store::RunEnd;

/// A writer that must be [finished](Target::finish); dropped before that, no file has appeared.
pub(super) struct Target {
    to: To,
    path: PathBuf,
}

enum To {
    /// Appears under its name when the run is done.
    File(PartialFile),
    /// A pipe, a terminal, a device: something that cannot be renamed.
    Stream(Box<dyn Write + Send>),
}

impl Target {
    /// The file at `path`, which appears, or is replaced, when it is published; `-` is standard
    /// output. What is not a plain file, such as a named pipe, is written directly.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be opened.
    pub fn create(path: &Path) -> Result<Self, IoError> {
        if path == Path::new("-") {
            return Ok(Self::over(Box::new(io::stdout()), Path::new("standard output")));
        }
        let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        if is_special {
            let file = fs::OpenOptions::new().write(true).open(path).map_err(failed(path))?;
            return Ok(Self::over(Box::new(file), path));
        }
        // A link stays, and what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { to: To::File(PartialFile::create(&Disk::system(), &path)?), path })
    }

    /// A stream, buffered here; `path` is what errors call it.
    pub fn over(writer: Box<dyn Write + Send>, path: &Path) -> Self {
        let buffered = Box::new(BufWriter::with_capacity(64 << 10, writer));
        Self { to: To::Stream(buffered), path: path.to_owned() }
    }

    /// What errors call it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands what was written so far to those who read a stream, so that they can answer it; a file
    /// is read when it is whole.
    ///
    /// # Errors
    /// The stream's.
    pub fn hand_over(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::File(_) => Ok(()),
            To::Stream(stream) => stream.flush(),
        }
    }

    /// Brings everything to where it belongs; a file gets its name where the run is complete, and
    /// keeps its temporary one else.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written.
    pub fn finish(self, end: RunEnd) -> Result<(), IoError> {
        let path = self.path.display();
        match self.to {
            To::File(file) if end == RunEnd::Complete => file.publish(),
            To::File(mut file) => {
                file.flush().map_err(failed(&self.path))?;
                let partial = partial_path(&self.path).map_err(failed(&self.path))?;
                log::warn!("{path} is not complete: what there is stays in {}", partial.display());
                Ok(())
            }
            To::Stream(mut stream) => stream.flush().map_err(failed(&self.path)),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::File(file) => file.write(bytes),
            To::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::File(file) => file.flush(),
            To::Stream(stream) => stream.flush(),
        }
    }
}

/// The error of a sink whose file has got its name, or whose run has failed.
pub(super) fn closed() -> io::Error {
    io::Error::other("it is already closed")
}
