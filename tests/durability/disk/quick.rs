//! The machine's files without its syncs.

use std::io::{self, Write};
use std::path::Path;

use pairgate::disk::{FileHandle, FileSystem, Open, SystemFiles};
use tempfile::{TempDir, tempdir, tempdir_in};

/// A folder that is gone with what this gives: in memory where the system has a place there, since a disk
/// takes ten times as long to make and remove thousands of files.
pub fn scratch() -> TempDir {
    tempdir_in("/dev/shm").or_else(|_| tempdir()).unwrap()
}

/// Does all but syncs, which take milliseconds each and which only a power cut could tell from none:
/// for tests that make thousands.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuickFiles;

impl FileSystem for QuickFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FileHandle>> {
        Ok(Box::new(QuickFile(SystemFiles.open(path, how)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFiles.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFiles.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        SystemFiles.remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        SystemFiles.create_folder(path)
    }

    /// Fails where there is no such folder.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        path.metadata().map(drop)
    }
}

#[derive(Debug)]
struct QuickFile(Box<dyn FileHandle>);

impl Write for QuickFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl FileHandle for QuickFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
}
