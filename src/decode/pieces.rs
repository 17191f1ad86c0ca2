//! A file put together anew from the parts of another that its decoder needs: what it does not
//! need cannot make it fail.

use std::cell::Cell;
use std::io::{BufRead, Error, ErrorKind, Read, Result, Seek, SeekFrom};

/// Reads parts one after the other, and sets `ended` at the first read past their end.
pub(super) struct Pieces<'a> {
    parts: Vec<&'a [u8]>,
    ended: &'a Cell<bool>,
    /// The part that is read, how much of it was, and the bytes of those before it.
    part: usize,
    within: usize,
    before: u64,
}

impl<'a> Pieces<'a> {
    pub fn new(parts: Vec<&'a [u8]>, ended: &'a Cell<bool>) -> Self {
        Self { parts, ended, part: 0, within: 0, before: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.parts.get(self.part).and_then(|part| part.get(self.within..)).unwrap_or_default()
    }

    fn length(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let rest = self.fill_buf()?;
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        while self.rest().is_empty() && self.part < self.parts.len() {
            self.before += self.parts[self.part].len() as u64;
            (self.part, self.within) = (self.part + 1, 0);
        }
        if self.part == self.parts.len() {
            self.ended.set(true);
        }
        Ok(self.rest())
    }

    fn consume(&mut self, amount: usize) {
        self.within += amount;
    }
}

impl Seek for Pieces<'_> {
    /// As of a file: a place past the end is one where nothing can be read.
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => (self.before + self.within as u64).checked_add_signed(by),
            SeekFrom::End(by) => self.length().checked_add_signed(by),
        };
        let to = to.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        (self.part, self.before) = (0, 0);
        while let Some(part) = self.parts.get(self.part)
            && self.before + part.len() as u64 <= to
        {
            self.before += part.len() as u64;
            self.part += 1;
        }
        self.within = usize::try_from(to - self.before).unwrap_or(usize::MAX / 2);
        Ok(to)
    }
}
