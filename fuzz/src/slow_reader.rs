//! A reader that gives little at a time, as pipes and serial lines do.

use std::io::{self, Read};

/// Gives 1 to 7 bytes at a time.
pub struct SlowReader<'a> {
    rest: &'a [u8],
    turn: usize,
}

impl<'a> SlowReader<'a> {
    /// A reader of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, turn: 0 }
    }
}

impl Read for SlowReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.turn += 3;
        let count = into.len().min(self.rest.len()).min(1 + self.turn % 7);
        let (now, rest) = self.rest.split_at(count);
        into[..count].copy_from_slice(now);
        self.rest = rest;
        Ok(count)
    }
}
