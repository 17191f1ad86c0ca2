//! The sequence header of an AV1 stream, as far as it says what samples there are, which are counted
//! before they are allocated, and what colours.

/// Colours of which nothing is said.
pub(super) const UNSPECIFIED: u64 = 2;

/// What a header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    /// Pixels that a frame has at most.
    pub pixels: u64,
    /// Samples are wider than 8 bits.
    pub wide: bool,
    /// Halves of a sample that a pixel has: 2 in grey, 3, 4 or 6 in colour.
    pub halves: u8,
    pub primaries: u64,
    pub matrix: u64,
}

/// Reads a header; of one that cannot be read, the most that its profile permits.
pub(super) fn read(header: &[u8]) -> Sequence {
    let mut bits = Bits { bytes: header, at: 0 };
    let profile = bits.take(3).unwrap_or(2);
    parse(&mut bits, profile).unwrap_or(Sequence {
        pixels: u64::MAX,
        wide: true,
        halves: if profile == 0 { 3 } else { 6 },
        primaries: UNSPECIFIED,
        matrix: UNSPECIFIED,
    })
}

fn parse(bits: &mut Bits<'_>, profile: u32) -> Option<Sequence> {
    let _still = bits.take(1)?;
    let reduced = bits.flag()?;
    if reduced {
        bits.take(5)?;
    } else {
        operating_points(bits)?;
    }
    let (width, height) = (bits.take(4)? + 1, bits.take(4)? + 1);
    let pixels = (u64::from(bits.take(width)?) + 1) * (u64::from(bits.take(height)?) + 1);
    if !reduced && bits.flag()? {
        // Numbers of frames.
        bits.skip(7)?;
    }
    // Tools: superblocks, filters.
    bits.skip(3)?;
    if !reduced {
        tools(bits)?;
    }
    bits.skip(3)?;
    colours(bits, profile, pixels)
}

/// Times, and what is said of each point at which the stream may be decoded.
fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?;
        if bits.flag()? {
            let zeros = bits.zeros()?;
            bits.skip(zeros)?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.take(5)? + 1);
            bits.skip(42)?;
        }
    }
    let has_delay = bits.flag()?;
    for _ in 0..=bits.take(5)? {
        bits.skip(12)?;
        if bits.take(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

/// What only films use.
fn tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4)?;
    let has_order = bits.flag()?;
    if has_order {
        bits.skip(2)?;
    }
    let chooses = bits.flag()?;
    let screen = if chooses { true } else { bits.flag()? };
    if screen && !bits.flag()? {
        bits.skip(1)?;
    }
    if has_order { bits.skip(3) } else { Some(()) }
}

fn colours(bits: &mut Bits<'_>, profile: u32, pixels: u64) -> Option<Sequence> {
    let wide = bits.flag()?;
    let widest = profile == 2 && wide && bits.flag()?;
    let grey = profile != 1 && bits.flag()?;
    // Primaries, transfer and matrix.
    let stated = if bits.flag()? { Some(bits.take(24)?) } else { None };
    let field = |shift: u32| stated.map_or(UNSPECIFIED, |all| u64::from(all >> shift & 255));
    let halves = if grey { 2 } else { halves(bits, profile, widest, stated)? };
    Some(Sequence { pixels, wide, halves, primaries: field(16), matrix: field(0) })
}

fn halves(bits: &mut Bits<'_>, profile: u32, widest: bool, stated: Option<u32>) -> Option<u8> {
    // sRGB is never subsampled.
    if stated == Some(0x01_0d_00) {
        return Some(6);
    }
    // Whether all levels are used.
    bits.skip(1)?;
    Some(match profile {
        0 => 3,
        1 => 6,
        _ if !widest => 4,
        _ if !bits.flag()? => 6,
        _ => {
            if bits.flag()? {
                3
            } else {
                4
            }
        }
    })
}

/// Bits from the highest of a byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit == 1)
    }

    fn skip(&mut self, count: u32) -> Option<()> {
        self.at += count as usize;
        (self.at <= 8 * self.bytes.len()).then_some(())
    }

    /// Zeros up to the next one, which is passed.
    fn zeros(&mut self) -> Option<u32> {
        let mut count = 0;
        while !self.flag()? {
            count += 1;
        }
        Some(count)
    }
}
