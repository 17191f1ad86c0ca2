//! Directories of tags, as TIFF files and EXIF hold them.

/// A file of directories, in either byte order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tagged<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// BigTIFF: counts and offsets have 64 bits.
    wide: bool,
}

/// One tag of a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub tag: u16,
    pub kind: u16,
    /// The values' bytes, in the file's order; `None` where they lie past the file's end.
    pub data: Option<&'a [u8]>,
    big_endian: bool,
}

impl<'a> Tagged<'a> {
    /// The file that begins with a TIFF header, and where its first directory begins. Two headers
    /// that mix both byte orders are taken too: some programs write them.
    pub fn open(bytes: &'a [u8]) -> Option<(Self, u64)> {
        let (big_endian, wide) = match bytes {
            [b'I', b'I', 42, 0, ..] | [b'I', b'I', 0, 42, ..] => (false, false),
            [b'M', b'M', 0, 42, ..] | [b'M', b'M', 42, 0, ..] => (true, false),
            [b'I', b'I', 43, 0, 8, 0, 0, 0, ..] => (false, true),
            [b'M', b'M', 0, 43, 0, 8, 0, 0, ..] => (true, true),
            _ => return None,
        };
        let file = Self { bytes, big_endian, wide };
        let first = if wide { file.unsigned::<8>(8) } else { file.unsigned::<4>(4) };
        Some((file, first?))
    }

    pub fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// The entries of the directory at `offset`, up to the file's end.
    pub fn entries(&self, offset: u64) -> Entries<'a> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let (count, header) = match self.wide {
            true => (self.unsigned::<8>(offset), 8),
            false => (self.unsigned::<2>(offset), 2),
        };
        let next = offset.saturating_add(header);
        Entries { file: *self, next, left: count.unwrap_or(0), cut: count.is_none() }
    }

    /// `N` bytes at `at` as an unsigned number.
    fn unsigned<const N: usize>(&self, at: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(N)?)?;
        Some(unsigned(bytes, self.big_endian))
    }

    fn entry(&self, at: usize) -> Option<Entry<'a>> {
        // Whole entries only, so that no place within one can overflow.
        let bytes = if self.wide { 20 } else { 12 };
        self.bytes.get(at..at.checked_add(bytes)?)?;
        let (tag, kind) = (self.unsigned::<2>(at)? as u16, self.unsigned::<2>(at + 2)? as u16);
        let (count, inline) = match self.wide {
            true => (self.unsigned::<8>(at + 4)?, at + 12),
            false => (self.unsigned::<4>(at + 4)?, at + 8),
        };
        let room = if self.wide { 8 } else { 4 };
        let room = self.bytes.get(inline..inline + room)?;
        let length = usize::try_from(count.saturating_mul(bytes_each(kind))).unwrap_or(usize::MAX);
        let data = room.get(..length).or_else(|| {
            let start = usize::try_from(unsigned(room, self.big_endian)).ok()?;
            self.bytes.get(start..start.checked_add(length)?)
        });
        Some(Entry { tag, kind, data, big_endian: self.big_endian })
    }
}

/// The entries of one directory, in the file's order.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    file: Tagged<'a>,
    next: usize,
    left: u64,
    cut: bool,
}

impl Entries<'_> {
    /// Whether, at the end of them, some were said to be there that are not.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    /// `None` after the last, or where the file ends within an entry.
    fn next(&mut self) -> Option<Entry<'a>> {
        self.left = self.left.checked_sub(1)?;
        let entry = self.file.entry(self.next);
        self.cut = entry.is_none();
        let entry = entry?;
        self.next += if self.file.wide { 20 } else { 12 };
        Some(entry)
    }
}

impl Entry<'_> {
    /// How many values there are; 0 where they lie past the file's end or are of an unknown kind.
    pub fn len(&self) -> usize {
        let each = bytes_each(self.kind) as usize;
        self.data.unwrap_or_default().len().checked_div(each).unwrap_or(0)
    }

    /// Value `index` where it is a whole number from 0.
    pub fn whole(&self, index: usize) -> Option<u64> {
        let value = self.bits(index)?;
        match self.kind {
            1 | 3 | 4 | 13 | 16 | 18 => Some(value),
            6 => u64::try_from(value as i8).ok(),
            8 => u64::try_from(value as i16).ok(),
            9 => u64::try_from(value as i32).ok(),
            17 => u64::try_from(value as i64).ok(),
            _ => None,
        }
    }

    /// Value `index` of any kind that is a number, bytes and texts left out.
    pub fn number(&self, index: usize) -> Option<f64> {
        let value = self.bits(index)?;
        let (low, high) = (value as u32, (value >> 32) as u32);
        // The first half of a fraction is its numerator.
        let (above, below) = if self.big_endian { (high, low) } else { (low, high) };
        Some(match self.kind {
            3 | 4 | 13 | 16 => value as f64,
            5 => f64::from(above) / f64::from(below),
            6 => f64::from(value as i8),
            8 => f64::from(value as i16),
            9 => f64::from(value as i32),
            10 => f64::from(above as i32) / f64::from(below as i32),
            11 => f64::from(f32::from_bits(low)),
            12 => f64::from_bits(value),
            _ => return None,
        })
    }

    fn bits(&self, index: usize) -> Option<u64> {
        let each = bytes_each(self.kind) as usize;
        let start = index.checked_mul(each)?;
        let bytes = self.data?.get(start..start.checked_add(each)?)?;
        (!bytes.is_empty()).then(|| unsigned(bytes, self.big_endian))
    }
}

/// Up to eight bytes as a number.
fn unsigned(bytes: &[u8], big_endian: bool) -> u64 {
    let step = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if big_endian { bytes.iter().fold(0, step) } else { bytes.iter().rev().fold(0, step) }
}

/// The size of a value; 0 for a kind that is not known.
fn bytes_each(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 0,
    }
}
