//! What is whole in a journal's file that is damaged, also behind the damage.
//!
//! A frame holds its own length and checksum, so that reading can begin again at any byte: a place
//! from which an entry of this format with a matching checksum can be read is taken for a frame's
//! begin. That a wrong one passes has the odds of 1 in 2^32.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use pairgate_core::error::WireError;
use pairgate_core::wire;

use super::entry::Entry;
use super::header::{FORMAT_VERSION, Header, Terms};
use super::record::Record;
use super::segment::{header_bytes, parse_body, parse_header, read_front, sidecar, write_sidecar};
use crate::disk::IoError;
use crate::disk::{Disk, PartialFile, failed, free_name, hidden_path};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes of the longest frame behind the header.
const LONGEST: usize = wire::MAX_PAYLOAD + wire::FRAME_OVERHEAD;
/// Formats that are tried where no header tells the format: a record of one format lacks what those
/// before it read last, or is none of theirs.
const FORMATS: [u16; 3] = [wire::TRACKED_VERSION, wire::FORMAT_VERSION, FORMAT_VERSION];

/// A part of a journal's file.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// An entry that is whole.
    Whole(Entry),
    /// Bytes that belong to no frame.
    Damage {
        /// Offset of the first of them.
        from: u64,
        /// Offset behind the last of them.
        to: u64,
    },
}

/// What a journal's file comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Records that are whole.
    pub records: u64,
    /// Places where bytes belong to no frame: offsets of the first, and behind the last, of them.
    pub damage: Vec<(u64, u64)>,
    /// Whether the file itself lacks its header, or it is damaged.
    pub headless: bool,
    /// What decided last, where an epoch says so.
    pub terms: Option<Terms>,
}

impl Found {
    /// Whether nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && !self.headless
    }
}

/// Reads a journal's file from begin to end, past what is damaged.
#[derive(Debug)]
pub struct Salvage {
    file: File,
    path: PathBuf,
    header: Header,
    headless: bool,
    /// What was read and not given yet, and the offset of its first byte in the file.
    window: Vec<u8>,
    begin: usize,
    offset: u64,
    ended: bool,
    records: u64,
    /// The frame that was given last; the header's, before that.
    frame: Vec<u8>,
}

impl Salvage {
    /// Opens the file at `path`. Where its header is damaged, the one beside it tells what it said;
    /// where there is none, the format is the one in which the frames can be read, and nothing else
    /// is known.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read, is no journal, or of another version.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let source = |why| IoError::Read { from: path.display().to_string(), why };
        let mut file = File::open(path).map_err(source)?;
        let front = read_front(&mut file).map_err(source)?;
        let read = parse_header(&front);
        if let Err(why @ WireError::Version { .. }) = read {
            return Err(source(io::Error::other(why)));
        }
        let mut salvage = Self {
            file,
            path: path.to_owned(),
            header: Header::unknown(FORMAT_VERSION),
            // An empty one was being begun: nothing of it is damaged.
            headless: read.is_err() && !front.is_empty(),
            window: front,
            begin: 0,
            offset: 0,
            ended: false,
            records: 0,
            frame: Vec::new(),
        };
        match read {
            Ok((header, length)) => salvage.start(header, length),
            Err(why) => salvage.find_header(why).map_err(source)?,
        }
        salvage.records = salvage.header.first_ticket;
        Ok(salvage)
    }

    /// The same from `offset` on, which must be a frame's begin.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(path: &Path, offset: u64) -> Result<Self, IoError> {
        let mut salvage = Self::open(path)?;
        let moved = salvage.file.seek(SeekFrom::Start(offset));
        moved.map_err(|why| IoError::Read { from: path.display().to_string(), why })?;
        salvage.window.clear();
        (salvage.begin, salvage.offset, salvage.ended) = (0, offset, false);
        Ok(salvage)
    }

    fn start(&mut self, header: Header, length: usize) {
        self.header = header;
        self.frame = self.window[..length].to_vec();
        self.advance(length);
    }

    /// What the file would have said of itself.
    fn find_header(&mut self, why: WireError) -> io::Result<()> {
        self.fill()?;
        let body = self.rest().get(wire::MAGIC.len()..).unwrap_or_default();
        if let Ok((header, rest)) = parse_body(body) {
            // The magic bytes alone are damaged.
            let length = self.rest().len() - rest;
            self.start(header, length);
            self.frame[..wire::MAGIC.len()].copy_from_slice(wire::MAGIC);
            return Ok(());
        }
        match sidecar(&self.path) {
            Some(header) => self.header = header,
            None => self.header = Header::unknown(self.format().ok_or(io::Error::other(why))?),
        }
        self.frame = header_bytes(&self.header).map_err(io::Error::other)?;
        Ok(())
    }

    /// The format in which the first frame that is whole can be read.
    fn format(&self) -> Option<u16> {
        let bytes = self.rest();
        let mut frames = (0..bytes.len()).filter_map(|at| payload_at(&bytes[at..]));
        frames.find_map(|payload| FORMATS.into_iter().find(|format| is_record(payload, *format)))
    }

    /// The journal's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the file itself lacks its header, or it is damaged.
    pub fn is_headless(&self) -> bool {
        self.headless
    }

    /// The bytes of the part that was given last, if it was whole; of the header, before that.
    pub fn bytes(&self) -> &[u8] {
        &self.frame
    }

    /// Offset behind the part that was given last.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next part; `None` at the file's end.
    ///
    /// # Errors
    /// [`IoError::Read`] if the file cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Part>, IoError> {
        let from = self.offset;
        loop {
            let filled = self.fill();
            filled.map_err(|why| IoError::Read { from: self.path.display().to_string(), why })?;
            if self.rest().is_empty() {
                return Ok((self.offset > from).then_some(Part::Damage { from, to: self.offset }));
            }
            let Some((entry, length)) = self.entry() else {
                self.advance(1);
                continue;
            };
            if self.offset > from {
                return Ok(Some(Part::Damage { from, to: self.offset }));
            }
            self.frame = self.rest()[..length].to_vec();
            self.advance(length);
            self.records += u64::from(matches!(entry, Entry::Record(_)));
            return Ok(Some(Part::Whole(entry)));
        }
    }

    fn rest(&self) -> &[u8] {
        &self.window[self.begin..]
    }

    /// The entry whose frame begins here, and the frame's length.
    fn entry(&self) -> Option<(Entry, usize)> {
        let payload = payload_at(self.rest())?;
        let entry = Entry::read(payload, self.header.format, self.records)?;
        Some((entry, payload.len() + wire::FRAME_OVERHEAD))
    }

    fn advance(&mut self, bytes: usize) {
        self.begin += bytes;
        self.offset += bytes as u64;
    }

    /// Reads on until the longest frame would be in the window, or the file ends.
    fn fill(&mut self) -> io::Result<()> {
        if self.ended || self.rest().len() >= LONGEST {
            return Ok(());
        }
        self.window.drain(..self.begin);
        self.begin = 0;
        let wanted = (LONGEST + CHUNK) as u64 - self.window.len().min(LONGEST) as u64;
        let read = (&mut self.file).take(wanted).read_to_end(&mut self.window)?;
        self.ended = (read as u64) < wanted;
        Ok(())
    }
}

