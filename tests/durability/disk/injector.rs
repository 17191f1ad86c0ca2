//! A file layer in which one call fails.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pairgate::disk::{FileHandle, FileSystem, Open};

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Open,
    Write,
    Sync,
    SetLen,
    Lock,
    Rename,
    HardLink,
    RemoveFile,
    CreateFolder,
    SyncFolder,
}

/// One call: the new name where there are two, and for an open file the one that it was opened by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: Kind,
    pub path: PathBuf,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.path.display())
    }
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of the device; nothing was done.
    Device,
    /// The disk is full; nothing was done.
    Full,
    /// Half is written, and the next write to the file says that the disk is full. A single byte,
    /// and a call that is no write, fails at once.
    Short,
    /// An error of the device, though it was done. A call that is no sync was not done.
    DoneYetFailed,
}

impl Fault {
    /// Those that a call can have, each of which looks another way.
    fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Write => &[Self::Device, Self::Full, Self::Short],
            Kind::Sync | Kind::SyncFolder => &[Self::Device, Self::Full, Self::DoneYetFailed],
            _ => &[Self::Device, Self::Full],
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::Device | Self::DoneYetFailed => io::Error::other("injected: error of the device"),
            Self::Full | Self::Short => {
                io::Error::new(io::ErrorKind::StorageFull, "injected: the disk is full")
            }
        }
    }
}

/// What calls behind the failed one do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// They succeed, a sync too, as on a disk that has forgotten what it lost.
    Well,
    /// All fail.
    Failing,
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The number of calls before it.
    pub call: usize,
    pub fault: Fault,
    pub after: After,
}

impl Plan {
    /// Every fault of every call of a run, once with each [`After`].
    pub fn all(steps: &[Step]) -> Vec<Self> {
        let faults = |(call, step): (usize, &Step)| {
            Fault::of(step.kind).iter().map(move |fault| (call, *fault))
        };
        let both =
            |(call, fault)| [After::Well, After::Failing].map(|after| Self { call, fault, after });
        steps.iter().enumerate().flat_map(faults).flat_map(both).collect()
    }
}

/// Counts calls of all kinds, and lets one fail. Clones share one count.
#[derive(Debug, Clone)]
pub struct Injector {
    files: Arc<dyn FileSystem>,
    count: Count,
}

impl Injector {
    /// Only counts, for a clean run.
    pub fn idle(files: Arc<dyn FileSystem>) -> Self {
        let count = Count { plan: None, steps: Arc::default() };
        Self { files, count }
    }

    /// Fails as planned.
    pub fn new(files: Arc<dyn FileSystem>, plan: Plan) -> Self {
        let count = Count { plan: Some(plan), steps: Arc::default() };
        Self { files, count }
    }

    /// The calls so far, also those that failed.
    pub fn steps(&self) -> Vec<Step> {
        self.count.steps.lock().unwrap().clone()
    }

    /// The call that failed first; `None` where it has not come yet.
    pub fn failed(&self) -> Option<Step> {
        self.steps().get(self.count.plan?.call).cloned()
    }
}

#[derive(Debug, Clone)]
struct Count {
    plan: Option<Plan>,
    steps: Arc<Mutex<Vec<Step>>>,
}

/// What becomes of a call that does not fail at once.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Whole,
    Half,
    DoneYetFailed,
}

impl Count {
    /// Counts a call.
    fn next(&self, kind: Kind, path: &Path) -> io::Result<Turn> {
        let mut steps = self.steps.lock().unwrap();
        let number = steps.len();
        steps.push(Step { kind, path: path.to_owned() });
        match self.plan {
            Some(plan) if number == plan.call => first(plan.fault, kind),
            Some(Plan { call, fault, after: After::Failing }) if number > call => {
                Err(fault.error())
            }
            _ => Ok(Turn::Whole),
        }
    }
}

/// The turn of the call that is to fail.
fn first(fault: Fault, kind: Kind) -> io::Result<Turn> {
    match (fault, kind) {
        (Fault::Short, Kind::Write) => Ok(Turn::Half),
        (Fault::DoneYetFailed, Kind::Sync | Kind::SyncFolder) => Ok(Turn::DoneYetFailed),
        _ => Err(fault.error()),
    }
}

/// Does a sync, and hides it where it is to look failed.
fn synced(turn: Turn, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    sync()?;
    if turn == Turn::DoneYetFailed { Err(Fault::DoneYetFailed.error()) } else { Ok(()) }
}

impl FileSystem for Injector {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FileHandle>> {
        self.count.next(Kind::Open, path)?;
        let handle = self.files.open(path, how)?;
        let count = self.count.clone();
        Ok(Box::new(Injected { handle, path: path.to_owned(), count, full: false }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count.next(Kind::Rename, to)?;
        self.files.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count.next(Kind::HardLink, to)?;
        self.files.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.count.next(Kind::RemoveFile, path)?;
        self.files.remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.count.next(Kind::CreateFolder, path)?;
        self.files.create_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let turn = self.count.next(Kind::SyncFolder, path)?;
        synced(turn, || self.files.sync_folder(path))
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.files.free_bytes(folder)
    }
}

/// A file whose calls are counted.
#[derive(Debug)]
struct Injected {
    handle: Box<dyn FileHandle>,
    path: PathBuf,
    count: Count,
    /// The last write was short: there is no room for the next one.
    full: bool,
}

impl Write for Injected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let turn = self.count.next(Kind::Write, &self.path)?;
        if std::mem::take(&mut self.full) {
            return Err(Fault::Full.error());
        }
        if turn == Turn::Whole {
            return self.handle.write(bytes);
        }
        let half = bytes.len() / 2;
        if half == 0 {
            return Err(Fault::Full.error());
        }
        self.full = true;
        self.handle.write(&bytes[..half])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush()
    }
}

impl FileHandle for Injected {
    fn sync(&mut self) -> io::Result<()> {
        let turn = self.count.next(Kind::Sync, &self.path)?;
        synced(turn, || self.handle.sync())
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.count.next(Kind::SetLen, &self.path)?;
        self.handle.set_len(bytes)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.count.next(Kind::Lock, &self.path)?;
        self.handle.try_lock()
    }
}
