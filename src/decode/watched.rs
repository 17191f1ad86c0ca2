//! A reader that remembers whether it was asked for bytes past its end.
//!
//! Each decoder has its own error for a file that is cut, some none that can be told from
//! damage; what they read is the same for all.

use std::cell::Cell;
use std::io::{BufRead, Cursor, Read, Result, Seek, SeekFrom};

/// Reads `bytes`, and sets `ended` at the first read that finds none left.
pub(super) struct Watched<'a> {
    cursor: Cursor<&'a [u8]>,
    ended: &'a Cell<bool>,
}

impl<'a> Watched<'a> {
    pub fn new(bytes: &'a [u8], ended: &'a Cell<bool>) -> Self {
        Self { cursor: Cursor::new(bytes), ended }
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.cursor.read(into)?;
        if read == 0 && !into.is_empty() {
            self.ended.set(true);
        }
        Ok(read)
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        let rest = self.cursor.fill_buf()?;
        if rest.is_empty() {
            self.ended.set(true);
        }
        Ok(rest)
    }

    fn consume(&mut self, amount: usize) {
        self.cursor.consume(amount);
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.cursor.seek(to)
    }
}
