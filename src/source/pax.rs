//! PAX records: what they say of an entry in place of its header.
//!
//! They are lines of `length key=value`, where the length counts the whole line and the value may be
//! anything of any size. Values that nobody needs are passed over and not held.

use std::io::{self, BufRead, Read};

/// Bytes of a name at most that is held.
pub(super) const MAX_NAME_BYTES: u64 = 64 << 10;

/// Bytes of a key at most that may be one of those that count, and of a number.
const MAX_SHORT_BYTES: usize = 64;

/// A path that is told apart from the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Known(Vec<u8>),
    /// It has so many bytes that it is not held.
    TooLong(u64),
}

/// What long names and PAX records say of an entry in place of its header.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub path: Option<Name>,
    pub size: Option<u64>,
    /// The dialect of a sparse file.
    pub sparse: Option<&'static str>,
    /// The name of a sparse file, whose entry has a made-up one.
    pub sparse_path: Option<Name>,
}

impl Records {
    /// Reads records up to their end, or to what is none, as `tarfile` does. Of a repeated key the
    /// last one counts.
    pub fn read(text: &mut impl BufRead) -> io::Result<Self> {
        let mut records = Self::default();
        while let Some((length, mut used)) = decimal(text)? {
            let mut key = Vec::new();
            used += until_equals(text, length.saturating_sub(used), &mut key)?;
            let Some(value) = length.checked_sub(used + 1) else { break };
            if key.pop_if(|byte| *byte == b'=').is_none() {
                // Too long to be one that counts, or none at all.
                key.clear();
            }
            records.take(&key, &mut text.take(value), value)?;
            // The line's end, which nobody looks at.
            pass(text, 1)?;
        }
        Ok(records)
    }

    /// Takes what the others say and these do not.
    pub fn fill_from(&mut self, others: Self) {
        self.path = self.path.take().or(others.path);
        self.size = self.size.or(others.size);
        self.sparse = self.sparse.or(others.sparse);
        self.sparse_path = self.sparse_path.take().or(others.sparse_path);
    }

    fn take(&mut self, key: &[u8], value: &mut impl Read, bytes: u64) -> io::Result<()> {
        match key {
            b"path" => self.path = Some(name(value, bytes)?),
            b"GNU.sparse.name" => self.sparse_path = Some(name(value, bytes)?),
            b"size" => self.size = Some(number(value)?),
            b"GNU.sparse.major" => self.sparse = Some("GNU's format 1.0"),
            b"GNU.sparse.map" => self.sparse = Some("GNU's format 0.1"),
            _ if key.starts_with(b"GNU.sparse.") && self.sparse.is_none() => {
                self.sparse = Some("GNU's format 0.0");
            }
            _ => {}
        }
        io::copy(value, &mut io::sink()).map(drop)
    }
}

fn name(value: &mut impl Read, bytes: u64) -> io::Result<Name> {
    if bytes > MAX_NAME_BYTES {
        return Ok(Name::TooLong(bytes));
    }
    let mut name = Vec::new();
    value.read_to_end(&mut name)?;
    while name.pop_if(|byte| *byte == b'/').is_some() {}
    Ok(Name::Known(name))
}

/// A size; what is no number is zero, as in `tarfile`.
fn number(value: &mut impl Read) -> io::Result<u64> {
    let mut digits = Vec::new();
    value.take(MAX_SHORT_BYTES as u64).read_to_end(&mut digits)?;
    let digits = std::str::from_utf8(digits.trim_ascii()).ok();
    Ok(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

/// A record's length and the bytes that told it, the blank counted; `None` where no record begins.
fn decimal(text: &mut impl BufRead) -> io::Result<Option<(u64, u64)>> {
    let (mut length, mut used) = (0_u64, 0);
    loop {
        let Some(&byte) = text.fill_buf()?.first() else { return Ok(None) };
        text.consume(1);
        used += 1;
        match byte {
            b'0'..=b'9' => {
                let more =
                    length.checked_mul(10).and_then(|n| n.checked_add(u64::from(byte - b'0')));
                let Some(more) = more else { return Ok(None) };
                length = more;
            }
            b' ' if used > 1 && length > 0 => return Ok(Some((length, used))),
            _ => return Ok(None),
        }
    }
}

/// Reads a key with its `=`, of `left` bytes at most; gives the bytes read. Of a long key only its
/// begin is held.
fn until_equals(text: &mut impl BufRead, left: u64, key: &mut Vec<u8>) -> io::Result<u64> {
    let held = left.min(MAX_SHORT_BYTES as u64);
    text.take(held).read_until(b'=', key).map(|read| read as u64)
}

fn pass(text: &mut impl Read, bytes: u64) -> io::Result<()> {
    io::copy(&mut text.take(bytes), &mut io::sink()).map(drop)
}
