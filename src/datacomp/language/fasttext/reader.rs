//! Little-endian numbers of a file that may be cut, or lie about its sizes: nothing is made room
//! for that the file has not bytes for.

use std::io::{self, BufRead, BufReader, Read};

use crate::datacomp::wrong;

/// Longest word, in bytes.
const MAX_WORD: u64 = 1 << 16;

/// Reads a model's file.
pub(super) struct Reader<R> {
    inner: BufReader<R>,
    left: u64,
}

impl<R: Read> Reader<R> {
    /// A reader of a file of `bytes` bytes.
    pub fn new(inner: BufReader<R>, bytes: u64) -> Self {
        Self { inner, left: bytes }
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(cut)?;
        self.left = self.left.saturating_sub(N as u64);
        Ok(bytes)
    }

    pub fn i32(&mut self) -> io::Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn i64(&mut self) -> io::Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub fn f64(&mut self) -> io::Result<f64> {
        self.array().map(f64::from_le_bytes)
    }

    pub fn u8(&mut self) -> io::Result<u8> {
        self.array().map(|[byte]| byte)
    }

    pub fn flag(&mut self) -> io::Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(wrong(format!("a flag is {other}: the file is damaged"))),
        }
    }

    /// Whether the file can hold `count` items of at least `bytes` bytes from here on.
    pub fn room_for(&self, count: u64, bytes: u64) -> io::Result<()> {
        if count.checked_mul(bytes).is_some_and(|bytes| bytes <= self.left) {
            return Ok(());
        }
        let left = self.left;
        Err(wrong(format!(
            "{count} items of {bytes} bytes are said to follow, {left} bytes do: the file is cut or damaged"
        )))
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: u64) -> io::Result<Vec<u8>> {
        self.room_for(count, 1)?;
        let mut bytes = Vec::with_capacity(count as usize);
        (&mut self.inner).take(count).read_to_end(&mut bytes)?;
        self.left -= count;
        if bytes.len() as u64 != count {
            return Err(cut(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    }

    /// The next `count` numbers, all of which are finite.
    pub fn floats(&mut self, count: u64) -> io::Result<Vec<f32>> {
        self.room_for(count, 4)?;
        let mut floats = Vec::with_capacity(count as usize);
        let mut bytes = [0; 4096];
        let mut left = count as usize * 4;
        while left > 0 {
            let part = &mut bytes[..left.min(4096)];
            self.inner.read_exact(part).map_err(cut)?;
            floats.extend(part.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)));
            left -= part.len();
        }
        self.left -= count * 4;
        if floats.iter().all(|value| value.is_finite()) {
            Ok(floats)
        } else {
            Err(wrong("a weight is not a finite number: the file is damaged"))
        }
    }

    /// The next word, which ends at a zero, appended to `out`.
    pub fn word(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let read = (&mut self.inner).take(MAX_WORD).read_until(0, out)?;
        self.left = self.left.saturating_sub(read as u64);
        match out.pop() {
            Some(0) if read > 0 => Ok(()),
            _ if read as u64 == MAX_WORD => Err(wrong("a word is absurdly long")),
            _ => Err(cut(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

fn cut(why: io::Error) -> io::Error {
    match why.kind() {
        io::ErrorKind::UnexpectedEof => wrong("the file is cut"),
        _ => why,
    }
}
