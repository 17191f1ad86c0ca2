//! A look ahead in a stream.

use std::io::{self, BufRead};

/// A stream of which bytes can be seen before they are taken.
#[derive(Debug)]
pub struct Window<R> {
    reader: R,
    bytes: Vec<u8>,
    /// Bytes of the front that were taken.
    taken: usize,
}

impl<R: BufRead> Window<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, bytes: Vec::new(), taken: 0 }
    }

    /// What comes next: at least `wanted` bytes, fewer only at the stream's end. It waits for no
    /// more than that.
    pub fn look(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.bytes.len() - self.taken < wanted {
            let more = match self.reader.fill_buf() {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                more => more?,
            };
            if more.is_empty() {
                break;
            }
            self.bytes.drain(..self.taken);
            self.taken = 0;
            self.bytes.extend_from_slice(more);
            let count = more.len();
            self.reader.consume(count);
        }
        Ok(&self.bytes[self.taken..])
    }

    /// Takes `count` bytes that were seen.
    pub fn take(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.bytes.len());
    }
}
