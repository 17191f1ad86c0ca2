//! The files of a complete attempt get their names, and the marker comes last.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ATTEMPTS, Attempt, ENDINGS, FileMark, MARKER, Marker, Names};
use crate::digest::{sha256, sha256_of_file};
use crate::disk::{Disk, FileLock, IoError, failed, write_whole};

/// Longest time that another attempt at the same output may take to publish: it renames and syncs.
const LONGEST: Duration = Duration::from_secs(120);

/// How a complete attempt ended.
#[derive(Debug)]
pub enum Published {
    /// Its files have their names.
    First(Box<Marker>),
    /// Another attempt came first, with the same bytes.
    Agreed(Box<Marker>),
}

impl Published {
    /// The output's marker.
    pub fn marker(&self) -> &Marker {
        match self {
            Self::First(marker) | Self::Agreed(marker) => marker,
        }
    }
}

impl Attempt {
    /// Gives the files their names, and the output its `marker`, which is told of the files here. With
    /// `replace` a marker of other decisions gives way; without it, that is an error.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system refuses, or if another attempt has come to other bytes;
    /// [`IoError::Read`] if a file of the attempt, or the marker that is there, cannot be read.
    pub fn publish(self, mut marker: Marker, replace: bool) -> Result<Published, IoError> {
        let files = self.files();
        for (ending, path) in &files {
            marker.files.insert(self.names.file(ending), file_mark(path)?);
        }
        let names = self.names.clone();
        let bytes = marker.bytes().map_err(failed(&names.path(MARKER)))?;
        let _lock = FileLock::wait(&lock_path(&names), LONGEST)?;
        if let Some(found) = standing(&names, &bytes, replace)? {
            match found {
                Found::Same => return Ok(Published::Agreed(Box::new(marker))),
                Found::Replaceable => forget_marker(&self.disk, &names)?,
            }
        }
        place(&self.disk, &names, &files)?;
        self.mark(&bytes)?;
        Ok(Published::First(Box::new(marker)))
    }

    /// The marker is on disk before it has its name, and its name is on disk when this returns.
    fn mark(&self, bytes: &[u8]) -> Result<(), IoError> {
        let written = self.path(MARKER);
        write_whole(&self.disk, &written, bytes)?;
        self.disk.rename(&written, &self.names.path(MARKER))?;
        self.disk.sync_folder(self.names.folder())
    }
}

/// A marker that is there already.
enum Found {
    /// That of an attempt which came to the same.
    Same,
    /// One that gives way.
    Replaceable,
}

fn standing(names: &Names, bytes: &[u8], replace: bool) -> Result<Option<Found>, IoError> {
    let path = names.path(MARKER);
    let found = match fs::read(&path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(|why| IoError::Read { from: path.display().to_string(), why })?,
    };
    let marker = Marker::read(names);
    let is_whole = matches!(&marker, Ok(Some(marker)) if marker.missing(names).is_none());
    // What is to be done again is written again, whatever its lengths say. A marker whose files are gone was
    // found so, or was overtaken in the same moment: either way it says nothing.
    if replace || (marker.is_ok() && !is_whole) {
        return Ok(Some(Found::Replaceable));
    }
    if found == bytes {
        return Ok(Some(Found::Same));
    }
    let why = "another attempt has come to something else in the meantime: same input, other settings \
               or another program? see `pairgate merge`, or redo it with --overwrite";
    Err(failed(&path)(io::Error::new(io::ErrorKind::AlreadyExists, why)))
}

/// The marker goes before anything that it tells of changes.
fn forget_marker(disk: &Disk, names: &Names) -> Result<(), IoError> {
    disk.remove_if_there(&names.path(MARKER))?;
    disk.sync_folder(names.folder())
}

/// Gives the files their names, in place of those of attempts that came to no marker.
fn place(disk: &Disk, names: &Names, files: &[(&str, PathBuf)]) -> Result<(), IoError> {
    for (ending, path) in files {
        disk.rename(path, &names.path(ending))?;
    }
    let is_left = |ending: &&str| files.iter().all(|(placed, _)| placed != ending);
    for ending in ENDINGS.iter().filter(|ending| is_left(ending)) {
        let path = names.path(ending);
        if path.symlink_metadata().is_ok() {
            disk.remove_file(&path)?;
        }
    }
    disk.sync_folder(names.folder())
}

fn file_mark(path: &Path) -> Result<FileMark, IoError> {
    let read = sha256_of_file(path);
    let failed = |why| IoError::Read { from: path.display().to_string(), why };
    let (bytes, digest) = read.map_err(failed)?;
    Ok(FileMark { bytes, sha256: digest.to_string() })
}

/// One of 256 files, so that a folder of a million outputs has no million locks.
fn lock_path(names: &Names) -> PathBuf {
    let digest = sha256(names.name().as_bytes());
    names.folder().join(ATTEMPTS).join(format!("lock-{:02x}", digest.0[0]))
}
