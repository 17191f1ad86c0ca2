//! What cannot be read or written.

use std::io;
use std::path::Path;

/// The world outside failed: something cannot be read or written any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// An input, or what an earlier run left, cannot be read.
    #[error("reading {from}: {why}")]
    Read {
        /// The file, or standard input.
        from: String,
        /// The system's reason, or what changed.
        why: io::Error,
    },
    /// An output cannot be written.
    #[error("writing {to}: {why}")]
    Write {
        /// The file.
        to: String,
        /// The system's reason.
        why: io::Error,
    },
}

/// Names the file in an I/O error of reading.
pub(crate) fn unread(path: &Path) -> impl Fn(io::Error) -> IoError + '_ {
    move |why| IoError::Read { from: path.display().to_string(), why }
}

/// A file whose bytes are not what they should be.
pub(crate) fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