fn payload_at(bytes: &[u8]) -> Option<&[u8]> {
    wire::unframe_within(bytes, wire::MAX_PAYLOAD).map(|(payload, _)| payload)
}

/// Whether the payload is a record of this format.
fn is_record(payload: &[u8], format: u16) -> bool {
    matches!(Entry::read(payload, format, 0), Some(Entry::Record(_)))
}

/// Reads all of a journal's file and tells what it comes to; `each` sees every record.
///
/// # Errors
/// As [`Salvage::open`] and [`Salvage::next_part`].
pub fn examine(path: &Path, mut each: impl FnMut(&Record)) -> Result<Found, IoError> {
    examine_entries(path, |entry| {
        if let Entry::Record(record) = entry {
            each(record);
        }
    })
}

/// The same with all entries.
///
/// # Errors
/// As [`examine`].
pub fn examine_entries(path: &Path, mut each: impl FnMut(&Entry)) -> Result<Found, IoError> {
    let mut salvage = Salvage::open(path)?;
    let mut found = Found { headless: salvage.is_headless(), ..Found::default() };
    while let Some(part) = salvage.next_part()? {
        match part {
            Part::Whole(entry) => {
                found.records += u64::from(matches!(entry, Entry::Record(_)));
                each(&entry);
                if let Entry::Epoch(epoch) = entry {
                    found.terms = Some(epoch.terms);
                }
            }
            Part::Damage { from, to } => found.damage.push((from, to)),
        }
    }
    Ok(found)
}

/// Writes what is whole in the journal's file at `path` anew, in its place; the damaged file is kept
/// under a name of its own, which is given beside what was found. A file without damage is left as
/// it is.
///
/// # Errors
/// [`IoError`] if it cannot be read or written.
pub fn repair(disk: &Disk, path: &Path) -> Result<(Found, Option<PathBuf>), IoError> {
    let found = examine(path, |_| ())?;
    if found.is_whole() {
        return Ok((found, None));
    }
    let aside = free_name(path)?;
    let scratch = hidden_path(path, ".repaired").map_err(failed(path))?;
    write_whole_parts(disk, path, &scratch)?;
    // The damaged file has both names before the whole one takes its place.
    disk.keep_copy(path, &aside)?;
    disk.rename(&scratch, path)?;
    disk.sync_parent(path)?;
    Ok((found, Some(aside)))
}

fn write_whole_parts(disk: &Disk, path: &Path, scratch: &Path) -> Result<(), IoError> {
    let mut salvage = Salvage::open(path)?;
    let mut file = PartialFile::create(disk, scratch)?;
    let header = salvage.bytes().to_vec();
    file.write_all(&header).map_err(failed(scratch))?;
    while let Some(part) = salvage.next_part()? {
        if let Part::Whole(_) = part {
            file.write_all(salvage.bytes()).map_err(failed(scratch))?;
        }
    }
    file.publish()?;
    if sidecar(path).is_none() && super::number_of(path).is_some() {
        write_sidecar(disk, path, &header)?;
    }
    Ok(())
}
