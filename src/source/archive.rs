//! The entries of a tar archive, one after the other, as Python's `tarfile` finds them.
//!
//! Archives may be joined (`cat a.tar b.tar`), as `tarfile` reads them with `ignore_zeros`: what
//! follows an end mark is looked through for a further header. The `tar` crate's walk is not used:
//! it cannot be kept in a struct beside the archive, and reads long names and PAX records wholly
//! into memory, whatever size they claim.

use std::io::{self, BufReader, ErrorKind, Read};

use super::builder::{fill, read_up_to};
use super::header::Header;
use super::pax::{MAX_NAME_BYTES, Name, Records};
use super::unpack::Unpacked;

const BLOCK: u64 = 512;

/// Bytes behind an end mark that are looked through for another archive: nothing that never ends is
/// read for ever.
const MAX_BYTES_PAST_END: u64 = 256 << 20;

/// A tar archive that is read from front to back.
#[derive(Debug)]
pub(super) struct Archive<R: Read> {
    reader: Unpacked<R>,
    /// Bytes read, unpacked.
    at: u64,
    /// Where the next header starts.
    next: u64,
    globals: Records,
    /// Bytes looked through since an end mark; `None` where the last block was none.
    past_end: Option<u64>,
    joined: u64,
    garbage: u64,
}

/// What comes next in an archive.
#[derive(Debug)]
pub(super) enum Step {
    /// An entry; its data follow.
    Entry(Entry),
    /// A block of zeros, which ends whatever sample is open.
    Mark,
    /// The end.
    End,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// The path, as it is written.
    pub path: Name,
    /// Bytes of data that it claims to have.
    pub size: u64,
    /// Whether it is a plain file.
    pub is_file: bool,
    /// The dialect in which its data are not the file's bytes, but a map of its holes and what lies
    /// between.
    pub sparse: Option<&'static str>,
}

/// What a block is where a header may be.
enum Block {
    Header(Box<Header>),
    Mark,
    End,
}

impl<R: Read> Archive<R> {
    /// An archive, packed or not.
    pub fn new(reader: R) -> Self {
        Self {
            reader: Unpacked::new(reader),
            at: 0,
            next: 0,
            globals: Records::default(),
            past_end: None,
            joined: 0,
            garbage: 0,
        }
    }

    /// Bytes read so far, unpacked.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// How often an archive went on behind its end mark.
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// Bytes behind an end mark that were neither zeros nor an archive's.
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    /// What comes next. What was not read of the last entry's data is skipped.
    pub fn step(&mut self) -> io::Result<Step> {
        let mut own = Records::default();
        let mut announced = false;
        loop {
            self.skip_to(self.next)?;
            let header = match self.block()? {
                Block::Header(header) => header,
                Block::Mark | Block::End if announced => {
                    return Err(torn("ends before the file of a name"));
                }
                Block::Mark => return Ok(Step::Mark),
                Block::End => return Ok(Step::End),
            };
            match header.kind() {
                b'L' => {
                    let name = self.long_name(header.size()?)?;
                    own.path.get_or_insert(name);
                }
                b'K' => self.next = self.end_of(header.size()?)?,
                b'x' | b'X' => own.fill_from(self.records(header.size()?)?),
                b'g' => {
                    let mut records = self.records(header.size()?)?;
                    records.fill_from(std::mem::take(&mut self.globals));
                    self.globals = records;
                    continue;
                }
                _ => return self.describe(&header, own).map(Step::Entry),
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

    /// The next header, the first block of an end mark, or the end, with or without one.
    fn block(&mut self) -> io::Result<Block> {
        loop {
            let mut block = [0; BLOCK as usize];
            match (self.fill(&mut block)?, self.past_end) {
                (512, _) => self.next += BLOCK,
                (_, Some(_)) => return Ok(Block::End),
                // An empty file is what a writer leaves that died early.
                (0, None) if self.at > 0 => return Ok(Block::End),
                (0, None) => return Err(torn("is empty")),
                _ => return Err(torn("ends within a header")),
            }
            let is_zero = block.iter().all(|&byte| byte == 0);
            let header = if is_zero { None } else { Header::new(block) };
            match (header, self.past_end) {
                (_, None) if is_zero => {
                    self.past_end = Some(BLOCK);
                    return Ok(Block::Mark);
                }
                (Some(header), past_end) => {
                    self.joined += u64::from(past_end.is_some());
                    self.past_end = None;
                    return Ok(Block::Header(Box::new(header)));
                }
                (None, None) => return Err(torn("has a header with a wrong checksum")),
                (None, Some(passed)) if passed >= MAX_BYTES_PAST_END => return Ok(Block::End),
                (None, Some(passed)) => {
                    self.past_end = Some(passed + BLOCK);
                    self.garbage += if is_zero { 0 } else { BLOCK };
                }
            }
        }
    }

    fn describe(&mut self, header: &Header, own: Records) -> io::Result<Entry> {
        let kind = header.kind();
        let mut extended = header.has_sparse_map_behind();
        while extended {
            let mut block = [0; BLOCK as usize];
            if self.fill(&mut block)? < block.len() {
                return Err(torn("ends within a sparse file's map"));
            }
            self.next += BLOCK;
            extended = block[504] != 0;
        }
        let size = match own.size.or(self.globals.size) {
            // Links, devices and folders have no data, whatever their size says.
            _ if header.has_no_data() => 0,
            Some(size) => size,
            None => header.size()?,
        };
        self.next = self.end_of(size)?;
        let told = own.sparse_path.or(own.path).or_else(|| self.globals.path.clone());
        Ok(Entry {
            path: told.unwrap_or_else(|| Name::Known(header.path())),
            size,
            is_file: matches!(kind, 0 | b'0' | b'7' | b'S') && !header.has_no_data(),
            sparse: if kind == b'S' { Some(header.sparse_dialect()) } else { own.sparse },
        })
    }

    fn long_name(&mut self, size: u64) -> io::Result<Name> {
        self.next = self.end_of(size)?;
        if size > MAX_NAME_BYTES {
            return Ok(Name::TooLong(size));
        }
        let mut name = self.data(size)?;
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(Name::Known(name))
    }

    /// Reads PAX records of `size` bytes, of which only what is needed is held.
    fn records(&mut self, size: u64) -> io::Result<Records> {
        self.next = self.end_of(size)?;
        let end = self.at.checked_add(size).ok_or_else(|| torn("claims an impossible size"))?;
        let mut text = BufReader::with_capacity(4096, (&mut self.reader).take(size));
        let records = Records::read(&mut text);
        let unread = text.get_ref().limit();
        self.at = end - unread;
        records
    }

    /// Where data of `size` bytes end that start where the next header would.
    fn end_of(&self, size: u64) -> io::Result<u64> {
        let end = size.checked_next_multiple_of(BLOCK).and_then(|size| self.next.checked_add(size));
        end.ok_or_else(|| torn("claims an impossible size"))
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let rest = (&mut self.reader).take(offset.saturating_sub(self.at));
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

/// What is wrong with an archive.
pub(super) fn torn(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the archive {what}"))
}
