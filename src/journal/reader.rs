//! Reads journals of all formats, record by record.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

use pairgate_core::error::WireError;
use pairgate_core::wire;

use super::entry::{Entry, Epoch};
use super::header::{Header, Terms};
use super::record::Record;
use super::segment::{parse_header, parts, read_front, sidecar};
use crate::disk::IoError;

/// Reads one file entry by entry; holds one frame in memory, of at most [`wire::MAX_PAYLOAD`] bytes.
///
/// A torn frame is given once, as an error, and ends the iteration: a [`IoError::Read`] whose
/// `why` holds [`WireError::Torn`] (see [`wire_error`]).
#[derive(Debug)]
pub struct SegmentReader<R = BufReader<File>> {
    reader: R,
    from: String,
    header: Header,
    frame: Vec<u8>,
    offset: u64,
    records: u64,
    ended: bool,
}

impl SegmentReader {
    /// Opens the file at `path` and reads its header, or the one beside it where that is damaged.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read or is no journal of a format that is read.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let from = path.display().to_string();
        let file = File::open(path).map_err(|why| IoError::Read { from: from.clone(), why })?;
        Self::over(BufReader::with_capacity(64 << 10, file), from)
    }
}

impl<R: Read> SegmentReader<R> {
    /// Reads the header of the journal that `reader` gives; `from` is what errors call it.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read or is no journal of a format that is read.
    pub fn over(mut reader: R, from: String) -> Result<Self, IoError> {
        let front = read_front(&mut reader);
        let header = front.and_then(|front| parse_header(&front).map_err(io::Error::other));
        match header {
            Ok((header, length)) => Ok(Self {
                reader,
                from,
                records: header.first_ticket,
                header,
                frame: Vec::new(),
                offset: length as u64,
                ended: false,
            }),
            Err(why) => Err(IoError::Read { from, why }),
        }
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Offset of the next frame.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn read_entry(&mut self) -> io::Result<Option<Entry>> {
        self.frame.clear();
        if read_frame(&mut self.reader, &mut self.frame)? == 0 {
            return Ok(None);
        }
        let payload = wire::payload(&self.frame);
        let entry = payload.and_then(|p| Entry::read(p, self.header.format, self.records));
        let entry = entry.ok_or_else(|| io::Error::other(WireError::Torn { at: self.offset }))?;
        self.records += u64::from(matches!(entry, Entry::Record(_)));
        self.offset += self.frame.len() as u64;
        Ok(Some(entry))
    }
}

impl<R: Read> Iterator for SegmentReader<R> {
    type Item = Result<Entry, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.read_entry().transpose();
        self.ended = !matches!(entry, Some(Ok(_)));
        entry.map(|entry| entry.map_err(|why| IoError::Read { from: self.from.clone(), why }))
    }
}

/// Reads all records of a journal: of a file of any format, or of an output folder.
#[derive(Debug)]
pub struct Reader {
    /// The header of the first part.
    header: Header,
    /// What decided the record that was given last.
    terms: Terms,
    dropped: u64,
    current: SegmentReader,
    rest: IntoIter<PathBuf>,
}

