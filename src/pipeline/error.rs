//! What ends a run before its input ends.

use std::io;

use crate::disk::IoError;
use crate::gate::ExamineError;

/// What ends a run before its input ends. A bad item is never an error: it is a
/// [`Reason`](pairgate_core::decision::Reason) in its decision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The input cannot be read, or the output cannot be written, any more.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The system gave no thread.
    #[error("starting the thread {name:?}: {why}")]
    Thread {
        /// The thread's name.
        name: String,
        /// The system's reason.
        why: io::Error,
    },
    /// A bug: a worker panicked.
    #[error("{worker} panicked: {message}")]
    Panicked {
        /// The thread's name.
        worker: String,
        /// The panic's message.
        message: String,
    },
    /// The examiner cannot go on: the model failed on prepared input, which a sound bundle never does.
    #[error(transparent)]
    Examine(ExamineError),
}
