//! A first look at what a run has left of its journal.

use std::fs;
use std::io;
use std::path::Path;

use pairgate_core::wire::CRC32C;

use crate::disk::IoError;
use crate::journal::{Entry, Header, Part, Salvage, Terms};

/// A first look at the journal's last part.
pub(super) struct Survey {
    pub header: Header,
    /// What decided last.
    pub terms: Terms,
    /// Whether more is damaged than a frame that was being written.
    pub is_damaged: bool,
}

impl Survey {
    pub fn of(path: &Path) -> Result<Self, IoError> {
        let source = |why| IoError::Read { from: path.display().to_string(), why };
        let bytes = fs::metadata(path).map_err(source)?.len();
        let mut salvage = Salvage::open(path)?;
        let header = salvage.header().clone();
        let mut terms = header.terms.clone();
        let mut is_damaged = salvage.is_headless();
        if is_damaged && is_cut_header(path, salvage.bytes()).map_err(source)? {
            // It was being begun: the header is beside it, and there is nothing behind.
            return Ok(Self { header, terms, is_damaged: false });
        }
        while let Some(part) = salvage.next_part()? {
            match part {
                Part::Whole(Entry::Epoch(epoch)) => terms = epoch.terms,
                Part::Whole(_) => {}
                Part::Damage { from, to } => {
                    is_damaged |= to < bytes || !is_cut_frame(path, from, bytes).map_err(source)?;
                }
            }
        }
        Ok(Self { header, terms, is_damaged })
    }
}

/// Whether the file is the begin of a header, with zeros behind it perhaps.
fn is_cut_header(path: &Path, header: &[u8]) -> io::Result<bool> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(header.len() as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes.len() <= header.len() && header.starts_with(written(&bytes)))
}

/// What lies before the zeros that a file was filled up with.
fn written(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

/// Whether the bytes from `from` to the file's end are the begin of a frame, with zeros behind it perhaps
/// that the file was filled up with: what a killed run and a power cut leave.
fn is_cut_frame(path: &Path, from: u64, bytes: u64) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut rest = Vec::new();
    file.take(pairgate_core::wire::MAX_PAYLOAD as u64 + 16).read_to_end(&mut rest)?;
    let (there, written) = (bytes - from, written(&rest).len() as u64);
    let Some(length) = rest.first_chunk::<4>().filter(|_| written > 4) else { return Ok(true) };
    let length = u64::from(u32::from_le_bytes(*length));
    if length > pairgate_core::wire::MAX_PAYLOAD as u64 {
        return Ok(false);
    }
    let whole = length + pairgate_core::wire::FRAME_OVERHEAD as u64;
    Ok(whole > there || has_cut_checksum(&rest, length as usize, written as usize))
}

/// Whether of the checksum behind a payload of so many bytes not all is `written`, but what is is right.
fn has_cut_checksum(frame: &[u8], length: usize, written: usize) -> bool {
    let (payload, rest) = frame[4..].split_at(length);
    let right = CRC32C.checksum(payload).to_le_bytes();
    let there = written.saturating_sub(4 + length);
    there < right.len() && rest.starts_with(&right[..there])
}
