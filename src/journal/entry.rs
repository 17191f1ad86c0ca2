//! What stands in a segment behind its header.

use pairgate_core::error::WireError;
use pairgate_core::wire;
use serde::{Deserialize, Serialize};

use super::header::Terms;
use super::record::{Record, RecordBytes};

/// From here on something else decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// What decides.
    pub terms: Terms,
    /// Ticket of the first record that it decided.
    pub first_ticket: u64,
}

/// A shard has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The shard's number.
    pub shard: u32,
    /// Samples in it.
    pub samples: u64,
}

/// A shard was removed to make room, or for its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The shard's number.
    pub shard: u32,
    /// Samples that were in it, as its statistics had them.
    pub samples: u64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A decision.
    Record(Box<Record>),
    /// Something else decides.
    Epoch(Box<Epoch>),
    /// A shard has its name.
    Closed(Closed),
    /// The inputs were read to their end.
    End,
    /// A shard is gone, and its pairs with it.
    Dropped(Dropped),
    /// Of a later version: passed over.
    Unknown,
}

/// An entry's bytes.
#[derive(Serialize, Deserialize)]
enum EntryBytes<'a> {
    #[serde(borrow)]
    Record(RecordBytes<'a>),
    Epoch(Epoch),
    Closed(Closed),
    End,
    Dropped(Dropped),
}

impl Entry {
    /// Writes the entry's frame to `buffer`, which grows as it must, and gives the part used.
    ///
    /// # Errors
    /// [`WireError::Full`] if it is longer than any reader takes.
    pub(crate) fn frame<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], WireError> {
        let bytes = match self {
            Self::Record(record) => EntryBytes::Record(RecordBytes::from(&**record)),
            Self::Epoch(epoch) => EntryBytes::Epoch(Epoch::clone(epoch)),
            Self::Closed(closed) => EntryBytes::Closed(*closed),
            Self::End => EntryBytes::End,
            Self::Dropped(dropped) => EntryBytes::Dropped(*dropped),
            Self::Unknown => return Ok(&[]),
        };
        wire::frame_growing(&bytes, buffer, wire::MAX_PAYLOAD)
    }

    /// The entry in a payload of this format; `None` where it is none. `ticket` is that of a record
    /// whose format tells none.
    pub(super) fn read(payload: &[u8], format: u16, ticket: u64) -> Option<Self> {
        if format < super::FORMAT_VERSION {
            let (record, threshold) = wire::read_record(payload, format)?;
            return Some(Self::Record(Box::new(Record::earlier(record, threshold, ticket))));
        }
        // Zeros look like frames without a payload.
        payload.first()?;
        match postcard::from_bytes(payload) {
            Ok(EntryBytes::Record(record)) => Some(Self::Record(Box::new(record.into()))),
            Ok(EntryBytes::Epoch(epoch)) => Some(Self::Epoch(Box::new(epoch))),
            Ok(EntryBytes::Closed(closed)) => Some(Self::Closed(closed)),
            Ok(EntryBytes::End) => Some(Self::End),
            Ok(EntryBytes::Dropped(dropped)) => Some(Self::Dropped(dropped)),
            Err(_) => Some(Self::Unknown),
        }
    }
}
