//! The decision journal on disk: every pair's decision, kept or not, in the input's order.
//!
//! The file is appended to under its own name, without a temporary one: its format says where it
//! is torn, and all records before that are whole (see [`wire`]).

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::decision::{Decision, Facts, Reason, Verdict};
use crate::disk::{Disk, failed};
use crate::error::{RunError, WireError};
use crate::pair::Uid;
use crate::sink::names::cut;
use crate::sink::{Judged, Sink};
use crate::source::Sample;
use crate::wire;

/// Longest key and longest shard name in a record, in bytes; what is longer is cut between two
/// characters. The uid still tells such samples apart.
pub const MAX_NAME: usize = 4096;
/// Bytes that are enough for any frame: two names and less than 200 bytes beside them.
const MAX_FRAME: usize = 2 * MAX_NAME + 512;

/// Writes a journal.
#[derive(Debug)]
pub struct JournalSink {
    writer: BufWriter<File>,
    path: PathBuf,
    frame: Vec<u8>,
    /// The threshold of the records, where it follows the scores.
    followed: Option<f32>,
}

impl JournalSink {
    /// A new journal at `path`, whose header is on disk when this returns.
    ///
    /// # Errors
    /// [`RunError::Sink`] if there is a file already or it cannot be written.
    pub fn create(path: &Path, header: wire::Header) -> Result<Self, RunError> {
        let file = File::create_new(path).map_err(failed(path))?;
        let mut sink = Self::over(file, path, header)?;
        sink.sync()?;
        Disk::system().sync_parent(path)?;
        Ok(sink)
    }

    /// A journal in a file that is already open, such as one without a name; `path` is what errors
    /// call it.
    ///
    /// # Errors
    /// [`RunError::Sink`] if the header cannot be written.
    pub fn over(file: File, path: &Path, header: wire::Header) -> Result<Self, RunError> {
        let writer = BufWriter::with_capacity(64 << 10, file);
        let mut sink = Self::start(writer, path, &header);
        sink.writer.write_all(wire::MAGIC).map_err(failed(path))?;
        let frame = wire::frame(&header, &mut sink.frame).map_err(io::Error::other);
        frame.and_then(|frame| sink.writer.write_all(frame)).map_err(failed(path))?;
        Ok(sink)
    }

    fn start(writer: BufWriter<File>, path: &Path, header: &wire::Header) -> Self {
        let followed = header.follow.and(header.threshold);
        Self { writer, path: path.to_owned(), frame: vec![0; MAX_FRAME], followed }
    }

    /// The journal at `path` with this header, of which the first `length` bytes stand: it is cut
    /// there and goes on.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be opened or cut.
    pub(super) fn append(
        path: &Path,
        header: &wire::Header,
        length: u64,
    ) -> Result<Self, RunError> {
        let open = || -> io::Result<File> {
            let mut file = File::options().write(true).open(path)?;
            file.set_len(length)?;
            file.seek(io::SeekFrom::End(0))?;
            Ok(file)
        };
        let writer = BufWriter::with_capacity(64 << 10, open().map_err(failed(path))?);
        Ok(Self::start(writer, path, header))
    }

    /// Brings everything accepted so far to disk.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be written.
    pub fn sync(&mut self) -> Result<(), RunError> {
        let flushed = self.writer.flush();
        flushed.and_then(|()| self.writer.get_ref().sync_data()).map_err(failed(&self.path))
    }
}

impl Sink for JournalSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        let Judged { sample, uid, decision } = judged;
        let record = wire::Record {
            uid: *uid,
            key: cut(&sample.key, MAX_NAME),
            shard: cut(&sample.shard, MAX_NAME),
            verdict: decision.verdict,
            reason: decision.reason,
            facts: decision.facts,
        };
        let frame = match self.followed {
            None => wire::frame(&record, &mut self.frame),
            Some(threshold) => {
                wire::frame(&wire::FollowedRecord { record, threshold }, &mut self.frame)
            }
        };
        let frame = frame.map_err(io::Error::other);
        frame.and_then(|frame| self.writer.write_all(frame)).map_err(failed(&self.path))
    }

    /// Says nothing to a journal whose header has no rule.
    fn set_threshold(&mut self, threshold: f32) {
        self.followed = self.followed.map(|_| threshold);
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.sync()
    }
}

/// One record of a journal, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedRecord {
    /// The sample's identity.
    pub uid: Uid,
    /// The sample's key in its source, at most [`MAX_NAME`] bytes of it.
    pub key: String,
    /// The shard, folder or manifest that it came from, at most [`MAX_NAME`] bytes of it.
    pub shard: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What was measured.
    pub facts: Facts,
    /// Lowest score that passed then, where the threshold follows the scores; else it is the
    /// header's.
    pub threshold: Option<f32>,
}

