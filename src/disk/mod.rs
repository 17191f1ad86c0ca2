//! What outputs are written through: a file layer and a clock, in which tests put failures and
//! power cuts; files that appear whole; the lock of a folder; quarantine for what is damaged.
//!
//! Store, journal and tables change the disk through a [`Disk`] alone. What they read they read
//! with the standard library: a reader finds what a killed run left, whatever wrote it.

mod clock;
mod error;
mod lock;
mod partial;
mod quarantine;
mod room;
mod system;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use clock::{Clock, SystemClock};
pub use error::IoError;
pub(crate) use error::{unread, wrong};
pub use lock::FolderLock;
pub(crate) use lock::{FileLock, LOCK_NAME};
pub(crate) use partial::{
    PartialFile, failed, hidden_path, partial_path, still_there, write_whole,
};
pub use quarantine::{free_name, set_aside};
pub(crate) use room::MakeRoom;
pub use system::SystemFiles;

/// How a file is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It must not be there yet.
    New,
    /// It is made if it is not there; what is written goes behind what is in it.
    Append,
}

/// Everything that changes files. Names change on disk when their folder is synced, bytes when their
/// file is: an implementation may lose everything else when the power fails.
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// Opens a file for writing.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::AlreadyExists`] for a file that was to be new.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FileHandle>>;

    /// Gives a file another name, in place of a file of that name.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, which must be free.
    ///
    /// # Errors
    /// The system's; not every file system has second names.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file away.
    ///
    /// # Errors
    /// The system's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and those that it lies in, where they are not there.
    ///
    /// # Errors
    /// The system's.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Brings the names in a folder to disk.
    ///
    /// # Errors
    /// The system's.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Bytes that may still be written on the file system that `folder` is on; `None` where nobody can
    /// tell.
    ///
    /// # Errors
    /// The system's.
    fn free_bytes(&self, _folder: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

/// A file that is open for writing, unbuffered.
pub trait FileHandle: Write + fmt::Debug + Send {
    /// Brings the file's bytes and length to disk.
    ///
    /// # Errors
    /// The system's. A failed sync is final: what was written before it may be lost, whatever a
    /// later one says.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file, or fills it up with zeros; writing goes on at its end.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;

    /// Takes the file for this process until it is closed; `false` where another one has it.
    ///
    /// # Errors
    /// The system's.
    fn try_lock(&self) -> io::Result<bool>;
}

/// The file layer and the clock of a run.
#[derive(Debug, Clone)]
pub struct Disk {
    files: Arc<dyn FileSystem>,
    clock: Arc<dyn Clock>,
}

impl Disk {
    /// The machine's own files and clock.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemFiles), Arc::new(SystemClock::default()))
    }

    /// Other files and another clock, as tests have them.
    pub fn new(files: Arc<dyn FileSystem>, clock: Arc<dyn Clock>) -> Self {
        Self { files, clock }
    }

    /// The same files, but that where one of them is too full `room` is made and the call is tried again.
    pub(crate) fn with_room(&self, room: Arc<dyn MakeRoom>) -> Self {
        let files = Arc::new(room::RoomyFiles::new(self.files.clone(), room));
        Self { files, clock: self.clock.clone() }
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Time since some moment before this call; never runs backwards.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(crate) fn open(&self, path: &Path, how: Open) -> Result<Box<dyn FileHandle>, IoError> {
        self.files.open(path, how).map_err(failed(path))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.files.rename(from, to).map_err(failed(to))
    }

    pub(crate) fn remove_file(&self, path: &Path) -> Result<(), IoError> {
        self.files.remove_file(path).map_err(failed(path))
    }

    /// The same; one that is not there is away already.
    pub(crate) fn remove_if_there(&self, path: &Path) -> Result<(), IoError> {
        match self.files.remove_file(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(failed(path)),
        }
    }

    /// Bytes that may still be written where `folder` is, if that can be told.
    pub(crate) fn free_bytes(&self, folder: &Path) -> Result<Option<u64>, IoError> {
        self.files.free_bytes(folder).map_err(failed(folder))
    }

    /// Makes a folder and those that it lies in, where they are not there, and brings the names of
    /// new ones to disk.
    pub(crate) fn create_folder(&self, path: &Path) -> Result<(), IoError> {
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.is_dir();
        let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
        self.files.create_folder(path).map_err(failed(path))?;
        new.into_iter().rev().try_for_each(|folder| self.sync_name(folder))
    }

    /// Brings a folder's own name to disk; where the folder around it may not be read, nobody can.
    pub(crate) fn sync_name(&self, folder: &Path) -> Result<(), IoError> {
        match self.sync_parent(folder) {
            Err(IoError::Write { why, .. }) if why.kind() == io::ErrorKind::PermissionDenied => {
                Ok(())
            }
            synced => synced,
        }
    }

    /// Brings the names in `folder` to disk: a rename is durable only after this.
    pub(crate) fn sync_folder(&self, folder: &Path) -> Result<(), IoError> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        self.files.sync_folder(folder).map_err(failed(folder))
    }

    /// The same for the folder that `path` is in.
    pub(crate) fn sync_parent(&self, path: &Path) -> Result<(), IoError> {
        self.sync_folder(path.parent().unwrap_or(Path::new("")))
    }

    /// Gives `from` a second name, or copies it where there are none.
    pub(crate) fn keep_copy(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.files.hard_link(from, to).or_else(|_| self.copy(from, to))
    }

    /// Copies a file to a new one, whose bytes are then on disk.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        let bytes = std::fs::File::open(from);
        let copied = bytes.and_then(|mut bytes| {
            let mut copy = self.files.open(to, Open::New)?;
            io::copy(&mut bytes, &mut copy)?;
            copy.sync()
        });
        copied.map_err(failed(to))
    }
}
