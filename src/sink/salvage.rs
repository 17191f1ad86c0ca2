//! What is whole in a journal that is damaged, also behind the damage.
//!
//! A frame holds its own length and checksum, so that reading can begin again at any byte: a place
//! from which a record of this format with a matching checksum can be read is taken for a frame's
//! begin. That a wrong one passes has the odds of 1 in 2^32.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::disk::{Disk, failed, hidden_path};
use crate::error::RunError;
use crate::sink::journal::OwnedRecord;
use crate::wire;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes of the longest frame.
const LONGEST: usize = wire::MAX_PAYLOAD + wire::FRAME_OVERHEAD;

/// A part of a journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A record, and the bytes of its frame.
    Whole(Box<OwnedRecord>),
    /// Bytes that belong to no frame.
    Damage {
        /// Offset of the first of them.
        from: u64,
        /// Offset behind the last of them.
        to: u64,
    },
}

/// What a journal comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Records that are whole.
    pub records: u64,
    /// Places where bytes belong to no frame: offsets of the first, and behind the last, of them.
    pub damage: Vec<(u64, u64)>,
}

/// Reads a journal from begin to end, past what is damaged.
#[derive(Debug)]
pub struct Salvage {
    file: File,
    path: PathBuf,
    header: wire::Header,
    /// What was read and not given yet, and the offset of its first byte in the file.
    window: Vec<u8>,
    begin: usize,
    offset: u64,
    ended: bool,
    /// The frame that was given last.
    frame: Vec<u8>,
}

impl Salvage {
    /// Opens the journal at `path`; its header must be whole.
    ///
    /// # Errors
    /// [`RunError::Source`] if it cannot be read, is no journal, or of another version.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let source = |why| RunError::Source { from: path.display().to_string(), why };
        let file = File::open(path).map_err(source)?;
        let header = wire::Header {
            version: 0,
            model: Default::default(),
            config: Default::default(),
            threshold: None,
            follow: None,
        };
        let mut salvage = Self {
            file,
            path: path.to_owned(),
            header,
            window: Vec::new(),
            begin: 0,
            offset: 0,
            ended: false,
            frame: Vec::new(),
        };
        salvage.fill().map_err(source)?;
        let journal = wire::Journal::open(&salvage.window);
        let journal = journal.map_err(|why| source(io::Error::other(why)))?;
        let (header, length) = (*journal.header(), journal.offset() as usize);
        salvage.header = header;
        salvage.frame = salvage.window[..length].to_vec();
        salvage.advance(length);
        Ok(salvage)
    }

    /// The journal's header.
    pub fn header(&self) -> &wire::Header {
        &self.header
    }

    /// The bytes of the part that was given last, if it was whole; of the header, before that.
    pub fn bytes(&self) -> &[u8] {
        &self.frame
    }

    /// The next part; `None` at the file's end.
    ///
    /// # Errors
    /// [`RunError::Source`] if the file cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Part>, RunError> {
        let from = self.offset;
        loop {
            if self.fill().is_err() || self.rest().is_empty() {
                return self.end(from);
            }
            if self.offset > from && self.record().is_some() {
                return Ok(Some(Part::Damage { from, to: self.offset }));
            }
            match self.record() {
                Some((record, length)) => {
                    self.frame = self.rest()[..length].to_vec();
                    self.advance(length);
                    return Ok(Some(Part::Whole(Box::new(record))));
                }
                None => self.advance(1),
            }
        }
    }

    fn end(&mut self, from: u64) -> Result<Option<Part>, RunError> {
        // Asked once more, for the error.
        let path = self.path.display().to_string();
        self.fill().map_err(|why| RunError::Source { from: path, why })?;
        Ok((self.offset > from).then_some(Part::Damage { from, to: self.offset }))
    }

    fn rest(&self) -> &[u8] {
        &self.window[self.begin..]
    }

    /// The record whose frame begins here, and the frame's length.
    fn record(&self) -> Option<(OwnedRecord, usize)> {
        let length = u32::from_le_bytes(*self.rest().first_chunk::<4>()?) as usize;
        let frame = self.rest().get(..length.checked_add(wire::FRAME_OVERHEAD)?)?;
        let (record, threshold) = wire::record(frame, self.header.version)?;
        Some((OwnedRecord::of(record, threshold), frame.len()))
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
        let wanted = (LONGEST + CHUNK) as u64 - self.window.len() as u64;
        let read = (&mut self.file).take(wanted).read_to_end(&mut self.window)?;
        self.ended = (read as u64) < wanted;
        Ok(())
    }
}

/// Reads the whole journal and tells what it comes to; `each` sees every record.
///
/// # Errors
/// As [`Salvage::open`] and [`Salvage::next_part`].
pub fn examine(path: &Path, mut each: impl FnMut(&OwnedRecord)) -> Result<Found, RunError> {
    let mut salvage = Salvage::open(path)?;
    let mut found = Found::default();
    while let Some(part) = salvage.next_part()? {
        match part {
            Part::Whole(record) => {
                found.records += 1;
                each(&record);
            }
            Part::Damage { from, to } => found.damage.push((from, to)),
        }
    }
    Ok(found)
}

/// Writes what is whole in the journal at `path` anew, in its place; the damaged file is kept under
/// `backup`. A journal without damage is left as it is.
///
/// # Errors
/// [`RunError`] if it cannot be read or written, or `backup` exists.
pub fn repair(path: &Path, backup: &Path) -> Result<Found, RunError> {
    let found = examine(path, |_| ())?;
    if found.damage.is_empty() {
        return Ok(found);
    }
    if backup.exists() {
        let why = io::Error::new(io::ErrorKind::AlreadyExists, "it is there already");
        return Err(failed(backup)(why));
    }
    let scratch = hidden_path(path, ".repaired").map_err(failed(path))?;
    write_whole(path, &scratch)?;
    // The damaged file has both names before the whole one takes its place.
    fs::hard_link(path, backup)
        .or_else(|_| fs::copy(path, backup).map(drop))
        .map_err(failed(backup))?;
    fs::rename(&scratch, path).map_err(failed(path))?;
    Disk::system().sync_parent(path)?;
    Ok(found)
}

fn write_whole(path: &Path, scratch: &Path) -> Result<(), RunError> {
    let mut salvage = Salvage::open(path)?;
    let file = File::create(scratch).map_err(failed(scratch))?;
    let mut writer = BufWriter::with_capacity(CHUNK, file);
    writer.write_all(salvage.bytes()).map_err(failed(scratch))?;
    while let Some(part) = salvage.next_part()? {
        if let Part::Whole(_) = part {
            writer.write_all(salvage.bytes()).map_err(failed(scratch))?;
        }
    }
    let file = writer.into_inner().map_err(|error| failed(scratch)(error.into_error()))?;
    file.sync_all().map_err(failed(scratch))
}
