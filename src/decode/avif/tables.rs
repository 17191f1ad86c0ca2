//! The tables of a file: which items there are, where they lie, and which properties are theirs.

use pairgate_core::decision::Reason;

use super::boxes::{Box4, Fields};

/// Bytes of a box of tables: they are looked through for each item.
const MAX_TABLE_BYTES: usize = 256 << 10;
/// Parts that one item's bytes lie in.
const MAX_EXTENTS: u64 = 64;

/// # Errors
/// [`Reason::ImageTooLarge`] for one that is too long to be looked through so often.
pub(super) fn table(part: Box4<'_>) -> Result<&[u8], Reason> {
    if part.data.len() > MAX_TABLE_BYTES { Err(Reason::ImageTooLarge) } else { Ok(part.data) }
}

/// The item that is the picture.
pub(super) fn primary(data: &[u8]) -> Option<u64> {
    let mut fields = Fields(data);
    let (version, _) = fields.version()?;
    fields.number(if version == 0 { 2 } else { 4 })
}

/// What a table says of an item.
pub(super) struct Info {
    pub id: u64,
    pub kind: [u8; 4],
    pub is_xmp: bool,
}

impl Info {
    pub fn read(data: &[u8]) -> Option<Self> {
        let mut fields = Fields(data);
        let width = match fields.version()?.0 {
            2 => 2,
            3 => 4,
            _ => return None,
        };
        let id = fields.number(width)?;
        // Protection.
        fields.number(2)?;
        let kind = fields.bytes(4)?.try_into().ok()?;
        // A name, then the kind of contents.
        let mut texts = fields.0.split(|&byte| byte == 0).skip(1);
        Some(Self { id, kind, is_xmp: texts.next() == Some(b"application/rdf+xml") })
    }
}

/// Where an item's bytes lie: in the file (0) or among the tables (1), and in which parts.
pub(super) struct Location {
    pub construction: u64,
    pub extents: Vec<(u64, u64)>,
}

/// The place of the item `wanted`, if it is in this file.
pub(super) fn location(table: &[u8], wanted: u64) -> Option<Location> {
    let mut fields = Fields(table);
    let (version, _) = fields.version()?;
    let widths = fields.number(2)? as usize;
    let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| widths >> shift & 15);
    let index = if version == 0 { 0 } else { index };
    if [offset, length, base, index].iter().any(|width| !matches!(width, 0 | 4 | 8)) {
        return None;
    }
    let width = if version < 2 { 2 } else { 4 };
    for _ in 0..fields.number(width)? {
        let id = fields.number(width)?;
        let construction = if version == 0 { 0 } else { fields.number(2)? & 15 };
        // The file itself.
        let reference = fields.number(2)?;
        let start = fields.number(base)?;
        let count = fields.number(2)?;
        let mut extents = Vec::new();
        for _ in 0..count {
            fields.number(index)?;
            let (at, length) = (fields.number(offset)?, fields.number(length)?);
            if id == wanted {
                extents.push((start.checked_add(at)?, length));
            }
        }
        if id == wanted {
            let usable = reference == 0 && count <= MAX_EXTENTS;
            return usable.then_some(Location { construction, extents });
        }
    }
    None
}

/// The places of the properties of the item `wanted`, from 1.
pub(super) fn associated(table: &[u8], wanted: u64) -> Option<Vec<usize>> {
    let mut fields = Fields(table);
    let (version, flags) = fields.version()?;
    let (item, index) = (if version == 0 { 2 } else { 4 }, if flags & 1 == 0 { 1 } else { 2 });
    for _ in 0..fields.number(4)? {
        let id = fields.number(item)?;
        let count = fields.number(1)? as usize;
        let indices = fields.bytes(count * index)?;
        if id == wanted {
            // The highest bit says whether a reader must know it.
            let mask = if index == 1 { 0x7f } else { 0x7fff };
            let of = |chunk: &[u8]| Fields(chunk).number(index).unwrap_or(0) as usize & mask;
            return Some(indices.chunks_exact(index).map(of).collect());
        }
    }
    None
}