impl OwnedRecord {
    /// A record, and the threshold that moved with it.
    pub(super) fn of(record: wire::Record<'_>, threshold: Option<f32>) -> Self {
        Self { threshold, ..record.into() }
    }

    /// The decision that the record holds.
    pub fn decision(&self) -> Decision {
        Decision { verdict: self.verdict, reason: self.reason, facts: self.facts }
    }

    /// Whether the record has the sample's key and shard.
    pub fn names(&self, sample: &Sample) -> bool {
        self.key == cut(&sample.key, MAX_NAME) && self.shard == cut(&sample.shard, MAX_NAME)
    }
}

impl From<wire::Record<'_>> for OwnedRecord {
    fn from(record: wire::Record<'_>) -> Self {
        let wire::Record { uid, key, shard, verdict, reason, facts } = record;
        let (key, shard) = (key.to_owned(), shard.to_owned());
        Self { uid, key, shard, verdict, reason, facts, threshold: None }
    }
}

/// Reads a journal record by record; holds one frame in memory, of at most
/// [`wire::MAX_PAYLOAD`] bytes.
///
/// A torn frame is given once, as an error, and ends the iteration: a [`RunError::Source`] whose
/// `why` holds [`WireError::Torn`] (see [`wire_error`]).
#[derive(Debug)]
pub struct JournalFile<R = BufReader<File>> {
    reader: R,
    from: String,
    header: wire::Header,
    frame: Vec<u8>,
    offset: u64,
    ended: bool,
}

impl JournalFile {
    /// Opens the journal at `path` and reads its header.
    ///
    /// # Errors
    /// [`RunError::Source`] if it cannot be read or is not a journal of this version.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let from = path.display().to_string();
        let file = File::open(path).map_err(|why| RunError::Source { from: from.clone(), why })?;
        Self::over(BufReader::with_capacity(64 << 10, file), from)
    }
}

impl<R: Read> JournalFile<R> {
    /// Reads the header of the journal that `reader` gives; `from` is what errors call it.
    ///
    /// # Errors
    /// [`RunError::Source`] if it cannot be read or is not a journal of this version.
    pub fn over(mut reader: R, from: String) -> Result<Self, RunError> {
        let mut bytes = Vec::new();
        let read = (&mut reader).take(wire::MAGIC.len() as u64).read_to_end(&mut bytes);
        let framed = read.and_then(|_| read_frame(&mut reader, &mut bytes));
        let header = framed.and_then(|_| {
            let journal = wire::Journal::open(&bytes).map_err(io::Error::other)?;
            Ok(*journal.header())
        });
        match header {
            Ok(header) => {
                let offset = bytes.len() as u64;
                Ok(Self { reader, from, header, frame: bytes, offset, ended: false })
            }
            Err(why) => Err(RunError::Source { from, why }),
        }
    }

    /// The journal's header.
    pub fn header(&self) -> &wire::Header {
        &self.header
    }

    /// Offset of the next frame.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn read_record(&mut self) -> io::Result<Option<OwnedRecord>> {
        self.frame.clear();
        if read_frame(&mut self.reader, &mut self.frame)? == 0 {
            return Ok(None);
        }
        let torn = WireError::Torn { at: self.offset };
        let record = wire::record(&self.frame, self.header.version);
        let (record, threshold) = record.ok_or_else(|| io::Error::other(torn))?;
        self.offset += self.frame.len() as u64;
        Ok(Some(OwnedRecord::of(record, threshold)))
    }
}

impl<R: Read> Iterator for JournalFile<R> {
    type Item = Result<OwnedRecord, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.read_record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record.map(|r| r.map_err(|why| RunError::Source { from: self.from.clone(), why }))
    }
}

/// What is wrong with the journal, where that is why the run cannot read on.
pub fn wire_error(error: &RunError) -> Option<WireError> {
    match error {
        RunError::Source { why, .. } => why.get_ref()?.downcast_ref().copied(),
        _ => None,
    }
}

/// Appends the next frame to `bytes`, as far as there is one, and gives the number of its bytes.
fn read_frame(reader: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let start = bytes.len();
    reader.take(4).read_to_end(bytes)?;
    let length = bytes[start..].try_into().map(u32::from_le_bytes).unwrap_or(0);
    // A longer one is not a frame: its length is enough to tell.
    if length as usize <= wire::MAX_PAYLOAD && bytes.len() == start + 4 {
        reader.take(u64::from(length) + 4).read_to_end(bytes)?;
    }
    Ok(bytes.len() - start)
}
