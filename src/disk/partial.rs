//! Files that appear whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Disk, FileHandle, Open};
use crate::disk::IoError;

/// Bytes that are collected before the system is asked to write.
const BUFFER: usize = 1 << 20;

/// A file under a temporary name, `.{name}.partial`, until it is published. Dropped before that,
/// it stays behind under the temporary name.
#[derive(Debug)]
pub(crate) struct PartialFile {
    disk: Disk,
    writer: BufWriter<Box<dyn FileHandle>>,
    partial: PathBuf,
    path: PathBuf,
    bytes: u64,
}

impl PartialFile {
    /// Starts a file that will be called `path`; what a killed run left of it is lost. One that
    /// another process is writing is refused.
    pub(crate) fn create(disk: &Disk, path: &Path) -> Result<Self, IoError> {
        Self::go_on(disk, path, 0)
    }

    /// Goes on with a file of which the first `bytes` bytes stand: it is cut there.
    pub(crate) fn go_on(disk: &Disk, path: &Path, bytes: u64) -> Result<Self, IoError> {
        let partial = partial_path(path).map_err(failed(path))?;
        let mut file = disk.open(&partial, Open::Append)?;
        if !file.try_lock().map_err(failed(&partial))? {
            let why = "another process is writing it";
            return Err(failed(path)(io::Error::new(io::ErrorKind::ResourceBusy, why)));
        }
        file.set_len(bytes).map_err(failed(&partial))?;
        let writer = BufWriter::with_capacity(BUFFER, file);
        Ok(Self { disk: disk.clone(), writer, partial, path: path.to_owned(), bytes })
    }

    /// Bytes in it, those that are not written yet among them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Names the file in an I/O error.
    pub(crate) fn failed(&self, why: io::Error) -> IoError {
        failed(&self.path)(why)
    }

    /// Brings the temporary name itself to disk, so that a power cut does not take the file away.
    pub(crate) fn sync_name(&self) -> Result<(), IoError> {
        self.disk.sync_parent(&self.partial)
    }

    /// Brings what was written so far to disk, under the temporary name.
    pub(crate) fn sync(&mut self) -> Result<(), IoError> {
        let flushed = self.writer.flush();
        let synced = flushed.and_then(|()| self.writer.get_mut().sync());
        synced.and_then(|()| still_there(&self.partial)).map_err(failed(&self.partial))
    }

    /// Brings the bytes to disk, then gives the file its name, replacing a file of that name.
    pub(crate) fn publish(mut self) -> Result<(), IoError> {
        self.sync()?;
        let Self { disk, writer, partial, path, .. } = self;
        drop(writer);
        disk.rename(&partial, &path)?;
        disk.sync_parent(&path)
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes all of a file, which appears, or is replaced, when it is on disk.
pub(crate) fn write_whole(disk: &Disk, path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let mut file = PartialFile::create(disk, path)?;
    file.write_all(bytes).map_err(failed(path))?;
    file.publish()
}

/// The name that a file has until it is published.
pub(crate) fn partial_path(path: &Path) -> io::Result<PathBuf> {
    hidden_path(path, ".partial")
}

/// `.{name}{ending}` beside `path`.
pub(crate) fn hidden_path(path: &Path, ending: &str) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    Ok(path.with_file_name(hidden))
}

/// An error where the name of a file that is being written is gone: what is in it then goes with the
/// process, however often it is brought to disk.
pub(crate) fn still_there(path: &Path) -> io::Result<()> {
    path.symlink_metadata().map(drop).map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(why.kind(), "it was removed while it was being written")
        }
        _ => why,
    })
}

/// Names the file in an I/O error.
pub(crate) fn failed(path: &Path) -> impl Fn(io::Error) -> IoError + '_ {
    move |why| IoError::Write { to: path.display().to_string(), why }
}
