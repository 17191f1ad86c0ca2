//! Files of a disk on which room can be made: a call that finds it full is tried again.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::{FileHandle, FileSystem, IoError, Open};

/// Makes room on a full disk.
pub(crate) trait MakeRoom: std::fmt::Debug + Send + Sync {
    /// Frees some bytes, for the files that a caller writes; `false` where nothing is left that may go.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system refuses.
    fn make_room(&self) -> Result<bool, IoError>;
}

/// Files over others, of a disk on which room can be made. A sync is never tried again: a failed one is
/// final.
#[derive(Debug)]
pub(super) struct RoomyFiles {
    files: Arc<dyn FileSystem>,
    room: Arc<dyn MakeRoom>,
}

impl RoomyFiles {
    pub(super) fn new(files: Arc<dyn FileSystem>, room: Arc<dyn MakeRoom>) -> Self {
        Self { files, room }
    }
}

/// Makes a call until the disk has room for it, or no more can be made.
fn until_it_fits<T>(room: &dyn MakeRoom, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(why) if is_full(&why) => match room.make_room() {
                Ok(true) => {}
                Ok(false) => return Err(nothing_left(&why)),
                Err(IoError::Write { why, to } | IoError::Read { why, from: to }) => {
                    let told = format!("making room, {to}: {why}");
                    return Err(io::Error::new(why.kind(), told));
                }
            },
            done => return done,
        }
    }
}

fn is_full(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn nothing_left(why: &io::Error) -> io::Error {
    let told =
        format!("{why}, and no finished shard is left that could go: free space on this disk");
    io::Error::new(io::ErrorKind::StorageFull, told)
}

impl FileSystem for RoomyFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FileHandle>> {
        let handle = until_it_fits(&*self.room, || self.files.open(path, how))?;
        Ok(Box::new(RoomyFile { handle, room: self.room.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        until_it_fits(&*self.room, || self.files.rename(from, to))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        until_it_fits(&*self.room, || self.files.hard_link(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        until_it_fits(&*self.room, || self.files.create_folder(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.files.sync_folder(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.files.free_bytes(folder)
    }
}

#[derive(Debug)]
struct RoomyFile {
    handle: Box<dyn FileHandle>,
    room: Arc<dyn MakeRoom>,
}

impl Write for RoomyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        until_it_fits(&*self.room, || self.handle.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush()
    }
}

impl FileHandle for RoomyFile {
    fn sync(&mut self) -> io::Result<()> {
        self.handle.sync()
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        until_it_fits(&*self.room, || self.handle.set_len(bytes))
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.handle.try_lock()
    }
}
