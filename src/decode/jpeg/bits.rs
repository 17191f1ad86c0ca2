//! The bits of entropy-coded data, without the zero bytes that follow each 0xff in them.

use memchr::memchr;

/// Bytes of a chunk, a power of two.
const SIZE: usize = 8 << 10;

/// Bytes that one unit may take: 10 blocks of 64 coefficients of at most 27 bits, and a refill.
const UNIT: usize = 10 * 64 * 27 / 8 + 16;

/// Bytes of data that a chunk takes in.
const FULL: usize = SIZE - UNIT;

/// Reads bits up to the next marker.
pub(super) struct Bits<'a> {
    /// What has not been taken in, from a byte that is not within a pair of 0xff and 0.
    rest: &'a [u8],
    chunk: Box<Chunk>,
    /// Bytes of the chunk that hold data; zeros follow once the data have ended.
    end: usize,
    /// A marker was met, or the end.
    ended: bool,
    /// Where the reading is.
    pub window: Window,
}

/// The next bits of a chunk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// The first bit is the highest.
    buffer: u64,
    /// Bits in the buffer.
    count: u32,
    /// The next byte of the chunk.
    next: usize,
}

/// Bytes of data, and zeros for what lies past their end.
pub(super) type Chunk = [u8; SIZE + 8];

impl<'a> Bits<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        let chunk = Box::new([0; SIZE + 8]);
        Self { rest, chunk, end: 0, ended: false, window: Window::default() }
    }

    /// Makes sure of the bytes that one unit may take: zeros after the end.
    #[inline(always)]
    pub fn prepare_unit(&mut self) {
        if self.window.next + UNIT > self.end {
            self.take_in();
        }
    }

    #[cold]
    #[inline(never)]
    fn take_in(&mut self) {
        if self.ended {
            return;
        }
        self.chunk.copy_within(self.window.next..self.end, 0);
        self.end -= self.window.next;
        self.window.next = 0;
        while self.end < FULL && !self.ended {
            let room = self.rest.len().min(FULL - self.end);
            let plain = memchr(0xff, &self.rest[..room]).unwrap_or(room);
            self.chunk[self.end..self.end + plain].copy_from_slice(&self.rest[..plain]);
            self.end += plain;
            self.rest = &self.rest[plain..];
            match self.rest {
                [0xff, 0, after @ ..] if self.end < FULL => {
                    self.chunk[self.end] = 0xff;
                    self.end += 1;
                    self.rest = after;
                }
                [0xff, 0, ..] => break,
                [] | [0xff, ..] => self.ended = true,
                _ => {}
            }
        }
        self.chunk[self.end..].fill(0);
    }

    /// What the window is over.
    #[inline(always)]
    pub fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// The next bit.
    #[inline(always)]
    pub fn bit(&mut self) -> bool {
        self.window.bit(&self.chunk)
    }

    /// Ends an interval, and goes to what follows its data. `false` where bits were read that are
    /// not there, or whole bytes of data are left.
    pub fn finish(&mut self) -> bool {
        self.take_in();
        let read = (8 * self.window.next).saturating_sub(self.window.count as usize);
        self.ended && read <= 8 * self.end && read + 8 > 8 * self.end
    }

    /// What follows the data: a marker.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on with the data after a marker.
    pub fn restart(&mut self, rest: &'a [u8]) {
        self.rest = rest;
        (self.end, self.ended, self.window) = (0, false, Window::default());
    }
}

impl Window {
    /// Makes sure of at least 56 bits.
    #[inline(always)]
    pub fn refill(&mut self, chunk: &Chunk) {
        // `prepare_unit` has made sure of what a unit may take: the mask changes nothing.
        let next = self.next & (SIZE - 1);
        let bytes = chunk[next..next + 8].first_chunk().copied().unwrap_or_default();
        self.buffer |= u64::from_be_bytes(bytes) >> self.count;
        self.next += (63 - self.count as usize) >> 3;
        self.count |= 56;
    }

    /// Makes sure of so many bits, 32 at most, which are there most of the time.
    #[inline(always)]
    pub fn need(&mut self, bits: u32, chunk: &Chunk) {
        if self.count < bits {
            self.refill(chunk);
        }
    }

    /// The next 32 bits.
    #[inline(always)]
    pub fn peek(&self) -> u32 {
        (self.buffer >> 32) as u32
    }

    /// The next bit, which is then passed.
    #[inline(always)]
    pub fn bit(&mut self, chunk: &Chunk) -> bool {
        self.need(1, chunk);
        let bit = self.buffer >> 63 != 0;
        self.skip(1);
        bit
    }

    #[inline(always)]
    pub fn skip(&mut self, bits: u32) {
        self.buffer <<= bits & 63;
        self.count = self.count.wrapping_sub(bits);
    }
}
