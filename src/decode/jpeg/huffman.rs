//! Huffman tables that give a coefficient in one look: its bits, the zeros before it and its value.

/// Bits that one look takes in: of 9 to 14, the fastest on photos.
pub(super) const LOOK: u32 = 11;

/// Bits that one look takes in where values do not count.
pub(super) const FAR_LOOK: u32 = 11;

/// Added to the position at the end of a block: more than any run can add.
pub(super) const END_OF_BLOCK: usize = 128;

/// Largest magnitude category of an 8-bit image: the difference of two DC levels.
const MAX_CATEGORY: u32 = 11;

/// A table of one scan.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// For the next [`LOOK`] bits: the value in the upper half, what is added to the position in
    /// the second byte, all bits of the coefficient in the lowest; 0 where they are not enough.
    looks: Box<[u32; 1 << LOOK]>,
    /// The same for the code alone: its symbol, and its length in the upper byte.
    codes: Box<[u16; 1 << LOOK]>,
    /// For each length, the first code that is longer, left-justified to 16 bits.
    limits: [u32; 17],
    /// For each length, what is added to a code to find its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

/// What a table's symbols mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Differences of DC levels.
    Dc,
    /// AC coefficients of whole blocks.
    Ac,
    /// AC coefficients of a progressive file's band: where a block ends, as many may end as bits that
    /// follow say. Their number is the entry's value; they are not among its bits.
    Band,
}

impl Table {
    /// The table of a DHT segment: 16 counts of codes by their length, then their symbols. `None`
    /// where codes do not fit their lengths.
    pub fn new(counts: &[u8; 16], symbols: &[u8], kind: Kind) -> Option<Self> {
        let (mut limits, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut first) = (0_u32, 0_usize);
        let (mut looks, mut codes) = (Box::new([0; 1 << LOOK]), Box::new([0; 1 << LOOK]));
        for length in 1..=16_u32 {
            let count = usize::from(counts[length as usize - 1]);
            offsets[length as usize] = first as i32 - code as i32;
            for symbol in symbols.get(first..first + count)? {
                if length <= LOOK && code < 1 << length {
                    let first = (code as usize) << (LOOK - length);
                    let end = first + (1 << (LOOK - length));
                    codes[first..end].fill((length as u16) << 8 | u16::from(*symbol));
                    fill(&mut looks[first..end], length, *symbol, kind);
                }
                code += 1;
            }
            first += count;
            // All ones is no code.
            if code > (1 << length) - u32::from(count > 0) {
                return None;
            }
            limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(Self { looks, codes, limits, offsets, symbols: symbols[..first].to_vec() })
    }

    /// The next coefficient's entry, by the next 32 bits.
    #[inline(always)]
    pub fn look(&self, bits: u32) -> u32 {
        self.looks[(bits >> (32 - LOOK)) as usize]
    }

    /// An entry as for [`look`](Self::look), for any next coefficient; `None` for no code, and for values
    /// beyond those of 8-bit images.
    #[inline(never)]
    pub fn search(&self, bits: u32, kind: Kind) -> Option<u32> {
        let code = self.codes[(bits >> (32 - LOOK)) as usize];
        let (symbol, length) = match code {
            0 => self.long_code(bits >> 16)?,
            _ => (code as u8, u32::from(code >> 8)),
        };
        let (advance, category) = meaning(symbol, kind);
        if category > MAX_CATEGORY {
            return None;
        }
        Some(entry(value(bits << length, symbol, advance, category), advance, length + category))
    }

    /// The symbol of a code of more than [`LOOK`] bits, by the next 16 bits, and its length.
    fn long_code(&self, bits: u32) -> Option<(u8, u32)> {
        let length = (LOOK + 1..=16).find(|&length| bits < self.limits[length as usize])?;
        let place = (bits >> (16 - length)) as i32 + self.offsets[length as usize];
        Some((*self.symbols.get(usize::try_from(place).ok()?)?, length))
    }
}

fn entry(value: i32, advance: usize, bits: u32) -> u32 {
    (value as u32) << 16 | (advance as u32) << 8 | bits
}

/// Writes the entries of all bits that start with a code of `length`, where they hold its value too.
fn fill(looks: &mut [u32], length: u32, symbol: u8, kind: Kind) {
    let (advance, category) = meaning(symbol, kind);
    let bits = length + category;
    if bits > LOOK || category > MAX_CATEGORY {
        return;
    }
    // Each value, repeated for what follows it.
    let repeats = 1_usize << (LOOK - bits);
    for (number, looks) in looks.chunks_exact_mut(repeats).enumerate() {
        let number = (number as u32).checked_shl(32 - category).unwrap_or(0);
        let value = value(number, symbol, advance, category);
        looks.fill(entry(value, advance, bits));
    }
}

/// What a symbol adds to the position, and the category of the value that follows it.
fn meaning(symbol: u8, kind: Kind) -> (usize, u32) {
    let (run, category) = (usize::from(symbol >> 4), u32::from(symbol & 15));
    match kind {
        Kind::Dc => (0, u32::from(symbol)),
        Kind::Ac | Kind::Band if category == 0 && run < 15 => (END_OF_BLOCK, 0),
        Kind::Ac | Kind::Band => (run, category),
    }
}

/// The value of a category whose bits are the highest of `bits`; at a block's end, the bits that say how
/// many end there.
fn value(bits: u32, symbol: u8, advance: usize, category: u32) -> i32 {
    if category == 0 {
        return if advance == END_OF_BLOCK { i32::from(symbol >> 4) } else { 0 };
    }
    let number = (bits >> (32 - category)) as i32;
    if number >> (category - 1) == 0 { number - ((1 << category) - 1) } else { number }
}

/// Several AC coefficients at a look, whose values do not count.
#[derive(Debug)]
pub(super) struct Skips {
    /// For the next [`FAR_LOOK`] bits: how many of them whole coefficients take, in the low 4 bits;
    /// the places of those coefficients in the next 7; in the highest, whether the block ends there.
    looks: Box<[u16; 1 << FAR_LOOK]>,
}

impl Skips {
    pub fn new(table: &Table) -> Self {
        let mut looks = Box::new([0; 1 << FAR_LOOK]);
        for (bits, look) in looks.iter_mut().enumerate() {
            *look = skip(table, (bits as u32) << (32 - FAR_LOOK));
        }
        Self { looks }
    }

    /// The entry for the next 32 bits; 0 where not one coefficient is whole in those looked at.
    #[inline(always)]
    pub fn look(&self, bits: u32) -> usize {
        self.looks[(bits >> (32 - FAR_LOOK)) as usize].into()
    }
}

/// The coefficients that are whole in the first [`FAR_LOOK`] of `bits`.
fn skip(table: &Table, bits: u32) -> u16 {
    let (mut taken, mut places) = (0, 0);
    loop {
        let entry = table.look(bits << taken);
        let (length, advance) = (entry & 0xff, (entry >> 8 & 0xff) as usize);
        if entry == 0 || taken + length > FAR_LOOK {
            return taken as u16 | places << 4;
        }
        taken += length;
        if advance == END_OF_BLOCK {
            return taken as u16 | places << 4 | 1 << 15;
        }
        places += advance as u16 + 1;
        // Beyond a block's places nothing is whole; the bits of the number are enough for one more.
        if places >= 64 {
            return taken as u16 | places << 4;
        }
    }
}