impl Reader {
    /// Opens the journal at `path`, a file or a folder.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read, there is none, or it is of a format that is not
    /// read.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let source = |why| IoError::Read { from: path.display().to_string(), why };
        let parts = parts(path).map_err(source)?;
        Self::over(parts).transpose().unwrap_or_else(|| {
            Err(source(io::Error::new(io::ErrorKind::NotFound, "there is no journal in it")))
        })
    }

    /// The same for the files of a journal, in their order; `None` where there are none.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn over(parts: Vec<PathBuf>) -> Result<Option<Self>, IoError> {
        let mut rest = parts.into_iter();
        let Some(first) = rest.next() else { return Ok(None) };
        let current = open_part(&first)?;
        let header = current.header().clone();
        let terms = header.terms.clone();
        Ok(Some(Self { header, terms, dropped: 0, current, rest }))
    }

    /// The header of its first part.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The file that is being read.
    pub fn part(&self) -> &Path {
        Path::new(&self.current.from)
    }

    /// What decided the record that was given last; the first one, before that.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Stored pairs that are gone with their shards, by what was read so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Says so in the log, of the journal at `path`, where there are any.
    pub(crate) fn tell_dropped(&self, path: &Path) {
        if self.dropped > 0 {
            let (path, dropped) = (path.display(), self.dropped);
            log::info!(
                "{path}: {dropped} of the kept pairs are gone: their shards were removed to make room"
            );
        }
    }

    /// The next entry; also an epoch where a part of the journal begins under other terms. A torn frame
    /// is given once, as an error, and ends it.
    ///
    /// # Errors
    /// [`IoError::Read`] where a part cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, IoError> {
        let entry = self.entry_of_any_part();
        if entry.is_err() {
            self.rest = Vec::new().into_iter();
        }
        entry
    }

    fn entry_of_any_part(&mut self) -> Result<Option<Entry>, IoError> {
        loop {
            if let Some(entry) = self.current.next().transpose()? {
                match &entry {
                    Entry::Epoch(epoch) => self.terms.clone_from(&epoch.terms),
                    Entry::Dropped(dropped) => self.dropped += dropped.samples,
                    _ => {}
                }
                return Ok(Some(entry));
            }
            let Some(next) = self.rest.next() else { return Ok(None) };
            self.current = open_part(&next)?;
            let Header { terms, first_ticket, .. } = self.current.header().clone();
            if terms != self.terms {
                self.terms.clone_from(&terms);
                return Ok(Some(Entry::Epoch(Box::new(Epoch { terms, first_ticket }))));
            }
        }
    }
}

/// A segment whose own header is damaged is read by the one beside it.
fn open_part(path: &Path) -> Result<SegmentReader, IoError> {
    SegmentReader::open(path).or_else(|error| match sidecar(path) {
        Some(header) if wire_error(&error).is_some() => beside(path, header),
        _ => Err(error),
    })
}

/// Reads a segment by a header that is whole: its own has the same length.
fn beside(path: &Path, header: Header) -> Result<SegmentReader, IoError> {
    let from = path.display().to_string();
    let opened = || -> io::Result<SegmentReader> {
        let length = super::header_bytes(&header).map_err(io::Error::other)?.len() as u64;
        let mut reader = BufReader::with_capacity(64 << 10, File::open(path)?);
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
        Ok(SegmentReader {
            reader,
            from: from.clone(),
            records: header.first_ticket,
            header: header.clone(),
            frame: Vec::new(),
            offset: length,
            ended: false,
        })
    };
    opened().map_err(|why| IoError::Read { from: from.clone(), why })
}

impl Iterator for Reader {
    type Item = Result<Record, IoError>;

    /// The next record. A torn frame is given once, as an error, and ends the iteration.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_entry().transpose()? {
                Ok(Entry::Record(record)) => return Some(Ok(*record)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What is wrong with the journal, where that is why the run cannot read on.
pub fn wire_error(error: &IoError) -> Option<WireError> {
    match error {
        IoError::Read { why, .. } => why.get_ref()?.downcast_ref().copied(),
        _ => None,
    }
}

/// Appends the next frame to `bytes`, as far as there is one, and gives the number of its bytes.
fn read_frame(reader: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let start = bytes.len();
    reader.take(4).read_to_end(bytes)?;
    let length = bytes[start..].try_into().map_or(0, u32::from_le_bytes);
    // A longer one is not a frame: its length is enough to tell.
    if length as usize <= wire::MAX_PAYLOAD && bytes.len() == start + 4 {
        reader.take(u64::from(length) + 4).read_to_end(bytes)?;
    }
    Ok(bytes.len() - start)
}
