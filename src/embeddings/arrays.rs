//! NumPy files: the `.npz` of embeddings beside a table, and arrays of centroids and targets.
//!
//! Values are read here, and not one by one: they come by the million.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use half::f16;
use zip::{CompressionMethod, ZipArchive};

use super::numpy::Header;
use super::{unread, wrong};
use crate::disk::IoError;

/// Most values of a centroid file, 4 GiB of them.
const MAX_VALUES: u64 = 1 << 30;

/// A row-by-row reader of a two-dimensional array of floats.
pub struct Rows {
    reader: Box<dyn Read + Send>,
    pub(super) path: PathBuf,
    pub(super) columns: usize,
    kind: Kind,
    bytes: Vec<u8>,
}

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Half,
    Single,
    Double,
}

impl Kind {
    fn of(header: &Header) -> io::Result<Self> {
        match header.kind.as_str() {
            "<f2" => Ok(Self::Half),
            "<f4" => Ok(Self::Single),
            "<f8" => Ok(Self::Double),
            other => {
                Err(wrong(format!("its values are {other}; <f2, <f4 and <f8 can be embeddings")))
            }
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    fn append(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::Half => {
                out.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()));
            }
            Self::Single => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            Self::Double => {
                out.extend(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32));
            }
        }
    }
}

pub use super::columns::{Pairs, Plain, array_names};
pub use super::npz::beside;

impl Rows {
    /// Opens the rows `range` of the array `name` in the `.npz` at `path`, which must have `rows`
    /// of them, of `columns` values.
    ///
    /// # Errors
    /// [`IoError::Read`] where it has not, or is damaged.
    pub fn open(
        path: &Path,
        name: &str,
        rows: u64,
        columns: usize,
        range: Range<u64>,
    ) -> Result<Self, IoError> {
        let open = || -> io::Result<Self> {
            let mut entry = open_entry(path, name)?;
            let header = Header::read(&mut entry)?;
            let kind = Kind::of(&header)?;
            let wanted = [rows, columns as u64];
            if header.shape != wanted {
                let found = header.shape;
                return Err(wrong(format!(
                    "its shape is {found:?}, wanted is {wanted:?}: rows of the table and values of a centroid"
                )));
            }
            let row = (columns * kind.bytes()) as u64;
            entry.skip(range.start.saturating_mul(row))?;
            let reader = entry.into_reader((range.end - range.start).saturating_mul(row));
            Ok(Self { reader, path: path.to_owned(), columns, kind, bytes: Vec::new() })
        };
        open().map_err(|why| {
            unread(path)(io::Error::new(why.kind(), format!("array {name:?}: {why}")))
        })
    }

    /// Replaces `out` with the next `rows` rows.
    ///
    /// # Errors
    /// [`IoError::Read`] where there are fewer, or they cannot be read.
    pub fn read(&mut self, rows: usize, out: &mut Vec<f32>) -> Result<(), IoError> {
        self.bytes.resize(rows * self.columns * self.kind.bytes(), 0);
        self.reader.read_exact(&mut self.bytes).map_err(unread(&self.path))?;
        out.clear();
        self.kind.append(&self.bytes, out);
        Ok(())
    }
}

/// The bytes of one array in an archive.
pub(super) enum Entry {
    Stored(BufReader<File>),
    Deflated(DeflateDecoder<io::Take<BufReader<File>>>),
}

pub(super) fn open_entry(path: &Path, name: &str) -> io::Result<Entry> {
    let mut archive =
        ZipArchive::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
    let file = format!("{name}.npy");
    let Some(index) = archive.index_for_name(&file) else {
        let names = archive.file_names().flatten();
        let names: Vec<_> = names.map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        return Err(wrong(format!("there is none; the file has {}", names.join(", "))));
    };
    let entry = archive.by_index_raw(index).map_err(io::Error::other)?;
    let (method, size) = (entry.compression(), entry.compressed_size());
    let start = entry.data_start().ok_or_else(|| wrong("its place is not known"))?;
    drop(entry);
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    reader.seek(SeekFrom::Start(start))?;
    match method {
        CompressionMethod::Stored => Ok(Entry::Stored(reader)),
        CompressionMethod::Deflated => Ok(Entry::Deflated(DeflateDecoder::new(reader.take(size)))),
        other => {
            Err(wrong(format!("it is compressed in a way that NumPy does not write: {other}")))
        }
    }
}

impl Entry {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Stored(file) => file.seek_relative(bytes.try_into().map_err(io::Error::other)?),
            Self::Deflated(file) => io::copy(&mut file.take(bytes), &mut io::sink()).map(|_| ()),
        }
    }

    pub(super) fn into_reader(self, bytes: u64) -> Box<dyn Read + Send> {
        match self {
            Self::Stored(file) => Box::new(file.take(bytes)),
            Self::Deflated(file) => Box::new(file.take(bytes)),
        }
    }
}

impl Read for Entry {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(file) => file.read(into),
            Self::Deflated(file) => file.read(into),
        }
    }
}

/// Reads a `.npy` of rows of floats: the values, and how many a row has.
///
/// # Errors
/// [`IoError::Read`] where it is something else.
pub fn read_matrix(path: &Path) -> Result<(Vec<f32>, usize), IoError> {
    let read = || -> io::Result<_> {
        let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
        let header = Header::read(&mut file)?;
        let kind = Kind::of(&header)?;
        let [_, columns] = header.shape[..] else {
            return Err(wrong(format!("its shape is {:?}, not that of rows", header.shape)));
        };
        let bytes = read_values(&mut file, &header, kind.bytes())?;
        let mut values = Vec::with_capacity(bytes.len() / kind.bytes());
        kind.append(&bytes, &mut values);
        Ok((values, columns as usize))
    };
    read().map_err(unread(path))
}

/// Reads a `.npy` of whole numbers in one dimension.
///
/// # Errors
/// [`IoError::Read`] where it is something else.
pub fn read_places(path: &Path) -> Result<Vec<i64>, IoError> {
    let read = || -> io::Result<_> {
        let mut file = BufReader::new(File::open(path)?);
        let header = Header::read(&mut file)?;
        if header.shape.len() != 1 {
            return Err(wrong(format!("its shape is {:?}, not that of a list", header.shape)));
        }
        match header.kind.as_str() {
            "<i4" => Ok(read_values(&mut file, &header, 4)?
                .as_chunks()
                .0
                .iter()
                .map(|b| i32::from_le_bytes(*b).into())
                .collect()),
            "<i8" | "<u8" => Ok(read_values(&mut file, &header, 8)?
                .as_chunks()
                .0
                .iter()
                .map(|b| i64::from_le_bytes(*b))
                .collect()),
            other => {
                Err(wrong(format!("its values are {other}, not whole numbers (<i8, <u8, <i4)")))
            }
        }
    };
    read().map_err(unread(path))
}

fn read_values(file: &mut impl Read, header: &Header, bytes: usize) -> io::Result<Vec<u8>> {
    if header.values() > MAX_VALUES {
        return Err(wrong(format!("{} values are more than are read", header.values())));
    }
    let wanted = header.values() * bytes as u64;
    let mut values = Vec::new();
    file.take(wanted).read_to_end(&mut values)?;
    if values.len() as u64 != wanted {
        return Err(wrong(format!("it is cut: {} of {wanted} bytes", values.len())));
    }
    Ok(values)
}
