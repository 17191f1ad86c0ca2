//! Bilevel rows as facsimile machines send them: modified Huffman, Group 3 (ITU-T T.4) and Group 4
//! (T.6). The code tables are those of the `fax` crate; rows and their ends are read as libtiff
//! reads them. A set bit is black.

use std::io::{Error, ErrorKind, Read, Result};

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, Bits};

/// How rows are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each by itself, from a whole byte or a whole pair of bytes on.
    Rows { word_aligned: bool },
    /// Each after an end-of-line code; with `two_dimensional`, a bit says which are coded by
    /// the row above.
    Group3 { two_dimensional: bool },
    /// Each by the row above.
    Group4,
}

/// The rows of one strip or tile.
pub(super) struct Fax<'a> {
    bits: Source<'a>,
    kind: Kind,
    width: u32,
    /// Group 3 whose rows have an end-of-line code.
    has_ends: bool,
    /// Where the colour changes in the row that is read, and in the one above.
    changes: Vec<u32>,
    above: Vec<u32>,
    /// The packed row, and how much of it has been given.
    row: Vec<u8>,
    given: usize,
    rows: u64,
    /// No rows are left; what is missing is white.
    ended: bool,
    /// The data are said to be longer than they are: nothing is made up for what is missing.
    cut: bool,
}

impl<'a> Fax<'a> {
    pub fn new(bytes: &'a [u8], kind: Kind, width: u32, mirrored: bool, cut: bool) -> Self {
        let bits = Source { bytes, mirrored, at: 0 };
        let row = vec![0; (width as usize).div_ceil(8)];
        Self {
            has_ends: matches!(kind, Kind::Group3 { .. }) && bits.has_line_end(),
            bits,
            kind,
            width,
            changes: Vec::new(),
            above: Vec::new(),
            given: row.len(),
            row,
            rows: 0,
            ended: false,
            cut,
        }
    }

    fn next_row(&mut self) -> Result<()> {
        std::mem::swap(&mut self.changes, &mut self.above);
        self.changes.clear();
        if !self.ended {
            self.decode_row()?;
        }
        self.pack();
        (self.given, self.rows) = (0, self.rows + 1);
        Ok(())
    }

    fn decode_row(&mut self) -> Result<()> {
        match self.kind {
            Kind::Rows { word_aligned } => {
                self.alone()?;
                self.bits.align(if word_aligned { 16 } else { 8 });
                Ok(())
            }
            Kind::Group3 { two_dimensional } => {
                if self.has_ends && !self.bits.pass_line_end() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                if two_dimensional && self.bits.take(1)? == 0 {
                    self.by_above()
                } else {
                    self.alone()
                }
            }
            Kind::Group4 => self.by_above(),
        }
    }

    /// A row by itself: runs of white and black in turn.
    fn alone(&mut self) -> Result<()> {
        let (mut at, mut is_black) = (0, false);
        while at < self.width {
            // The rest is white.
            if self.has_ends && self.bits.is_line_end() {
                break;
            }
            at = at.saturating_add(self.run(is_black)?);
            self.change(at)?;
            is_black = !is_black;
        }
        Ok(())
    }

    /// A row by the one above.
    fn by_above(&mut self) -> Result<()> {
        let (mut at, mut is_black, mut next) = (0, false, 0);
        let mut is_start = true;
        while at < self.width {
            let Some(mode) = self.mode()? else { return Ok(()) };
            // The first change above to the right of here, to the other colour.
            while !is_start && self.above.get(next).is_some_and(|&change| change <= at) {
                next += 1;
            }
            let to_other = next + usize::from(next % 2 != usize::from(is_black));
            let change = |index: usize| self.above.get(index).copied().unwrap_or(self.width);
            let (first, second) = (change(to_other), change(to_other + 1));
            match mode {
                Mode::Pass => at = second,
                Mode::Vertical(by) => {
                    at = at_least(first.saturating_add_signed(by.into()), at)?;
                    self.change(at)?;
                    is_black = !is_black;
                }
                _ => {
                    for colour in [is_black, !is_black] {
                        at = at.saturating_add(self.run(colour)?);
                        self.change(at)?;
                    }
                }
            }
            is_start = false;
        }
        Ok(())
    }

