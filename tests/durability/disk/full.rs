//! A disk of a few kilobytes, which others fill too.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pairgate::disk::{FileHandle, FileSystem, Open};

/// The number of ENOSPC, as a system's own error has it.
const NO_SPACE: i32 = 28;
/// That of EROFS: what a card becomes that has had errors.
const READ_ONLY: i32 = 30;

/// Does all calls, but for those that would make the files of a folder take more than there is. Clones
/// are the same disk.
#[derive(Debug, Clone)]
pub struct SmallDisk {
    files: Arc<dyn FileSystem>,
    folder: PathBuf,
    size: u64,
    /// What is not in the folder and takes room all the same.
    others: Arc<AtomicU64>,
    read_only: Arc<AtomicBool>,
}

impl SmallDisk {
    /// A disk of so many bytes, all that is in `folder`.
    pub fn new(files: Arc<dyn FileSystem>, folder: &Path, size: u64) -> Self {
        Self {
            files,
            folder: folder.to_owned(),
            size,
            others: Arc::default(),
            read_only: Arc::default(),
        }
    }

    /// Others take so many bytes from now on.
    pub fn fill(&self, bytes: u64) {
        self.others.store(bytes, Ordering::SeqCst);
    }

    /// Nothing can be changed from now on, or it can again.
    pub fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::SeqCst);
    }

    fn changes(&self) -> io::Result<&dyn FileSystem> {
        match self.read_only.load(Ordering::SeqCst) {
            true => Err(io::Error::from_raw_os_error(READ_ONLY)),
            false => Ok(&*self.files),
        }
    }

    /// Bytes that can be written.
    pub fn free(&self) -> u64 {
        let used = bytes_in(&self.folder) + self.others.load(Ordering::SeqCst);
        self.size.saturating_sub(used)
    }
}

/// Bytes of all files below the folder.
pub fn bytes_in(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        bytes += if found.is_dir() { bytes_in(&entry.path()) } else { found.len() };
    }
    bytes
}

impl FileSystem for SmallDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FileHandle>> {
        let handle = self.changes()?.open(path, how)?;
        Ok(Box::new(SmallFile { handle, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changes()?.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changes()?.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.changes()?.remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.changes()?.create_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.changes()?.sync_folder(path)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(Some(self.free()))
    }
}

#[derive(Debug)]
struct SmallFile {
    handle: Box<dyn FileHandle>,
    disk: SmallDisk,
}

impl Write for SmallFile {
    /// What fits is written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.changes()?;
        let fits = bytes.len().min(self.disk.free() as usize);
        if fits == 0 && !bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        self.handle.write(&bytes[..fits])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush()
    }
}

impl FileHandle for SmallFile {
    fn sync(&mut self) -> io::Result<()> {
        self.handle.sync()
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.disk.changes()?;
        self.handle.set_len(bytes)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.handle.try_lock()
    }
}
