//! Blocks of a progressive file's scans: a band of the zigzag's places, to some bits, then further bits.

use super::bits::{Bits, Chunk, Window};
use super::blocks::{MAX_LEVEL, NATURAL};
use super::huffman::{END_OF_BLOCK, Kind, Table};

/// Blocks whose band has ended already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Band {
    /// How many of the next ones.
    pub run: u32,
}

impl Band {
    /// Reads the coefficients of the places `first` to `last` without their last `after` bits, over
    /// zeros; says how many places may hold something else than zero.
    #[inline(always)]
    pub fn read(
        &mut self,
        bits: &mut Bits<'_>,
        ac: &Table,
        (first, last): (usize, usize),
        after: u32,
        block: &mut [i16; 64],
    ) -> Option<usize> {
        if self.run > 0 {
            self.run -= 1;
            return Some(1);
        }
        let (mut window, chunk) = (bits.window, bits.chunk());
        let (mut place, mut end) = (first, 1);
        while place <= last {
            let entry = next(&mut window, chunk, ac, Kind::Band)?;
            let (advance, value) = ((entry >> 8 & 0xff) as usize, i32::from((entry >> 16) as i16));
            if advance == END_OF_BLOCK {
                self.run = blocks_that_end(&mut window, chunk, value) - 1;
                break;
            }
            place += advance;
            (place <= last).then_some(())?;
            block[usize::from(NATURAL[place])] = i16::try_from(value << after).ok()?;
            place += 1;
            end = place;
        }
        bits.window = window;
        Some(end)
    }

    /// Reads one more bit of the coefficients of the places `first` to `last`, the one above the last
    /// `after`; of a block of which `places` may hold something else than zero. Says how many may then.
    #[inline(always)]
    pub fn refine(
        &mut self,
        bits: &mut Bits<'_>,
        ac: &Table,
        (first, last): (usize, usize),
        after: u32,
        (block, mut places): (&mut [i16; 64], usize),
    ) -> Option<usize> {
        let (mut window, chunk) = (bits.window, bits.chunk());
        let bit = 1 << after;
        let mut place = first;
        if self.run == 0 {
            while place <= last {
                let entry = next(&mut window, chunk, ac, Kind::Band)?;
                let (advance, value) = ((entry >> 8 & 0xff) as usize, (entry >> 16) as i16);
                if advance == END_OF_BLOCK {
                    self.run = blocks_that_end(&mut window, chunk, value.into());
                    break;
                }
                (value.abs() <= 1).then_some(())?;
                // So many places that were zero stay so.
                let mut zeros = advance;
                loop {
                    if place >= places {
                        place += zeros;
                        (place <= last).then_some(())?;
                        break;
                    }
                    let coefficient = &mut block[usize::from(NATURAL[place])];
                    if *coefficient != 0 {
                        refine(&mut window, chunk, coefficient, bit);
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    place += 1;
                    (place <= last).then_some(())?;
                }
                if value != 0 {
                    block[usize::from(NATURAL[place])] = value * bit;
                    places = places.max(place + 1);
                }
                place += 1;
            }
        }
        if self.run > 0 {
            for place in place..(last + 1).min(places) {
                let coefficient = &mut block[usize::from(NATURAL[place])];
                if *coefficient != 0 {
                    refine(&mut window, chunk, coefficient, bit);
                }
            }
            self.run -= 1;
        }
        bits.window = window;
        Some(places)
    }
}

/// Reads a DC coefficient without its last `after` bits, by its difference to the one before.
#[inline(always)]
pub(super) fn read_level(
    bits: &mut Bits<'_>,
    dc: &Table,
    level: &mut i32,
    after: u32,
) -> Option<i16> {
    let (mut window, chunk) = (bits.window, bits.chunk());
    let entry = next(&mut window, chunk, dc, Kind::Dc)?;
    bits.window = window;
    *level += i32::from((entry >> 16) as i16);
    let whole = *level << after;
    (whole.abs() <= MAX_LEVEL).then_some(whole as i16)
}

/// One more bit of a coefficient that is not zero.
#[inline(always)]
fn refine(window: &mut Window, chunk: &Chunk, coefficient: &mut i16, bit: i16) {
    if window.bit(chunk) && *coefficient & bit == 0 {
        *coefficient += if *coefficient > 0 { bit } else { -bit };
    }
}

/// The next entry of a table.
#[inline(always)]
fn next(window: &mut Window, chunk: &Chunk, table: &Table, kind: Kind) -> Option<u32> {
    window.need(32, chunk);
    let mut entry = table.look(window.peek());
    if entry == 0 {
        entry = table.search(window.peek(), kind)?;
    }
    window.skip(entry & 0xff);
    Some(entry)
}

/// How many blocks end, this one among them: a power of two, and a number of as many bits.
#[inline(always)]
fn blocks_that_end(window: &mut Window, chunk: &Chunk, power: i32) -> u32 {
    window.need(15, chunk);
    let power = power as u32;
    let number = if power == 0 { 0 } else { window.peek() >> (32 - power) };
    window.skip(power);
    (1 << power) + number
}
