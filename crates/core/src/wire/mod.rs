//! Bytes that a board's firmware, the gate and the replay share: each format is written down in
//! its module.
//!
//! | format | holds |
//! |---|---|
//! | [`journal`] | decisions, in a file |
//! | [`pairs`] | pairs on their way from a microcontroller to a host, over a UART or a pipe |
//!
//! Firmware sends pairs through a [`Sender`](sender::Sender).

mod cobs;
pub mod journal;
pub mod pairs;
pub mod sender;

use crc::{CRC_32_ISCSI, Crc, Table};

pub use journal::{
    FORMAT_VERSION, FRAME_OVERHEAD, Header, Journal, MAGIC, MAX_PAYLOAD, Record, TRACKED_VERSION,
    TrackedRecord, frame,
};
#[cfg(feature = "std")]
pub use journal::{frame_growing, payload, read_record, unframe_within};

/// CRC-32C, as in iSCSI, ext4 and most journals since.
pub static CRC32C: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
