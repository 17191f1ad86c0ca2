//! What cannot be read or written.

use std::io;

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
