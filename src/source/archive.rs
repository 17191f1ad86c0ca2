//! The entries of a tar archive, one after the other.
//!
//! The headers are the `tar` crate's. The walk over them is not: the crate's own cannot be kept
//! in a struct beside the archive, and reads long names and PAX records wholly into memory,
//! whatever size they claim.

use std::io::{self, ErrorKind, Read};

use tar::Header;

use super::builder::{fill, read_up_to};
use super::gzip::Unpacked;

const BLOCK: u64 = 512;

/// Bytes that a long name or the PAX records of one entry may have.
const MAX_RECORD_BYTES: u64 = 64 << 10;

/// Bytes after the end mark that are read, so that whoever writes the pipe can finish and gzip's
/// checksum is looked at. Tars are padded to 10 KiB as a rule.
const MAX_PADDING_BYTES: u64 = 1 << 20;

/// A tar archive that is read from front to back.
#[derive(Debug)]
pub(super) struct Archive<R> {
    reader: Unpacked<R>,
    /// Bytes read, unpacked.
    at: u64,
    /// Where the next header starts.
    next: u64,
    globals: Records,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// The path, as it is written.
    pub path: Vec<u8>,
    /// Bytes of data that it claims to have.
    pub size: u64,
    /// Whether it is a plain file.
    pub is_file: bool,
    /// Whether its data are not the file's bytes, but a map of its holes and what lies between.
    pub is_sparse: bool,
}

/// What long names and PAX records say of an entry in place of its header.
#[derive(Debug, Clone, Default)]
struct Records {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    /// The name of a sparse file, whose entry has a made-up one.
    sparse_path: Option<Vec<u8>>,
}

impl<R: Read> Archive<R> {
    /// An archive, gzipped or not.
    pub fn new(reader: R) -> Self {
        let reader = Unpacked::new(reader);
        Self { reader, at: 0, next: 0, globals: Records::default() }
    }

    /// Bytes read so far, unpacked.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next entry; `None` at the end. What was not read of the last one's data is skipped.
    pub fn entry(&mut self) -> io::Result<Option<Entry>> {
        let mut own = self.globals.clone();
        let mut announced = false;
        loop {
            self.skip_to(self.next)?;
            let Some(header) = self.header()? else {
                return if announced {
                    Err(torn("ends before the file of a name"))
                } else {
                    Ok(None)
                };
            };
            let size = header.entry_size()?;
            match header.as_bytes()[156] {
                b'L' => own.path = Some(until_nul(self.record(size)?)),
                b'K' => self.next = self.end_of(size)?,
                b'x' | b'X' => own.read_pax(&self.record(size)?)?,
                b'g' => {
                    let records = self.record(size)?;
                    self.globals.read_pax(&records)?;
                    own.read_pax(&records)?;
                    continue;
                }
                kind => return self.describe(&header, kind, own).map(Some),
            }
            announced = true;
        }
    }

    /// The data of the entry that was just given, `size` as it said.
    pub fn data(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let data = read_up_to(&mut self.reader, size)?;
        self.at += data.len() as u64;
        if (data.len() as u64) < size { Err(torn("ends within a file")) } else { Ok(data) }
    }

    /// The next header; `None` at the end mark, or where the archive ends without one.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        match self.fill(header.as_mut_bytes())? {
            512 => {}
            // An empty file is what a writer leaves that died early.
            0 if self.at > 0 => return Ok(None),
            0 => return Err(torn("is empty")),
            _ => return Err(torn("ends within a header")),
        }
        self.next += BLOCK;
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            let rest = (&mut self.reader).take(MAX_PADDING_BYTES);
            self.at += io::copy(&mut { rest }, &mut io::sink())?;
            return Ok(None);
        }
        let mut sum = header.clone();
        sum.set_cksum();
        if sum.cksum()? != header.cksum()? {
            return Err(torn("has a header with a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn describe(&mut self, header: &Header, kind: u8, records: Records) -> io::Result<Entry> {
        let mut extended = kind == b'S' && header.as_bytes()[482] == 1;
        while extended {
            let mut block = [0; BLOCK as usize];
            if self.fill(&mut block)? < block.len() {
                return Err(torn("ends within a sparse file's map"));
            }
            self.next += BLOCK;
            extended = block[504] == 1;
        }
        let size = match kind {
            // Links, devices and folders have no data, whatever their size says.
            b'1'..=b'6' => 0,
            _ => records.size.map_or_else(|| header.entry_size(), Ok)?,
        };
        self.next = self.end_of(size)?;
        let path = records.sparse_path.or(records.path);
        let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
        let is_file = matches!(kind, 0 | b'0' | b'7' | b'S');
        Ok(Entry { path, size, is_file, is_sparse: records.sparse || kind == b'S' })
    }

    /// Reads a long name or PAX records.
    fn record(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_RECORD_BYTES {
            return Err(torn("has a name or PAX record above 64 KiB"));
        }
        self.next = self.end_of(size)?;
        self.data(size)
    }

    /// Where data of `size` bytes end that start where the next header would.
    fn end_of(&self, size: u64) -> io::Result<u64> {
        let end = size.checked_next_multiple_of(BLOCK).and_then(|size| self.next.checked_add(size));
        end.ok_or_else(|| torn("claims an impossible size"))
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let rest = (&mut self.reader).take(offset - self.at);
        self.at += io::copy(&mut { rest }, &mut io::sink())?;
        if self.at < offset { Err(torn("ends within a file")) } else { Ok(()) }
    }

    /// Reads as much of `buffer` as there is.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let filled = fill(&mut self.reader, buffer)?;
        self.at += filled as u64;
        Ok(filled)
    }
}

impl Records {
    /// Takes over what the records say: lines of `length key=value`, where the length counts the
    /// whole line and the value may be anything.
    fn read_pax(&mut self, mut rest: &[u8]) -> io::Result<()> {
        while !matches!(rest.first(), None | Some(0)) {
            let (key, value, after) =
                pax_record(rest).ok_or_else(|| torn("has broken PAX records"))?;
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"GNU.sparse.name" => self.sparse_path = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or_else(|| torn("has a PAX size that is none"))?);
                }
                _ => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
            rest = after;
        }
        Ok(())
    }
}

/// Key and value of the first record, and what follows it.
fn pax_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let line = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|&byte| byte == b'=')?;
    Some((&line[..equals], &line[equals + 1..], &records[length..]))
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name.truncate(end);
    name
}

fn torn(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the archive {what}"))
}
