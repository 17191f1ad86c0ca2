//! What a spool knew when it last removed a segment: a hint, which may be old, damaged or missing.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use super::frame::checksum;
use crate::disk::{Disk, IoError, Open, failed, partial_path};

const NAME: &str = "ledger";
const MAGIC: &[u8; 4] = b"PGSL";
const VERSION: u16 = 1;
const BYTES: usize = 32;

/// A spool's number, and how far it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ledger {
    pub id: u32,
    pub next: u64,
    pub acknowledged: u64,
}

impl Ledger {
    /// The ledger in `folder`, where it is whole.
    pub fn read(folder: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        File::open(folder.join(NAME)).ok()?.take(BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        let bytes: [u8; BYTES] = bytes.try_into().ok()?;
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let is_whole = bytes.starts_with(MAGIC)
            && bytes[4..6] == VERSION.to_le_bytes()
            && checksum(&bytes[..28]) == u32_at(28);
        let ledger = Self { id: u32_at(8), next: u64_at(12), acknowledged: u64_at(20) };
        Some(ledger).filter(|ledger| is_whole && ledger.id != 0)
    }

    /// Writes it, whole or not at all. Its name is not brought to disk: a hint may be old, and a folder
    /// whose sync has failed would hold nothing new for certain any more.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system refuses.
    pub fn write(&self, disk: &Disk, folder: &Path) -> Result<(), IoError> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.id.to_le_bytes());
        bytes.extend_from_slice(&self.next.to_le_bytes());
        bytes.extend_from_slice(&self.acknowledged.to_le_bytes());
        bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
        let path = folder.join(NAME);
        let partial = partial_path(&path).map_err(failed(&path))?;
        let mut file = disk.open(&partial, Open::Append)?;
        let written = file.set_len(0).and_then(|()| file.write_all(&bytes));
        written.and_then(|()| file.sync()).map_err(failed(&partial))?;
        disk.rename(&partial, &path)
    }
}