    /// `None` where the rows end before the row's end.
    fn mode(&mut self) -> Result<Option<Mode>> {
        if self.has_ends && self.bits.is_line_end() {
            return Ok(None);
        }
        match mode::decode(&mut self.bits) {
            Some(mode @ (Mode::Pass | Mode::Vertical(_) | Mode::Horizontal)) => Ok(Some(mode)),
            // Of rows that were not sent nothing is known but that others were.
            Some(Mode::EOF) | None if self.rows > 0 && !self.cut && self.kind == Kind::Group4 => {
                self.ended = true;
                Ok(None)
            }
            _ if self.bits.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// The length of a run: any number of make-up codes and a last one below 64.
    fn run(&mut self, is_black: bool) -> Result<u32> {
        let mut length = 0u32;
        loop {
            let code = match is_black {
                true => black::decode(&mut self.bits),
                false => white::decode(&mut self.bits),
            };
            let part = match code {
                Some(part) => u32::from(part),
                None if self.bits.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
                None => return Err(ErrorKind::InvalidData.into()),
            };
            length = length.saturating_add(part);
            if part < 64 {
                return Ok(length);
            }
        }
    }

    /// Notes a change; runs of nothing could make a row's list endless.
    fn change(&mut self, at: u32) -> Result<()> {
        if self.changes.len() > 2 * self.width as usize + 8 {
            return Err(ErrorKind::InvalidData.into());
        }
        self.changes.push(at.min(self.width));
        Ok(())
    }

    /// The row's changes as bits.
    fn pack(&mut self) {
        self.row.fill(0);
        for run in self.changes.chunks(2) {
            let end = run.get(1).copied().unwrap_or(self.width);
            set_bits(&mut self.row, run[0] as usize, end as usize);
        }
    }
}

fn at_least(at: u32, before: u32) -> Result<u32> {
    if at < before { Err(Error::from(ErrorKind::InvalidData)) } else { Ok(at) }
}

/// Sets the bits from `start` to before `end`, the highest of a byte first.
fn set_bits(row: &mut [u8], start: usize, end: usize) {
    for at in start..end {
        // Whole bytes at once.
        row[at / 8] |= 0x80 >> (at % 8);
    }
}

impl Read for Fax<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.given == self.row.len() {
            self.next_row()?;
        }
        let read = (&self.row[self.given..]).read(into)?;
        self.given += read;
        Ok(read)
    }
}

/// Zeros after the last bit, so that a code's end need not be filled up.
const PADDING: usize = 16;

/// Bits from the highest of a byte on, or from the lowest.
struct Source<'a> {
    bytes: &'a [u8],
    mirrored: bool,
    at: usize,
}

impl Source<'_> {
    fn is_empty(&self) -> bool {
        self.at >= 8 * self.bytes.len()
    }

    fn byte(&self, index: usize) -> u32 {
        let byte = self.bytes.get(index).copied().unwrap_or(0);
        u32::from(if self.mirrored { byte.reverse_bits() } else { byte })
    }

    /// Up to 16 bits at `at`, with zeros after the end.
    fn look(&self, at: usize, count: u8) -> u16 {
        let first = at / 8;
        let three = self.byte(first) << 16 | self.byte(first + 1) << 8 | self.byte(first + 2);
        (three >> (24 - at % 8 - usize::from(count)) & ((1 << count) - 1)) as u16
    }

    fn take(&mut self, count: u8) -> Result<u16> {
        if self.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let bits = self.look(self.at, count);
        self.at += usize::from(count);
        Ok(bits)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    /// No run's code begins with so many zeros.
    fn is_line_end(&self) -> bool {
        self.look(self.at, 11) == 0
    }

    /// Whether there is an end-of-line code anywhere: eleven zeros or more, then a one.
    fn has_line_end(&self) -> bool {
        let mut zeros = 0;
        for byte in (0..self.bytes.len()).map(|index| self.byte(index) as u8) {
            if byte != 0 && zeros + byte.leading_zeros() >= 11 {
                return true;
            }
            zeros = if byte == 0 { (zeros + 8).min(11) } else { byte.trailing_zeros() };
        }
        false
    }

    /// Goes on behind the next end-of-line code, whatever comes before it.
    fn pass_line_end(&mut self) -> bool {
        let mut zeros = 0;
        while !self.is_empty() {
            let is_set = self.look(self.at, 1) == 1;
            self.at += 1;
            if is_set && zeros >= 11 {
                return true;
            }
            zeros = if is_set { 0 } else { zeros + 1 };
        }
        false
    }
}

impl BitReader for Source<'_> {
    type Error = Error;

    fn peek(&self, bits: u8) -> Option<u16> {
        let within = self.at + usize::from(bits) <= 8 * self.bytes.len() + PADDING;
        (within && bits <= 16).then(|| self.look(self.at, bits))
    }

    fn consume(&mut self, bits: u8) -> Result<()> {
        self.at += usize::from(bits);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (self.at.next_multiple_of(8) - self.at) as u8
    }

    fn expect(&mut self, bits: Bits) -> std::result::Result<(), Option<Bits>> {
        match self.peek(bits.len) {
            Some(data) if data == bits.data => Ok(()),
            data => Err(data.map(|data| Bits { data, len: bits.len })),
        }
    }
}
