//! One writer a folder, or a file.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::failed;
use crate::disk::IoError;

/// The file that is held; it stays, because taking it away could take another run's.
pub(crate) const LOCK_NAME: &str = ".pairgate.lock";

/// Tries before the folder is another run's, and the time between them.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// A folder that this process alone writes to, until this is dropped or the process ends, however it
/// ends.
#[derive(Debug)]
pub struct FolderLock {
    _held: File,
}

impl FolderLock {
    /// Takes `folder`, which must be there.
    ///
    /// # Errors
    /// [`IoError::Write`] that names the process that has it, or if the system refuses.
    pub fn take(folder: &Path) -> Result<Self, IoError> {
        let path = folder.join(LOCK_NAME);
        let mut file = open(&path).map_err(failed(&path))?;
        match try_for_a_moment(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(failed(folder)(held(&path))),
            Err(TryLockError::Error(why)) if why.kind() == io::ErrorKind::Unsupported => {
                log::warn!(
                    "{}: this file system has no locks; see to it that one run at a time writes here",
                    folder.display()
                );
            }
            Err(TryLockError::Error(why)) => return Err(failed(&path)(why)),
        }
        // For messages alone: where it cannot be written, the lock holds all the same.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _held: file })
    }
}

/// A file that stands for something that one process at a time does.
#[derive(Debug)]
pub(crate) struct FileLock {
    _held: File,
}

impl FileLock {
    /// Waits for the file at `path`, which is made if it is missing, at most so long. Where the file system
    /// has no locks, nobody is waited for.
    ///
    /// # Errors
    /// [`IoError::Write`] where somebody holds it longer, or the system refuses.
    pub(crate) fn wait(path: &Path, longest: Duration) -> Result<Self, IoError> {
        let file = open(path).map_err(failed(path))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _held: file }),
                Err(TryLockError::Error(why)) if why.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { _held: file });
                }
                Err(TryLockError::WouldBlock) if begun.elapsed() < longest => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let why = format!("another process has held it for {} s", longest.as_secs());
                    return Err(failed(path)(io::Error::new(io::ErrorKind::ResourceBusy, why)));
                }
                Err(TryLockError::Error(why)) => return Err(failed(path)(why)),
            }
        }
    }

    /// Takes the file at `path` if nobody has it; `None` where somebody has, or nobody can tell.
    pub(crate) fn try_take(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        file.try_lock().is_ok().then_some(Self { _held: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// A process that was just killed may have it a moment longer.
fn try_for_a_moment(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            taken => return taken,
        }
    }
    file.try_lock()
}

fn held(path: &Path) -> io::Error {
    let pid = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let who = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
    let why = format!("{who} is writing into this folder; wait for it, or name another folder");
    io::Error::new(io::ErrorKind::ResourceBusy, why)
}
