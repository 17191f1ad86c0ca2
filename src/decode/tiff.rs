//! The first directory of a TIFF, walked before its decoder sees it: the decoder allocates what
//! an entry states before it looks whether the file is that long.

use pairgate_core::decision::Reason;

/// Values of one entry; a 40-megapixel image in tiles of 16 by 16 has 156,250 offsets.
const MAX_VALUES: u32 = 1 << 18;

const ENTRY_BYTES: usize = 12;

/// Checks that every entry's values lie in the file and that there are not too many of them.
///
/// # Errors
/// [`Reason::ImageTruncated`] where values or the directory lie past the end,
/// [`Reason::ImageTooLarge`] where there are too many.
pub(super) fn check(bytes: &[u8]) -> Result<(), Reason> {
    check_entries(&Reader { bytes, big_endian: bytes.starts_with(b"M") })
}

fn check_entries(file: &Reader<'_>) -> Result<(), Reason> {
    let start = file.u32(4)? as usize;
    let count = usize::from(file.u16(start)?);
    for entry in (0..count).map(|i| start.saturating_add(2 + i * ENTRY_BYTES)) {
        let (tag, kind) = (file.u16(entry)?, file.u16(entry + 2)?);
        let (values, offset) = (file.u32(entry + 4)?, file.u32(entry + 8)?);
        if is_opaque(tag) {
            continue;
        }
        let length = u64::from(values) * bytes_each(kind);
        if length > 4 && u64::from(offset) + length > file.bytes.len() as u64 {
            return Err(Reason::ImageTruncated);
        }
        if values > MAX_VALUES {
            return Err(Reason::ImageTooLarge);
        }
    }
    Ok(())
}

/// Metadata that are never asked for: XMP, IPTC, Photoshop's, ICC.
fn is_opaque(tag: u16) -> bool {
    matches!(tag, 700 | 33723 | 34377 | 34675 | 37724)
}

/// The size of a value; unknown types are skipped by the decoder.
fn bytes_each(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 0,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Reader<'_> {
    fn u16(&self, at: usize) -> Result<u16, Reason> {
        let value = self.array(at)?;
        Ok(if self.big_endian { u16::from_be_bytes(value) } else { u16::from_le_bytes(value) })
    }

    fn u32(&self, at: usize) -> Result<u32, Reason> {
        let value = self.array(at)?;
        Ok(if self.big_endian { u32::from_be_bytes(value) } else { u32::from_le_bytes(value) })
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Reason> {
        let rest = self.bytes.get(at..).ok_or(Reason::ImageTruncated)?;
        rest.first_chunk().copied().ok_or(Reason::ImageTruncated)
    }
}
