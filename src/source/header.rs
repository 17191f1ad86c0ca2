//! One header block of a tar, in any of its dialects.
//!
//! What counts is read as Python's `tarfile` reads it: the checksum as a sum of bytes with or
//! without a sign, numbers in octal or in base 256, and the prefix of a name whatever the magic
//! says. So v7, ustar, GNU's, star's and Solaris' archives need no telling apart.

use std::io;

use super::archive::torn;

/// A block whose checksum is right.
#[derive(Debug)]
pub(super) struct Header([u8; 512]);

impl Header {
    /// The header in a block; `None` where the block is none.
    pub fn new(block: [u8; 512]) -> Option<Self> {
        let told = number(&block[148..156])?;
        // The checksum's own field counts as blanks.
        let byte = |at: usize| if (148..156).contains(&at) { b' ' } else { block[at] };
        let unsigned: u64 = (0..512).map(|at| u64::from(byte(at))).sum();
        let signed: i64 = (0..512).map(|at| i64::from(byte(at).cast_signed())).sum();
        (told == unsigned || i64::try_from(told) == Ok(signed)).then_some(Self(block))
    }

    /// The type flag.
    pub fn kind(&self) -> u8 {
        self.0[156]
    }

    /// Bytes of the data that follow.
    ///
    /// # Errors
    /// For a size that is no number, or less than zero.
    pub fn size(&self) -> io::Result<u64> {
        number(&self.0[124..136]).ok_or_else(|| torn("claims an impossible size"))
    }

    /// The name, behind its prefix where it has one.
    pub fn path(&self) -> Vec<u8> {
        let (name, prefix) = (until_nul(&self.0[..100]), until_nul(&self.0[345..500]));
        // There GNU has other fields.
        if prefix.is_empty() || self.kind() == b'S' {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    /// Whether no data follow, whatever the size says: of links, devices and folders, and of what v7
    /// has for a folder, a file whose name ends in a slash.
    pub fn has_no_data(&self) -> bool {
        let is_old_folder = self.kind() == 0 && until_nul(&self.0[..100]).ends_with(b"/");
        is_old_folder || matches!(self.kind(), b'1'..=b'6')
    }

    /// Whether the map of a sparse file goes on in a block of its own.
    pub fn has_sparse_map_behind(&self) -> bool {
        self.kind() == b'S' && self.0[482] != 0
    }

    /// Who writes sparse files in this way.
    pub fn sparse_dialect(&self) -> &'static str {
        if &self.0[508..] == b"tar\0" { "star's format" } else { "the old GNU format" }
    }
}

/// A number in octal, or in base 256 behind a byte of 0x80; `None` for what is none, for one below
/// zero, and for one above 64 bits.
fn number(field: &[u8]) -> Option<u64> {
    let base = |digits: &[u8], base: u64, zero: u8| {
        let digit = |sum: u64, &byte: &u8| {
            let digit = u64::from(byte.checked_sub(zero)?);
            let sum = sum.checked_mul(base)?.checked_add(digit)?;
            (digit < base).then_some(sum)
        };
        digits.iter().try_fold(0, digit)
    };
    match field.split_first()? {
        (0x80, digits) => base(digits, 256, 0),
        _ => base(until_nul(field).trim_ascii(), 8, b'0'),
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}
