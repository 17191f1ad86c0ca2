//! Settings and bytes that cannot be used. A bad item is never an error: it is a
//! [`Reason`](crate::decision::Reason) in its decision.

/// A setting that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
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
    /// Two keys that exclude each other.
    #[error("{key} and {other} exclude each other: set one of them")]
    Exclusive {
        /// The key.
        key: &'static str,
        /// The other key.
        other: &'static str,
    },
    /// A key that says nothing without another one.
    #[error("{key} needs {other}: set both")]
    Needs {
        /// The key.
        key: &'static str,
        /// The other key.
        other: &'static str,
    },
    /// The worst case of the settings is more than the ceiling.
    #[error(
        "{key} = {ceiling} is too low: the settings may take {needed} bytes, most of it by {most}"
    )]
    Ceiling {
        /// The ceiling's key.
        key: &'static str,
        /// The ceiling in bytes.
        ceiling: u64,
        /// What the settings may take, in bytes.
        needed: u64,
        /// What takes most, as a product of keys.
        most: &'static str,
    },
    /// Bytes that are no packed config.
    #[error("not a packed config that can be used: {why}")]
    Packed {
        /// What is wrong with them.
        why: &'static str,
    },
}

impl ConfigError {
    /// The key that is to blame; none in a packed config.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::OutOfRange { key, .. } | Self::Exclusive { key, .. } => Some(key),
            Self::Needs { key, .. } | Self::Ceiling { key, .. } => Some(key),
            Self::Packed { .. } => None,
        }
    }
}

/// What is wrong with a journal's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The file does not start with the journal's magic bytes.
    #[error("not a pairgate journal")]
    NotAJournal,
    /// The journal was written in a format that this version does not read.
    #[error("journal format {found}, this reads 1 to {}", if cfg!(feature = "std") { 3 } else { 2 })]
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

/// A pair that cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The buffer is too small for the pair's start.
    #[error("a pair's start does not fit its buffer of {bytes} bytes")]
    Full {
        /// Size of the buffer.
        bytes: usize,
    },
    /// The image has not the bytes that the pair's start says, or its size and format ask for others.
    #[error("the image is not one of {bytes} bytes, as the pair's start says")]
    Length {
        /// Bytes of the image, by the start.
        bytes: u32,
    },
}
