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
use super::recording::Names;
use super::{unread, wrong};
use crate::disk::IoError;
use crate::score::PairEmbeddings;

/// Most values of a centroid file, 4 GiB of them.
const MAX_VALUES: u64 = 1 << 30;

/// A row-by-row reader of a two-dimensional array of floats.
pub struct Rows {
    reader: Box<dyn Read + Send>,
    path: PathBuf,
    columns: usize,
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
enum Entry {
    Stored(BufReader<File>),
    Deflated(DeflateDecoder<io::Take<BufReader<File>>>),
}

fn open_entry(path: &Path, name: &str) -> io::Result<Entry> {
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

    fn into_reader(self, bytes: u64) -> Box<dyn Read + Send> {
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

/// An array in an archive, value by value, as bytes.
pub struct Plain {
    reader: Box<dyn Read + Send>,
    path: PathBuf,
    name: String,
    header: Header,
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, name, header, .. } = self;
        f.debug_struct("Plain").field("path", path).field(name, header).finish_non_exhaustive()
    }
}

impl Plain {
    /// Opens the array `name` of the `.npz` at `path`, whose values are of `kind`; `None` where there is no
    /// array of that name.
    ///
    /// # Errors
    /// [`IoError::Read`] where it is something else, or damaged.
    pub fn open(path: &Path, name: &str, kind: &str) -> Result<Option<Self>, IoError> {
        let found = Self::open_any(path, name)?;
        match found {
            Some(array) if array.header.kind != kind => {
                let is = array.header.kind.clone();
                Err(array.failed(wrong(format!("its values are {is}, wanted is {kind}"))))
            }
            found => Ok(found),
        }
    }

    /// The same whatever its values are.
    fn open_any(path: &Path, name: &str) -> Result<Option<Self>, IoError> {
        if !array_names(path)?.iter().any(|found| found == name) {
            return Ok(None);
        }
        let open = || -> io::Result<Self> {
            let mut entry = open_entry(path, name)?;
            let header = Header::read(&mut entry)?;
            let (path, name) = (path.to_owned(), name.to_owned());
            Ok(Self { reader: entry.into_reader(u64::MAX), path, name, header })
        };
        open().map(Some).map_err(|why| {
            unread(path)(io::Error::new(why.kind(), format!("array {name:?}: {why}")))
        })
    }

    /// Its first side; 1 of a single value.
    pub fn len(&self) -> u64 {
        self.header.shape.first().copied().unwrap_or(1)
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `bytes` with what comes next.
    ///
    /// # Errors
    /// [`IoError::Read`] where there is less, or it cannot be read.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<(), IoError> {
        self.reader.read_exact(bytes).map_err(|why| self.failed(why))
    }

    /// Names the array in an error.
    pub fn failed(&self, why: io::Error) -> IoError {
        let text = format!("array {:?}: {why}", self.name);
        unread(&self.path)(io::Error::new(why.kind(), text))
    }
}

/// The names of an archive's arrays.
///
/// # Errors
/// [`IoError::Read`] where it is none.
pub fn array_names(path: &Path) -> Result<Vec<String>, IoError> {
    let open = || -> io::Result<Vec<String>> {
        let archive =
            ZipArchive::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
        let names = archive.file_names().flatten();
        Ok(names.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect())
    };
    open().map_err(unread(path))
}

/// The embeddings of both sides of an archive, pair by pair. Values of 32 and 64 bits are rounded to 16.
pub struct Pairs {
    image: Rows,
    text: Rows,
    rows: u64,
    values: Vec<f32>,
}

impl std::fmt::Debug for Pairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Pairs");
        shown.field("path", &self.image.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Pairs {
    /// Opens the arrays `names` of the `.npz` at `path`.
    ///
    /// # Errors
    /// [`IoError::Read`] where one of them is not there, is no array of rows of floats, or the two have not
    /// one shape.
    pub fn open(path: &Path, names: &Names) -> Result<Self, IoError> {
        let image = Self::shape(path, names.image())?;
        let text = Self::shape(path, names.text())?;
        if image != text {
            let why = format!("{names}: their shapes are {image:?} and {text:?}, not one");
            return Err(unread(path)(wrong(why)));
        }
        let [rows, columns] = image;
        let side = |name| Rows::open(path, name, rows, columns as usize, 0..rows);
        let (image, text) = (side(names.image())?, side(names.text())?);
        Ok(Self { image, text, rows, values: Vec::new() })
    }

    /// The same under the names that the two first arrays have, as pairgate writes them.
    pub fn open_any(path: &Path) -> Result<Self, IoError> {
        let names = array_names(path)?;
        let names: Vec<_> = names.iter().take(2).map(String::as_str).collect();
        let names: Names = names.join(",").parse().map_err(|why: String| {
            unread(path)(wrong(format!("it does not begin with embeddings: {why}")))
        })?;
        Self::open(path, &names)
    }

    fn shape(path: &Path, name: &str) -> Result<[u64; 2], IoError> {
        let Some(array) = Plain::open_any(path, name)? else {
            let names = array_names(path)?.join(", ");
            let why = format!("it has no array {name:?}; it has {names}");
            return Err(unread(path)(wrong(why)));
        };
        match array.header.shape[..] {
            [rows, columns] if (1..=MAX_COLUMNS).contains(&columns) => Ok([rows, columns]),
            ref shape => {
                let why = format!("its shape is {shape:?}, not that of rows of embeddings");
                Err(array.failed(wrong(why)))
            }
        }
    }

    /// Rows.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Values of an embedding.
    pub fn dimension(&self) -> usize {
        self.image.columns
    }

    /// The next pair's embeddings; of a pair that has none they are NaN.
    ///
    /// # Errors
    /// [`IoError::Read`] where there are no more, or they cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "there is no end: who reads knows how many there are"
    )]
    pub fn next(&mut self) -> Result<PairEmbeddings, IoError> {
        self.image.read(1, &mut self.values)?;
        let image = self.values.iter().map(|value| f16::from_f32(*value)).collect();
        self.text.read(1, &mut self.values)?;
        let text = self.values.iter().map(|value| f16::from_f32(*value)).collect();
        Ok(PairEmbeddings { image, text })
    }
}

/// Most values of an embedding.
const MAX_COLUMNS: u64 = 1 << 16;
