//! The arrays of an archive, row by row: those of embeddings side by side, and those that say whose they are.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use half::f16;
use zip::ZipArchive;

use super::arrays::{Rows, open_entry};
use super::numpy::Header;
use super::recording::Names;
use super::{unread, wrong};
use crate::disk::IoError;
use crate::score::PairEmbeddings;

/// Most values of an embedding.
const MAX_COLUMNS: u64 = 1 << 16;

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
