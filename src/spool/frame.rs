//! The bytes of a frame.
//!
//! ```text
//! frame   = header, payload
//! header  = "PGSP", version: u16, zeros: u16, spool: u32, length: u32, sequence: u64,
//!           crc of the payload: u32, crc of the header's bytes before it: u32
//! ```
//! Numbers are little-endian, checksums CRC-32C. The header has its own checksum, so that a length is
//! trusted only where it is right; the first bytes let a reader find the next frame behind damage. The
//! spool's number keeps apart what belongs to it from bytes that look alike, as those of a spool within
//! a picture do.

use crc::{CRC_32_ISCSI, Crc, Table};

/// The first bytes of each frame.
pub const MAGIC: &[u8; 4] = b"PGSP";
/// The layout of header and payload.
pub const VERSION: u16 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 32;
/// Bytes of a payload at most.
pub const MAX_PAYLOAD: usize = 1 << 30;

/// Sixteen bytes at a time: a frame is a picture.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The spool's number.
    pub spool: u32,
    /// The pair's sequence number.
    pub sequence: u64,
}

/// A header that was read, and what its payload must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub header: Header,
    /// Bytes of the payload.
    pub length: usize,
    version: u16,
    crc: u32,
}

/// Puts a frame into `buffer`, in place of what is in it. The payload has at most [`MAX_PAYLOAD`] bytes.
pub fn write(buffer: &mut Vec<u8>, header: Header, payload: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(MAGIC);
    buffer.extend_from_slice(&VERSION.to_le_bytes());
    buffer.extend_from_slice(&[0; 2]);
    buffer.extend_from_slice(&header.spool.to_le_bytes());
    buffer.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&header.sequence.to_le_bytes());
    buffer.extend_from_slice(&CRC32C.checksum(payload).to_le_bytes());
    let crc = CRC32C.checksum(buffer);
    buffer.extend_from_slice(&crc.to_le_bytes());
    buffer.extend_from_slice(payload);
}

/// The checksum that spools use.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes)
}

impl Found {
    /// The header at the front of `bytes`; `None` where there is none that is whole.
    pub fn at(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let u32_at = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let is_whole = header.starts_with(MAGIC) && checksum(&header[..28]) == u32_at(28);
        let length = u32_at(12) as usize;
        let sequence = u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32;
        let version = u16::from_le_bytes([header[4], header[5]]);
        let header = Header { spool: u32_at(8), sequence };
        (is_whole && length <= MAX_PAYLOAD && sequence < u64::MAX).then(|| Self {
            header,
            length,
            version,
            crc: u32_at(24),
        })
    }

    /// Whether `payload` is this frame's, of a version that is read.
    pub fn is_of(&self, payload: &[u8]) -> bool {
        self.version == VERSION && payload.len() == self.length && checksum(payload) == self.crc
    }
}
