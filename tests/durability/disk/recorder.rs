//! A file layer that notes what it does.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use pairgate::disk::{FileHandle, FileSystem, Open, SystemFiles};

use super::log::{Call, Log};
use super::tree::{FileId, Tree};

/// Does every call for real and writes down those that changed something. Clones share one log.
///
/// It panics where it finds a file that came into the folder round the file layer: no state made
/// from the log would be one that the disk can have.
#[derive(Debug, Clone)]
pub struct Recorder {
    folder: PathBuf,
    files: Arc<dyn FileSystem>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    log: Log,
    names: BTreeMap<PathBuf, FileId>,
    lengths: Vec<u64>,
}

impl Recorder {
    /// Records what is done in `folder`, to which what is there already belongs. A call outside of
    /// it panics: to see a folder made, record the one around it.
    pub fn over(folder: &Path) -> Self {
        Self::with(folder, Arc::new(SystemFiles))
    }

    /// The same over other files, such as those that fail.
    pub fn with(folder: &Path, files: Arc<dyn FileSystem>) -> Self {
        let before = Tree::read(folder);
        let names = before.names.clone();
        let lengths = before.bytes.values().map(|bytes| bytes.len() as u64).collect();
        let seen = Seen { log: Log { before, calls: Vec::new() }, names, lengths };
        Self { folder: folder.to_owned(), files, seen: Arc::new(Mutex::new(seen)) }
    }

    /// The folder that is recorded.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was done so far.
    pub fn log(&self) -> Log {
        self.seen().log.clone()
    }

    /// Notes a number in the log, behind what was done so far.
    pub fn mark(&self, value: u64) {
        self.seen().note(Call::Mark(value));
    }

    /// Held while a call is done: the log has the order in which things happened.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn inside(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix(&self.folder).map(Path::to_owned);
        inside.unwrap_or_else(|_| panic!("{} is not in the recorded folder", path.display()))
    }
}

impl Seen {
    fn note(&mut self, call: Call) {
        self.log.calls.push(call);
    }

    /// The file of that name, a new one if there is none.
    fn open(&mut self, path: &Path) -> FileId {
        let next = self.lengths.len();
        let file = *self.names.entry(path.to_owned()).or_insert(next);
        if file == next {
            self.lengths.push(0);
        }
        file
    }

    /// Whether two names are one file's: a rename then does nothing.
    fn are_one(&self, one: &Path, other: &Path) -> bool {
        let file = self.names.get(one);
        file.is_some() && file == self.names.get(other)
    }

    /// Renames a file, or a folder with what is in it.
    fn rename(&mut self, from: &Path, to: &Path) {
        let names = std::mem::take(&mut self.names);
        let (moved, stay): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|(name, _)| name.starts_with(from));
        self.names = stay.into_iter().collect();
        for (name, file) in moved {
            let rest = name.strip_prefix(from).unwrap();
            // `join("")` would end in a slash.
            let name = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            self.names.insert(name, file);
        }
    }

    fn link(&mut self, from: &Path, to: &Path) {
        let file = *self.names.get(from).unwrap_or_else(|| panic!("{}", strange(from)));
        self.names.insert(to.to_owned(), file);
    }
}

fn strange(path: &Path) -> String {
    format!("{} came here round the file layer", path.display())
}

impl FileSystem for Recorder {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FileHandle>> {
        let name = self.inside(path);
        let mut seen = self.seen();
        let known = seen.names.contains_key(&name);
        assert!(known || how == Open::New || !path.exists(), "{}", strange(path));
        let handle = self.files.open(path, how)?;
        let file = seen.open(&name);
        let at = seen.lengths[file];
        seen.note(Call::Open { path: name, how, file });
        Ok(Box::new(Recorded { handle, file, at, seen: self.seen.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (old, new) = (self.inside(from), self.inside(to));
        let mut seen = self.seen();
        self.files.rename(from, to)?;
        if !seen.are_one(&old, &new) {
            seen.rename(&old, &new);
            seen.note(Call::Rename { from: old, to: new });
        }
        Ok(())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (old, new) = (self.inside(from), self.inside(to));
        let mut seen = self.seen();
        self.files.hard_link(from, to)?;
        seen.link(&old, &new);
        seen.note(Call::HardLink { from: old, to: new });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let name = self.inside(path);
        let mut seen = self.seen();
        self.files.remove_file(path)?;
        assert!(seen.names.remove(&name).is_some(), "{}", strange(path));
        seen.note(Call::RemoveFile { path: name });
        Ok(())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let name = self.inside(path);
        let mut seen = self.seen();
        self.files.create_folder(path)?;
        seen.note(Call::CreateFolder { path: name });
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let name = self.inside(path);
        let mut seen = self.seen();
        let synced = self.files.sync_folder(path);
        seen.note(Call::SyncFolder { path: name, done: synced.is_ok() });
        synced
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.files.free_bytes(folder)
    }
}

/// A file that is recorded, and where the next byte goes.
#[derive(Debug)]
struct Recorded {
    handle: Box<dyn FileHandle>,
    file: FileId,
    at: u64,
    seen: Arc<Mutex<Seen>>,
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.seen.lock().unwrap();
        let count = self.handle.write(bytes)?;
        if count > 0 {
            let bytes = bytes[..count].to_vec();
            seen.note(Call::Write { file: self.file, at: self.at, bytes });
            self.at += count as u64;
            let length = &mut seen.lengths[self.file];
            *length = self.at.max(*length);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush()
    }
}

impl FileHandle for Recorded {
    fn sync(&mut self) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap();
        let synced = self.handle.sync();
        seen.note(Call::Sync { file: self.file, done: synced.is_ok() });
        synced
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap();
        self.handle.set_len(bytes)?;
        seen.note(Call::SetLen { file: self.file, bytes });
        seen.lengths[self.file] = bytes;
        self.at = bytes;
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.handle.try_lock()
    }
}
