//! Blocks of coefficients out of entropy-coded bits.

use super::bits::{Bits, Chunk, Window};
use super::huffman::{END_OF_BLOCK, Kind, Skips, Table};

/// Coefficients of a block in natural (row-major) order, and a place for what lies past its end.
pub(super) type Block = [i16; 64 + 1];

/// Largest DC level of an 8-bit image.
pub(super) const MAX_LEVEL: i32 = 2047;

/// Positions in natural order by their place in the zigzag; past the end, a spare one.
pub(super) const NATURAL: [u8; 256] = {
    let mut natural = [64; 256];
    let (mut row, mut column, mut place) = (0, 0, 0);
    while place < 64 {
        natural[place] = (8 * row + column) as u8;
        // Even diagonals go up to the right, odd ones down to the left.
        let up = (row + column) % 2 == 0;
        if up && column == 7 || !up && row < 7 && column == 0 {
            row += 1;
        } else if up && row == 0 || !up && row == 7 {
            column += 1;
        } else if up {
            (row, column) = (row - 1, column + 1);
        } else {
            (row, column) = (row + 1, column - 1);
        }
        place += 1;
    }
    natural
};

/// Positions in natural order, in the order of the zigzag.
pub(super) fn natural_order() -> impl Iterator<Item = usize> {
    NATURAL[..64].iter().map(|&place| usize::from(place))
}

/// The tables of a component, and its last DC level.
pub(super) struct Decoder<'a> {
    pub dc: &'a Table,
    pub ac: &'a Table,
    /// Where blocks are passed over.
    pub skips: Option<Skips>,
    pub level: i32,
}

impl Decoder<'_> {
    /// Reads a block over one that is zero but for its spare place; says how many places of the
    /// zigzag may hold something else than zero. `None` for data that no encoder of 8-bit images
    /// writes.
    #[inline(always)]
    pub fn read(&mut self, bits: &mut Bits<'_>, block: &mut Block) -> Option<usize> {
        let mut window = bits.window;
        let chunk = bits.chunk();
        self.read_level(&mut window, chunk)?;
        block[0] = self.level as i16;
        let (mut place, mut last) = (1_usize, 1);
        'block: loop {
            window.refill(chunk);
            // A refill is enough for five looks.
            for _ in 0..5 {
                let mut entry = self.ac.look(window.peek());
                if entry == 0 {
                    window.refill(chunk);
                    entry = self.ac.search(window.peek(), Kind::Ac)?;
                    window.skip(entry & 0xff);
                    window.refill(chunk);
                } else {
                    window.skip(entry & 0xff);
                }
                place += (entry >> 8 & 0xff) as usize;
                block[usize::from(NATURAL[place & 0xff])] = (entry >> 16) as i16;
                place += 1;
                if place >= 64 {
                    break 'block;
                }
                last = place;
            }
        }
        bits.window = window;
        ended(place, last)
    }

    /// Reads past a block; its DC level alone is kept.
    #[inline(always)]
    pub fn skip(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if self.skips.is_none() {
            return self.read(bits, &mut [0; 65]).map(|_| ());
        }
        let mut window = bits.window;
        let chunk = bits.chunk();
        self.read_level(&mut window, chunk)?;
        let skips = self.skips.as_ref()?;
        let mut place = 1_usize;
        'block: loop {
            window.refill(chunk);
            for _ in 0..5 {
                let entry = skips.look(window.peek());
                let after = place + (entry >> 4 & 0x7f);
                if entry == 0 || after >= 64 {
                    // The block may end within what was looked at, and what follows is not of it.
                    place = self.skip_one(&mut window, chunk, place)?;
                    if place >= 64 {
                        break 'block;
                    }
                    break;
                }
                window.skip(entry as u32 & 15);
                place = after;
                if entry >> 15 != 0 {
                    bits.window = window;
                    return Some(());
                }
            }
        }
        bits.window = window;
        ended(place, 0).map(|_| ())
    }

    #[inline(never)]
    fn skip_one(&self, window: &mut Window, chunk: &Chunk, place: usize) -> Option<usize> {
        window.refill(chunk);
        let mut entry = self.ac.look(window.peek());
        if entry == 0 {
            entry = self.ac.search(window.peek(), Kind::Ac)?;
        }
        window.skip(entry & 0xff);
        Some(place + (entry >> 8 & 0xff) as usize + 1)
    }

    #[inline(always)]
    fn read_level(&mut self, window: &mut Window, chunk: &Chunk) -> Option<()> {
        window.refill(chunk);
        let mut entry = self.dc.look(window.peek());
        if entry == 0 {
            entry = self.dc.search(window.peek(), Kind::Dc)?;
        }
        window.skip(entry & 0xff);
        self.level += i32::from((entry >> 16) as i16);
        (self.level.abs() <= MAX_LEVEL).then_some(())
    }
}

/// The positions of a block that ended at `place`: full, or by the code for its end, after which
/// only zeros follow.
#[inline(always)]
fn ended(place: usize, last: usize) -> Option<usize> {
    match place {
        64 => Some(64),
        END_OF_BLOCK.. => Some(last),
        _ => None,
    }
}
