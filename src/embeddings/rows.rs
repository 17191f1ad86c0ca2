//! Embeddings as they come, pair by pair: what an `.npz` is made of when it is closed.
//!
//! ```text
//! file   = "PAIREMBD" dimension: u64 LE, first ticket: u64 LE, row*
//! row    = ticket: u64 LE, uid: 16 bytes, image: dimension * f16 LE, text: the same, crc: u32 LE
//! ```
//! All rows of a file have one length; the checksum is the CRC-32C of what is before it in the row. A pair
//! without embeddings has a row of NaN.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use half::f16;
use pairgate_core::pair::Uid;
use pairgate_core::wire::CRC32C;

use crate::disk::{Disk, IoError, PartialFile, failed, partial_path};
use crate::score::PairEmbeddings;

const MAGIC: &[u8; 8] = b"PAIREMBD";
const HEADER: u64 = 24;
/// Most values of an embedding: a header that says more is damaged.
const MAX_DIMENSION: u32 = 1 << 16;

/// The file that rows wait in, of the `.npz` at `path`, before its temporary name.
pub(crate) fn waiting_path(path: &Path) -> PathBuf {
    path.with_extension(ENDING)
}

/// What such a file's name ends with.
pub(crate) const ENDING: &str = "embeddings";

fn row_bytes(dimension: usize) -> u64 {
    8 + 16 + 4 * dimension as u64 + 4
}

/// One pair's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The pair's place in its run.
    pub ticket: u64,
    /// Its identity.
    pub uid: Uid,
    /// Its embeddings' bytes as they are in the file: the picture's, then the caption's; NaN where there
    /// are none.
    values: Vec<u8>,
}

impl Row {
    /// The picture's values, `[dimension]` f16 LE.
    pub fn image(&self) -> &[u8] {
        &self.values[..self.values.len() / 2]
    }

    /// The caption's values.
    pub fn text(&self) -> &[u8] {
        &self.values[self.values.len() / 2..]
    }

    /// Whether the pair has embeddings.
    pub fn is_there(&self) -> bool {
        self.values.as_chunks().0.iter().any(|bytes| !f16::from_le_bytes(*bytes).is_nan())
    }
}

/// Writes rows to a file under its temporary name.
#[derive(Debug)]
pub(crate) struct RowsWriter {
    file: PartialFile,
    dimension: usize,
    row: Vec<u8>,
}

impl RowsWriter {
    /// Begins the file that waits for `path`; when this returns, its name and its header are on disk.
    pub fn create(
        disk: &Disk,
        path: &Path,
        dimension: usize,
        first_ticket: u64,
    ) -> Result<Self, IoError> {
        let path = waiting_path(path);
        let mut file = PartialFile::create(disk, &path)?;
        let mut header = MAGIC.to_vec();
        header.extend((dimension as u64).to_le_bytes());
        header.extend(first_ticket.to_le_bytes());
        file.write_all(&header).map_err(failed(&path))?;
        file.sync()?;
        file.sync_name()?;
        Ok(Self { file, dimension, row: Vec::new() })
    }

    /// Goes on behind the first `rows` rows; what follows them is cut.
    pub fn go_on(disk: &Disk, path: &Path, dimension: usize, rows: u64) -> Result<Self, IoError> {
        let bytes = HEADER + rows * row_bytes(dimension);
        let file = PartialFile::go_on(disk, &waiting_path(path), bytes)?;
        Ok(Self { file, dimension, row: Vec::new() })
    }

    /// Appends the row of a pair; `None` is one of NaN.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written, or the embeddings have another length.
    pub fn append(
        &mut self,
        ticket: u64,
        uid: Uid,
        embeddings: Option<&PairEmbeddings>,
    ) -> Result<(), IoError> {
        self.row.clear();
        self.row.extend(ticket.to_le_bytes());
        self.row.extend(uid.0);
        match embeddings {
            None => {
                let none = f16::NAN.to_le_bytes();
                (0..2 * self.dimension).for_each(|_| self.row.extend(none));
            }
            Some(pair) => {
                for values in [&pair.image, &pair.text] {
                    if values.len() != self.dimension {
                        let (is, wanted) = (values.len(), self.dimension);
                        let why = format!("an embedding has {is} values, not {wanted}");
                        return Err(self.file.failed(io::Error::other(why)));
                    }
                    values.iter().for_each(|value| self.row.extend(value.to_le_bytes()));
                }
            }
        }
        self.row.extend(CRC32C.checksum(&self.row).to_le_bytes());
        self.file.write_all(&self.row).map_err(|why| self.file.failed(why))
    }

    /// Brings all rows to disk, under the temporary name.
    pub fn sync(&mut self) -> Result<(), IoError> {
        self.file.sync()
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.file.bytes()
    }
}

/// Reads the rows of a file that waits, whoever left it.
#[derive(Debug)]
pub(crate) struct RowsReader {
    file: BufReader<File>,
    path: PathBuf,
    dimension: usize,
    first_ticket: u64,
    row: Vec<u8>,
}

/// What stands in the place of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot {
    Whole(Row),
    /// Its checksum does not hold.
    Damaged,
}

impl RowsReader {
    /// Opens the file that waits for `path`; `None` where there is none, or its header is not whole.
    pub fn open(path: &Path) -> Result<Option<Self>, IoError> {
        let path = partial_path(&waiting_path(path)).map_err(failed(path))?;
        let unread = |why| IoError::Read { from: path.display().to_string(), why };
        let file = match File::open(&path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unread)?,
        };
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut header = [0; HEADER as usize];
        match file.read_exact(&mut header) {
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(unread)?,
        }
        let (magic, rest) = header.split_at(MAGIC.len());
        let number = |bytes: &[u8]| bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
        let (dimension, first_ticket) = (number(&rest[..8]), number(&rest[8..]));
        if magic != MAGIC || dimension > u64::from(MAX_DIMENSION) {
            return Ok(None);
        }
        Ok(Some(Self { file, path, dimension: dimension as usize, first_ticket, row: Vec::new() }))
    }

    /// Values of an embedding.
    #[cfg(feature = "parquet")]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Ticket from which on pairs have their rows here.
    pub fn first_ticket(&self) -> u64 {
        self.first_ticket
    }

    /// The next row; `None` where the file ends, also within one.
    pub fn next(&mut self) -> Result<Option<Slot>, IoError> {
        let length = row_bytes(self.dimension) as usize;
        self.row.resize(length, 0);
        match self.file.read_exact(&mut self.row) {
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(why) => {
                return Err(IoError::Read { from: self.path.display().to_string(), why });
            }
            Ok(()) => {}
        }
        let (bytes, check) = self.row.split_at(length - 4);
        if CRC32C.checksum(bytes).to_le_bytes() != check {
            return Ok(Some(Slot::Damaged));
        }
        let (ticket, rest) = bytes.split_at(8);
        let (uid, values) = rest.split_at(16);
        let ticket = ticket.try_into().map_or(0, u64::from_le_bytes);
        let uid = Uid(uid.try_into().unwrap_or_default());
        Ok(Some(Slot::Whole(Row { ticket, uid, values: values.to_vec() })))
    }
}
