//! Boxes of the ISO base media file format: a length, four letters, and what is in it.

/// One box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Box4<'a> {
    pub kind: [u8; 4],
    pub data: &'a [u8],
    /// It is said to be longer than what it lies in.
    pub cut: bool,
}

/// The boxes in `data`, in order.
pub(super) fn boxes(data: &[u8]) -> Boxes<'_> {
    Boxes { rest: data }
}

pub(super) struct Boxes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Box4<'a>;

    fn next(&mut self) -> Option<Box4<'a>> {
        let mut fields = Fields(self.rest);
        let (length, kind) = (fields.number(4)?, fields.bytes(4)?);
        let length = match length {
            // The rest.
            0 => self.rest.len() as u64,
            1 => fields.number(8)?,
            length => length,
        };
        let head = self.rest.len() - fields.0.len();
        let length = usize::try_from(length).unwrap_or(usize::MAX).checked_sub(head)?;
        let cut = length > fields.0.len();
        let (data, rest) = fields.0.split_at(length.min(fields.0.len()));
        self.rest = rest;
        Some(Box4 { kind: kind.try_into().ok()?, data, cut })
    }
}

/// Whether the file's type, or one that it is compatible with, is among `brands`.
pub(super) fn has_brand(bytes: &[u8], brands: &[&[u8; 4]]) -> bool {
    let Some(first) = boxes(bytes).next().filter(|first| first.kind == *b"ftyp") else {
        return false;
    };
    // The second four bytes are a version.
    let named = first.data.as_chunks::<4>().0.iter().enumerate().filter(|(index, _)| *index != 1);
    named.take(64).any(|(_, brand)| brands.contains(&brand))
}

/// Big-endian fields, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// A number of up to 8 bytes; of none, 0.
    pub fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.bytes(bytes)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Version and flags of a full box.
    pub fn version(&mut self) -> Option<(u8, u32)> {
        let both = self.number(4)? as u32;
        Some(((both >> 24) as u8, both & 0x00ff_ffff))
    }
}
