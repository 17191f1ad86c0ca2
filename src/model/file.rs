//! Files of models: regular ones, of a bounded size.
//!
//! A bundle comes from strangers. What lies in a file's place may be a named pipe, which would be
//! waited for, or a device, which never ends.

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use crate::model::ModelError;

/// Largest manifest, tokenizer, golden file or golden picture, in bytes: Gemma's tokenizer has 34 MB.
pub(super) const MAX_TEXT_BYTES: u64 = 256 << 20;
/// Largest ONNX file, in bytes: what protobuf allows.
pub(super) const MAX_ONNX_BYTES: u64 = i32::MAX as u64;
/// Largest file with weights, in bytes.
pub(super) const MAX_WEIGHT_BYTES: u64 = 16 << 30;

/// A regular file that is read up to its stated size. One that gives more than that fails.
#[derive(Debug)]
pub(super) struct ModelFile {
    file: File,
    /// Its stated size in bytes.
    bytes: u64,
    /// Bytes between here and its stated end.
    left: u64,
}

impl ModelFile {
    /// Opens a file of at most `limit` bytes. Links to regular files are followed.
    ///
    /// # Errors
    /// [`ModelError::Read`] that says what it is where it is no regular file, or why it cannot be
    /// opened; [`ModelError::TooBig`].
    pub fn open(path: &Path, limit: u64) -> Result<Self, ModelError> {
        let name = || path.display().to_string();
        let file = open_regular(path).map_err(|why| ModelError::Read { file: name(), why })?;
        let (file, bytes) = file;
        refuse_size(&name(), bytes, limit)?;
        Ok(Self { file, bytes, left: bytes })
    }

    /// Its stated size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes
    }

    /// Goes to a byte, counted from the start.
    ///
    /// # Errors
    /// The system's, and one for a byte that is behind the end.
    pub fn go_to(&mut self, at: u64) -> io::Result<()> {
        let left = self.bytes.checked_sub(at).ok_or_else(|| {
            let why = format!("byte {at} is behind its end at {}", self.bytes);
            io::Error::new(io::ErrorKind::UnexpectedEof, why)
        })?;
        self.file.seek(SeekFrom::Start(at))?;
        self.left = left;
        Ok(())
    }
}

impl Read for ModelFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.file.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("it goes on behind its stated size of {} bytes", self.bytes),
                )),
            };
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// As [`ModelFile::open`], and [`ModelError::Read`] where reading fails.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let mut file = ModelFile::open(path, limit)?;
    // The stated size may be far from the truth: memory is taken as the bytes come.
    let mut bytes = Vec::with_capacity(usize::try_from(file.bytes.min(1 << 20)).unwrap_or(0));
    let done = file.read_to_end(&mut bytes);
    done.map_err(|why| ModelError::Read { file: path.display().to_string(), why })?;
    Ok(bytes)
}

/// Refuses what has more bytes than `limit`; `file` is what the error calls it.
///
/// # Errors
/// [`ModelError::TooBig`].
pub(super) fn refuse_size(file: &str, bytes: u64, limit: u64) -> Result<(), ModelError> {
    let fits = bytes <= limit;
    fits.then_some(()).ok_or_else(|| ModelError::TooBig { file: file.to_owned(), bytes, limit })
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    // Asked before it is opened, because a named pipe would be waited for, and again of what was
    // opened, because the name may lead elsewhere by then.
    regular(&path.metadata()?)?;
    let file = File::open(path)?;
    let bytes = regular(&file.metadata()?)?;
    Ok((file, bytes))
}

/// The size in bytes of a regular file.
fn regular(metadata: &Metadata) -> io::Result<u64> {
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let why = format!("it is {}, not a regular file", kind(metadata.file_type()));
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn kind(found: FileType) -> &'static str {
    if found.is_dir() { "a folder" } else { special(found) }
}

#[cfg(unix)]
fn special(found: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if found.is_fifo() {
        "a named pipe"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "something else"
}
