//! The journal's format, which a board's firmware, the gate and the replay share.
//!
//! # Bytes
//! ```text
//! journal = magic frame(Header) frame(Record)*
//! magic   = "PAIRGATE"                               8 bytes
//! frame   = length: u32 LE, payload, crc: u32 LE     length counts the payload alone
//! crc     = CRC-32C (Castagnoli) of the payload
//! payload = the postcard encoding of Header or Record
//! ```
//! postcard is positional: a field or a discriminant is only ever added at the end, and then
//! [`FORMAT_VERSION`] grows. Integers are LEB128 varints (zigzag if signed), floats are 4 bytes
//! little-endian, a string is its length and its bytes, an `Option` is 0 or 1 and the value.
//!
//! Nothing in a journal depends on the time, the host or the number of workers: the same input,
//! model and config give the same bytes.
//!
//! A reader stops at the first frame that is incomplete or whose checksum differs and says where;
//! all frames before it are whole.

use serde::{Deserialize, Serialize};

use super::CRC32C;
use crate::decision::{Decision, Facts, Reason, Verdict};
use crate::error::WireError;
use crate::pair::{Digest, Uid};

/// First bytes of every journal.
pub const MAGIC: &[u8; 8] = b"PAIRGATE";
/// The format written; older ones are read.
pub const FORMAT_VERSION: u16 = 1;
/// Longest payload that a reader accepts, in bytes: keys and shard names are paths.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Bytes that a frame adds to its payload.
pub const FRAME_OVERHEAD: usize = 8;

/// What holds for all records of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// See [`FORMAT_VERSION`].
    pub version: u16,
    /// SHA-256 of the model bundle's manifest, which holds the digests of its files.
    pub model: Digest,
    /// SHA-256 of the settings that decisions depend on.
    pub config: Digest,
    /// Lowest score that passed; `None` where pairs were only scored.
    pub threshold: Option<f32>,
}

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// The sample's identity.
    pub uid: Uid,
    /// The sample's key in its source.
    pub key: &'a str,
    /// The shard, folder or manifest that it came from.
    pub shard: &'a str,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What was measured.
    pub facts: Facts,
}

impl Record<'_> {
    /// The decision that the record holds.
    pub fn decision(&self) -> Decision {
        Decision { verdict: self.verdict, reason: self.reason, facts: self.facts }
    }
}

/// Writes one frame to the front of `buffer` and gives the part used.
///
/// # Errors
/// [`WireError::Full`] if the buffer is too small, or the payload longer than [`MAX_PAYLOAD`].
pub fn frame<'b, T: Serialize>(value: &T, buffer: &'b mut [u8]) -> Result<&'b [u8], WireError> {
    let full = WireError::Full { bytes: buffer.len() };
    let body = buffer.get_mut(4..).ok_or(full)?;
    let length = postcard::to_slice(value, body).map_err(|_| full)?.len();
    if length > MAX_PAYLOAD {
        // No reader would take it.
        return Err(WireError::Full { bytes: MAX_PAYLOAD });
    }
    let (payload, rest) = body.split_at_mut(length);
    let crc = CRC32C.checksum(payload).to_le_bytes();
    rest.get_mut(..4).ok_or(full)?.copy_from_slice(&crc);
    buffer[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(&buffer[..length + FRAME_OVERHEAD])
}

/// The frame at the front of `bytes`: its payload and the bytes behind it. `None` if it is
/// incomplete, damaged or longer than [`MAX_PAYLOAD`].
fn unframe(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_PAYLOAD || length > rest.len() {
        return None;
    }
    let (payload, rest) = rest.split_at(length);
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    (CRC32C.checksum(payload) == u32::from_le_bytes(*crc)).then_some((payload, rest))
}

/// The payload of the frame that is all of `bytes`.
#[cfg(feature = "std")]
pub(crate) fn payload(bytes: &[u8]) -> Option<&[u8]> {
    unframe(bytes).filter(|(_, behind)| behind.is_empty()).map(|(payload, _)| payload)
}

/// The record in the frame that is all of `bytes`.
#[cfg(feature = "std")]
pub(crate) fn record(bytes: &[u8]) -> Option<Record<'_>> {
    postcard::from_bytes(payload(bytes)?).ok()
}

/// Reads a journal that lies in memory, without copying.
#[derive(Debug, Clone)]
pub struct Journal<'a> {
    header: Header,
    bytes: &'a [u8],
    at: usize,
    torn: bool,
}

impl<'a> Journal<'a> {
    /// Reads the header; the records follow by iteration.
    ///
    /// # Errors
    /// [`WireError`] for other files, other versions and a torn header.
    pub fn open(bytes: &'a [u8]) -> Result<Self, WireError> {
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
            return Err(WireError::Torn { at: 0 });
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(WireError::NotAJournal)?;
        let torn = WireError::Torn { at: MAGIC.len() as u64 };
        let (payload, rest) = unframe(body).ok_or(torn)?;
        // The version is first, so that it can be read whatever follows it.
        let (version, _) = postcard::take_from_bytes::<u16>(payload).map_err(|_| torn)?;
        if version != FORMAT_VERSION {
            return Err(WireError::Version { found: version });
        }
        let header = postcard::from_bytes(payload).map_err(|_| torn)?;
        Ok(Self { header, bytes, at: bytes.len() - rest.len(), torn: false })
    }

    /// The journal's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Offset of the next frame.
    pub fn offset(&self) -> u64 {
        self.at as u64
    }
}

impl<'a> Iterator for Journal<'a> {
    type Item = Result<Record<'a>, WireError>;

    /// The next record. A torn frame is given once, as an error, and ends the iteration.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() || self.torn {
            return None;
        }
        let record = unframe(rest)
            .and_then(|(payload, behind)| Some((postcard::from_bytes(payload).ok()?, behind)));
        let Some((record, behind)) = record else {
            self.torn = true;
            return Some(Err(WireError::Torn { at: self.offset() }));
        };
        self.at = self.bytes.len() - behind.len();
        Some(Ok(record))
    }
}
