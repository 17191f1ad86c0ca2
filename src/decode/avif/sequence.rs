//! The sequence header of an AV1 stream, as far as it says what samples there are: they are counted
//! before they are allocated.

/// Whether samples are wider than 8 bits, and halves of one that a pixel has: 2 in grey, 3, 4 or 6
/// in colour. Of a header that cannot be read, the most that its profile permits.
pub(super) fn samples(header: &[u8]) -> (bool, u8) {
    let mut bits = Bits { bytes: header, at: 0 };
    let profile = bits.take(3).unwrap_or(2);
    let most = (true, if profile == 0 { 3 } else { 6 });
    parse(&mut bits, profile).unwrap_or(most)
}

fn parse(bits: &mut Bits<'_>, profile: u32) -> Option<(bool, u8)> {
    let _still = bits.take(1)?;
    let reduced = bits.flag()?;
    if reduced {
        bits.take(5)?;
    } else {
        operating_points(bits)?;
    }
    let (width, height) = (bits.take(4)? + 1, bits.take(4)? + 1);
    bits.skip(width + height)?;
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
    colours(bits, profile)
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

fn colours(bits: &mut Bits<'_>, profile: u32) -> Option<(bool, u8)> {
    let wide = bits.flag()?;
    let widest = profile == 2 && wide && bits.flag()?;
    if profile != 1 && bits.flag()? {
        return Some((wide, 2));
    }
    // Primaries, transfer and matrix: sRGB is never subsampled.
    let stated = if bits.flag()? { Some(bits.take(24)?) } else { None };
    if stated == Some(0x01_0d_00) {
        return Some((wide, 6));
    }
    bits.skip(1)?;
    Some(match profile {
        0 => (wide, 3),
        1 => (wide, 6),
        _ if !widest => (wide, 4),
        _ if !bits.flag()? => (wide, 6),
        _ => (wide, if bits.flag()? { 3 } else { 4 }),
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
