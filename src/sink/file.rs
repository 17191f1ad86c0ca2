//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::RunError;

/// Bytes that are collected before the system is asked to write.
const BUFFER: usize = 1 << 20;

/// A file under a temporary name, `.{name}.partial`, until it is published. Dropped before that,
/// it stays behind under the temporary name.
#[derive(Debug)]
pub(crate) struct PartialFile {
    writer: BufWriter<File>,
    partial: PathBuf,
    path: PathBuf,
}

impl PartialFile {
    /// Starts a file that will be called `path`; what a killed run left of it is lost.
    pub(crate) fn create(path: &Path) -> Result<Self, RunError> {
        let partial = partial_path(path).map_err(failed(path))?;
        let file = File::create(&partial).map_err(failed(&partial))?;
        let writer = BufWriter::with_capacity(BUFFER, file);
        Ok(Self { writer, partial, path: path.to_owned() })
    }

    /// Brings what was written so far to disk, under the temporary name.
    pub(super) fn sync(&mut self) -> Result<(), RunError> {
        let flushed = self.writer.flush();
        flushed.and_then(|()| self.writer.get_ref().sync_data()).map_err(failed(&self.partial))
    }

    /// Brings the bytes to disk, then gives the file its name, replacing a file of that name.
    pub(crate) fn publish(self) -> Result<(), RunError> {
        let Self { writer, partial, path } = self;
        let file = writer.into_inner().map_err(|error| failed(&partial)(error.into_error()))?;
        file.sync_all().map_err(failed(&partial))?;
        drop(file);
        fs::rename(&partial, &path).map_err(failed(&path))?;
        sync_parent(&path)
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes all of a file, which appears, or is replaced, when it is on disk.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let mut file = PartialFile::create(path)?;
    file.write_all(bytes).map_err(failed(path))?;
    file.publish()
}

/// The name that a file has until it is published.
pub(super) fn partial_path(path: &Path) -> io::Result<PathBuf> {
    hidden_path(path, ".partial")
}

/// `.{name}{ending}` beside `path`.
pub(super) fn hidden_path(path: &Path, ending: &str) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    Ok(path.with_file_name(hidden))
}

/// Brings the names of the files beside `path` to disk: a rename is durable only after this.
pub(super) fn sync_parent(path: &Path) -> Result<(), RunError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Brings the names of the files in `folder` to disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), RunError> {
    // Elsewhere a folder cannot be opened as a file, and the system orders renames itself.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))?;
    }
    Ok(())
}

/// Names the file in an I/O error.
pub(crate) fn failed(path: &Path) -> impl Fn(io::Error) -> RunError + '_ {
    move |why| RunError::Sink { to: path.display().to_string(), why }
}
