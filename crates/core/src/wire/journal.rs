//! The journal's format, which a board's firmware, the gate and the replay share.
//!
//! # Bytes
//! ```text
//! journal = magic frame(Header) frame(Record)*
//! magic   = "PAIRGATE"                               8 bytes
//! Record  = Record, or TrackedRecord in version 2
//! frame   = length: u32 LE, payload, crc: u32 LE     length counts the payload alone
//! crc     = CRC-32C (Castagnoli) of the payload
//! payload = the postcard encoding of Header or Record
//! ```
//! postcard is positional: a field or a discriminant is only ever added at the end, and then
//! [`FORMAT_VERSION`] grows. Integers are LEB128 varints (zigzag if signed), floats are 4 bytes
//! little-endian, a string is its length and its bytes, an `Option` is 0 or 1 and the value.
//!
//! | version | |
//! |---|---|
//! | 1 | one threshold, the header's |
//! | 2 | the threshold follows the scores: the header ends with the rule, and each record with the threshold that it was decided by |
//!
//! Version 2 is written only where the threshold moves; readers of version 1 refuse it by its number.
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
use crate::policy::TrackerRule;

/// First bytes of every journal.
pub const MAGIC: &[u8; 8] = b"PAIRGATE";
/// The format written where one threshold decides.
pub const FORMAT_VERSION: u16 = 1;
/// The format written where the threshold follows the scores.
pub const TRACKED_VERSION: u16 = 2;
/// Longest payload that a reader accepts, in bytes: keys and shard names are paths.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Bytes that a frame adds to its payload.
pub const FRAME_OVERHEAD: usize = 8;

/// What holds for all records of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT_VERSION`], or [`TRACKED_VERSION`] where `tracker` is set.
    pub version: u16,
    /// SHA-256 of the model bundle's manifest, which holds the digests of its files.
    pub model: Digest,
    /// SHA-256 of the settings that decisions depend on.
    pub config: Digest,
    /// Lowest score that passed, where it moves the first one; `None` where pairs were only scored.
    pub threshold: Option<f32>,
    /// How the threshold follows the scores; no bytes where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracker: Option<TrackerRule>,
}

impl Header {
    /// The header of a journal, in the version that it asks for: no rule moves what is not there.
    pub fn new(
        model: Digest,
        config: Digest,
        threshold: Option<f32>,
        tracker: Option<TrackerRule>,
    ) -> Self {
        let tracker = tracker.filter(|_| threshold.is_some());
        let version = if tracker.is_some() { TRACKED_VERSION } else { FORMAT_VERSION };
        Self { version, model, config, threshold, tracker }
    }

    /// The header in a frame's payload.
    ///
    /// # Errors
    /// [`WireError`] for a torn one and for other versions.
    pub fn read(payload: &[u8]) -> Result<Self, WireError> {
        let torn = |_| WireError::Torn { at: MAGIC.len() as u64 };
        // The version is first, so that it can be read whatever follows it.
        let (version, rest) = postcard::take_from_bytes::<u16>(payload).map_err(torn)?;
        match version {
            FORMAT_VERSION => {
                let (model, config, threshold) = postcard::from_bytes(rest).map_err(torn)?;
                Ok(Self { version, model, config, threshold, tracker: None })
            }
            TRACKED_VERSION => postcard::from_bytes(payload).map_err(torn),
            found => Err(WireError::Version { found }),
        }
    }
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

/// One decision of a journal whose threshold follows the scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackedRecord<'a> {
    /// The decision.
    #[serde(borrow)]
    pub record: Record<'a>,
    /// Lowest score that passed then.
    pub threshold: f32,
}

/// The record in a payload of a journal of this version, and the threshold that moved with it.
pub fn read_record(payload: &[u8], version: u16) -> Option<(Record<'_>, Option<f32>)> {
    if version == TRACKED_VERSION {
        let TrackedRecord { record, threshold } = postcard::from_bytes(payload).ok()?;
        return Some((record, Some(threshold)));
    }
    Some((postcard::from_bytes(payload).ok()?, None))
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

/// The same in a buffer that grows as it must; the payload may have `most` bytes.
///
/// # Errors
/// [`WireError::Full`] if it has more.
#[cfg(feature = "std")]
pub fn frame_growing<'b, T: Serialize>(
    value: &T,
    buffer: &'b mut Vec<u8>,
    most: usize,
) -> Result<&'b [u8], WireError> {
    buffer.clear();
    buffer.extend([0; 4]);
    let taken = std::mem::take(buffer);
    let full = |_| WireError::Full { bytes: most };
    *buffer = postcard::to_extend(value, taken).map_err(full)?;
    let length = buffer.len() - 4;
    if length > most {
        return Err(WireError::Full { bytes: most });
    }
    buffer[..4].copy_from_slice(&(length as u32).to_le_bytes());
    let crc = CRC32C.checksum(&buffer[4..]).to_le_bytes();
    buffer.extend(crc);
    Ok(buffer)
}

/// The frame at the front of `bytes`: its payload and the bytes behind it. `None` if it is
/// incomplete, damaged or longer than [`MAX_PAYLOAD`].
fn unframe(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    unframe_within(bytes, MAX_PAYLOAD)
}

/// The same with a payload of at most `most` bytes.
pub fn unframe_within(bytes: &[u8], most: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > most || length > rest.len() {
        return None;
    }
    let (payload, rest) = rest.split_at(length);
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    (CRC32C.checksum(payload) == u32::from_le_bytes(*crc)).then_some((payload, rest))
}

/// The payload of the frame that is all of `bytes`.
#[cfg(feature = "std")]
pub fn payload(bytes: &[u8]) -> Option<&[u8]> {
    unframe(bytes).filter(|(_, behind)| behind.is_empty()).map(|(payload, _)| payload)
}

/// Reads a journal that lies in memory, without copying.
#[derive(Debug, Clone)]
pub struct Journal<'a> {
    header: Header,
    bytes: &'a [u8],
    at: usize,
    torn: bool,
    threshold: Option<f32>,
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
        let header = Header::read(payload)?;
        let (at, threshold) = (bytes.len() - rest.len(), header.threshold);
        Ok(Self { header, bytes, at, torn: false, threshold })
    }

    /// Lowest score that passed when the record that was given last was decided; the header's before
    /// the first one.
    pub fn threshold(&self) -> Option<f32> {
        self.threshold
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
        let version = self.header.version;
        let record = unframe(rest)
            .and_then(|(payload, behind)| Some((read_record(payload, version)?, behind)));
        let Some(((record, threshold), behind)) = record else {
            self.torn = true;
            return Some(Err(WireError::Torn { at: self.offset() }));
        };
        self.at = self.bytes.len() - behind.len();
        self.threshold = threshold.or(self.threshold);
        Some(Ok(record))
    }
}
