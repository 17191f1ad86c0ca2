//! The directory of a ZIP archive, as `numpy.savez` and `savez_compressed` write them: where each
//! member's bytes lie. Large ones have ZIP64's fields.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::wrong;

/// Longest directory that is read, in bytes: some hundred thousand names.
const MAX_DIRECTORY: u64 = 1 << 24;
/// The record at the end, without the comment that may follow it.
const END: usize = 22;
/// ZIP64's record at the end, and the one that names its place.
const END64: u64 = 56;
const LOCATOR: u64 = 20;
/// Fixed parts of a member's entry in the directory, and of the header before its bytes.
const CENTRAL: usize = 46;
const LOCAL: usize = 30;

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; what is not UTF-8 in it is replaced.
    pub name: String,
    /// How its bytes are packed.
    pub method: Method,
    /// Packed bytes.
    pub packed: u64,
    header: u64,
}

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// By deflate.
    Deflated,
    /// In a way that NumPy does not write, by its number, or under a password.
    Other(u16),
}

/// The members of an archive, in the order of its directory.
///
/// # Errors
/// Where it is damaged, or no archive.
pub fn entries(file: &mut (impl Read + Seek)) -> io::Result<Vec<Entry>> {
    let (start, size, shift) = directory(file)?;
    if size > MAX_DIRECTORY {
        return Err(wrong(format!("its directory has {size} bytes")));
    }
    let mut bytes = vec![0; size as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    let (mut entries, mut rest) = (Vec::new(), &bytes[..]);
    while !rest.is_empty() {
        let (entry, after) = entry(rest, shift).ok_or_else(|| wrong("its directory is damaged"))?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

impl Entry {
    /// Where its packed bytes start.
    ///
    /// # Errors
    /// Where its header is not there.
    pub fn start(&self, file: &mut (impl Read + Seek)) -> io::Result<u64> {
        let mut header = [0; LOCAL];
        file.seek(SeekFrom::Start(self.header))?;
        file.read_exact(&mut header)?;
        let damaged = || wrong("its header is damaged");
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged());
        }
        let names = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        self.header.checked_add(LOCAL as u64 + names).ok_or_else(damaged)
    }
}

/// Start and size of the directory, and what is to be added to the places that it names: bytes that
/// stand before the archive.
fn directory(file: &mut (impl Read + Seek)) -> io::Result<(u64, u64, u64)> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail_start = length.saturating_sub((END + usize::from(u16::MAX)) as u64);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(tail_start))?;
    file.take(length - tail_start).read_to_end(&mut tail)?;
    let at = tail
        .windows(END)
        .rposition(|end| end.starts_with(b"PK\x05\x06"))
        .ok_or_else(|| wrong("not an archive, or cut"))?;
    let end = &tail[at..];
    let mut directory_end = tail_start + at as u64;
    let (mut size, mut offset) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if let Some(end64) = end64(file, directory_end)? {
        directory_end -= END64 + LOCATOR;
        (size, offset) = (u64_at(&end64, 40), u64_at(&end64, 48));
    }
    let places = directory_end.checked_sub(size).map(|start| (start, start.checked_sub(offset)));
    let Some((start, Some(shift))) = places else {
        return Err(wrong("its directory lies outside of it"));
    };
    Ok((start, size, shift))
}

/// ZIP64's record before the record at `end`, if there is one.
fn end64(file: &mut (impl Read + Seek), end: u64) -> io::Result<Option<[u8; END64 as usize]>> {
    let Some(start) = end.checked_sub(END64 + LOCATOR) else { return Ok(None) };
    let mut bytes = [0; (END64 + LOCATOR) as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    let (record, locator) = bytes.split_at(END64 as usize);
    let there = locator.starts_with(b"PK\x06\x07") && record.starts_with(b"PK\x06\x06");
    Ok(if there { record.try_into().ok() } else { None })
}

/// The first entry of `bytes`, and what follows it.
fn entry(bytes: &[u8], shift: u64) -> Option<(Entry, &[u8])> {
    let (fixed, rest) = bytes.split_at_checked(CENTRAL)?;
    if !fixed.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (name, rest) = rest.split_at_checked(u16_at(fixed, 28).into())?;
    let (extra, rest) = rest.split_at_checked(u16_at(fixed, 30).into())?;
    let (_comment, rest) = rest.split_at_checked(u16_at(fixed, 32).into())?;
    let encrypted = u16_at(fixed, 8) & 1 == 1;
    let method = match u16_at(fixed, 10) {
        0 if !encrypted => Method::Stored,
        8 if !encrypted => Method::Deflated,
        other => Method::Other(other),
    };
    // A field that 32 bits do not hold is in ZIP64's extra field, in this order.
    let mut large = large_fields(extra);
    let mut field = |at| match u32_at(fixed, at) {
        u32::MAX => large.next(),
        small => Some(u64::from(small)),
    };
    let _unpacked = field(24)?;
    let (packed, header) = (field(20)?, field(42)?.checked_add(shift)?);
    let name = String::from_utf8_lossy(name).into_owned();
    Some((Entry { name, method, packed, header }, rest))
}

/// The numbers of ZIP64's extra field.
fn large_fields(mut extra: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut fields: &[u8] = &[];
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let Some((body, rest)) = rest.split_at_checked(u16_at(head, 2).into()) else { break };
        if u16_at(head, 0) == 1 {
            fields = body;
        }
        extra = rest;
    }
    fields.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
