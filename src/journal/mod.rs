//! The decision journal: every pair's decision, kept or not, in the input's order.
//!
//! # Bytes of format 3
//! ```text
//! journal  = a folder of segments 00000000.pairgate, 00000001.pairgate, ...; or one file, a segment
//! segment  = magic frame(Header) frame(Entry)*
//! magic    = "PAIRGATE"                              8 bytes
//! frame    = length: u32 LE, payload, crc: u32 LE    as in formats 1 and 2: see wire::journal
//! payload  = the postcard encoding of Header or Entry
//! Entry    = Record | Epoch | Closed | End | Dropped codes 0, 1, 2, 3, 4: append-only
//! ```
//! A segment of a folder has at most [`SEGMENT_BYTES`], and two files beside it: `00000000.header`,
//! its first bytes once more, so that damage to one header loses nothing, and
//! `00000000.checkpoint`, what a run that goes on needs to know of the segments before it:
//! ```text
//! checkpoint = "PAIRCKPT" frame(state)
//! ```
//! A [`Record`] tells of one pair; an [`Epoch`] that another model, config or version decides from
//! here on; [`Closed`] that a shard has its name; `End` that the inputs were read to their end;
//! [`Dropped`] that a shard was removed, so that the gap in the shards' numbers is no damage.
//! A frame whose checksum holds but whose entry is not known is passed over.
//!
//! Nothing in a journal depends on the time, the host or the number of workers: the same input, model
//! and config give the same bytes.
//!
//! Formats 1 and 2, single files, are read as ever.

mod entry;
mod header;
mod reader;
mod record;
mod salvage;
mod segment;
mod writer;

pub use entry::{Closed, Dropped, Entry, Epoch};
pub use header::{DECISION_VERSION, FORMAT_VERSION, Header, ModelName, Terms};
pub use reader::{Reader, SegmentReader, wire_error};
pub use record::{Choice, MAX_GROUP, MAX_NAME, Record, Stored, cut};
pub use salvage::{Found, Part, Salvage, examine, examine_entries, repair};
pub use segment::{FOLDER, SEGMENT_BYTES, one_to_one, parts, segments};
pub(crate) use segment::{checkpoint, forget_before, header_bytes, number_of};
pub use writer::Writer;
