//! Errors of set-up and of the world. A bad item is never an error: it is a
//! [`Reason`](crate::decision::Reason) in its decision.

/// A setting that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The value is outside the key's range.
    #[error("{key} = {value} is out of range: it must be {min} to {max}")]
    OutOfRange {
        /// The key, with its table.
        key: &'static str,
        /// The value found.
        value: f64,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
}

/// What is wrong with a journal's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The file does not start with the journal's magic bytes.
    #[error("not a pairgate journal")]
    NotAJournal,
    /// The journal was written in a format that this version does not read.
    #[error("journal format {found}, this version reads {}", crate::wire::FORMAT_VERSION)]
    Version {
        /// The version in the header.
        found: u16,
    },
    /// The frame that starts at this byte is incomplete or damaged.
    #[error("torn at byte {at}")]
    Torn {
        /// Offset of the frame's first byte from the start of the journal.
        at: u64,
    },
    /// The buffer is too small for the record.
    #[error("a record does not fit its buffer of {bytes} bytes")]
    Full {
        /// Size of the buffer.
        bytes: usize,
    },
}

/// A model bundle that cannot be used.
#[cfg(feature = "std")]
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the bundle cannot be read.
    #[error("model file {file}: {why}")]
    Read {
        /// The file.
        file: String,
        /// The system's reason.
        why: std::io::Error,
    },
    /// The manifest is not what it should be.
    #[error("bundle.toml: {why}")]
    Manifest {
        /// What is wrong, with line and key where known.
        why: String,
    },
    /// A value of the manifest is outside its range.
    #[error("bundle.toml: {key} = {value} is out of range: it must be {min} to {max}")]
    OutOfRange {
        /// The key, with its table.
        key: &'static str,
        /// The value found.
        value: f64,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// A file is not the one that the manifest was written for.
    #[error("model file {file} has SHA-256 {found}, bundle.toml says {expected}")]
    Digest {
        /// The file.
        file: String,
        /// The digest in the manifest.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// A graph's input or output does not fit the manifest.
    #[error("model file {file}: the manifest asks for {wanted}, the graph has {found}")]
    Shape {
        /// The file.
        file: String,
        /// What the manifest leads to.
        wanted: String,
        /// What the graph has.
        found: String,
    },
    /// The engine cannot load or run a graph.
    #[error("model file {file}: {why}")]
    Graph {
        /// The file.
        file: String,
        /// The engine's reason.
        why: String,
    },
    /// The tokenizer cannot be loaded or cannot read a caption.
    #[error("tokenizer: {why}")]
    Tokenizer {
        /// What is wrong.
        why: String,
    },
}

/// The world outside failed: what ends a run before its input ends.
#[cfg(feature = "std")]
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The input cannot be read any more.
    #[error("reading {from}: {why}")]
    Source {
        /// The file, or standard input.
        from: String,
        /// The system's reason, or what changed.
        why: std::io::Error,
    },
    /// The output cannot be written any more.
    #[error("writing {to}: {why}")]
    Sink {
        /// The file.
        to: String,
        /// The system's reason.
        why: std::io::Error,
    },
    /// The system gave no thread.
    #[error("starting the thread {name:?}: {why}")]
    Thread {
        /// The thread's name.
        name: String,
        /// The system's reason.
        why: std::io::Error,
    },
    /// A bug: a worker panicked.
    #[error("{worker} panicked: {message}")]
    Panicked {
        /// The thread's name.
        worker: String,
        /// The panic's message.
        message: String,
    },
    /// The model failed on prepared input, which a sound bundle never does.
    #[error(transparent)]
    Model(#[from] ModelError),
}
