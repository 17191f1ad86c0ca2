//! One attempt at an output, in a folder of its own.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use pairgate_core::decision::Verdict;

use super::{ATTEMPTS, DATA, EMBEDDINGS, ENDINGS, JOURNAL, Names, SKETCH, TABLE};
use crate::disk::{Disk, FileLock, IoError, failed};
use crate::journal::{self, Record, SegmentReader};
use crate::store::folder::shard_name;
use crate::store::stats::Share;
use crate::store::{StoreOptions, StoreSink};

/// The lock in an attempt's folder: whose lock is free, is dead.
const LOCK: &str = "lock";
/// Times that a folder is made anew because somebody took it for a dead one's.
const TRIES: u32 = 5;

/// An attempt. Dropped, it takes its folder with it.
#[derive(Debug)]
pub struct Attempt {
    pub(super) disk: Disk,
    pub(super) names: Names,
    folder: PathBuf,
    _lock: FileLock,
}

/// What an attempt's journal comes to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// How the pairs came out, and how many of the kept had nothing to store.
    pub share: Share,
}

impl Attempt {
    /// Begins an attempt, and removes what killed attempts at the same output have left. The output folder
    /// must be there.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system refuses.
    pub fn begin(disk: &Disk, names: &Names) -> Result<Self, IoError> {
        let around = names.folder().join(ATTEMPTS);
        disk.create_folder(&around)?;
        tidy(names.folder(), |name| name == names.name());
        for _ in 1..TRIES {
            if let Some(attempt) = Self::try_begin(disk, names, &around)? {
                return Ok(attempt);
            }
        }
        let why = "its folder was taken away again and again";
        Err(failed(&around)(std::io::Error::other(why)))
    }

    /// `None` where another attempt took the folder for a dead one's before it was locked.
    fn try_begin(disk: &Disk, names: &Names, around: &Path) -> Result<Option<Self>, IoError> {
        let number = RandomState::new().hash_one(std::process::id());
        let folder = around.join(format!("{}.{number:016x}", names.name()));
        disk.create_folder(&folder)?;
        let path = folder.join(LOCK);
        let lock = match FileLock::wait(&path, std::time::Duration::from_secs(1)) {
            Ok(lock) if path.exists() => lock,
            Err(why) if folder.exists() => return Err(why),
            _ => return Ok(None),
        };
        let (disk, names) = (disk.clone(), names.clone());
        Ok(Some(Self { disk, names, folder, _lock: lock }))
    }

    /// What it is an attempt at.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The sink that writes the output.
    ///
    /// # Errors
    /// As [`StoreSink::create`].
    pub fn sink(&self, options: StoreOptions) -> Result<StoreSink, IoError> {
        let run = self.run();
        self.disk.create_folder(&run)?;
        let sink = StoreSink::create(&self.disk, &run, options.into_one_shard())?;
        Ok(sink.with_segment_bytes(u64::MAX))
    }

    /// Reads the journal of the complete run, and tells of each of its records.
    ///
    /// # Errors
    /// [`IoError::Read`] where it cannot be read.
    pub fn tally(&self, mut see: impl FnMut(&Record)) -> Result<Tally, IoError> {
        let mut share = Share::default();
        for entry in SegmentReader::open(&self.path(JOURNAL))? {
            if let journal::Entry::Record(record) = entry? {
                let is_empty = record.verdict == Verdict::Kept && record.stored.is_none();
                share.add(&record.decision(), is_empty);
                see(&record);
            }
        }
        Ok(Tally { share })
    }

    /// The folder that the run writes to.
    fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Where the file with this ending is before it has its name.
    pub fn path(&self, ending: &str) -> PathBuf {
        let shard = shard_name(0);
        let stem = shard.strip_suffix(DATA).unwrap_or(&shard);
        match ending {
            DATA | TABLE | EMBEDDINGS => self.run().join(format!("{stem}{ending}")),
            JOURNAL => self.run().join(journal::FOLDER).join("00000000.pairgate"),
            SKETCH => self.folder.join("scores.sketch"),
            other => self.folder.join(format!("file{other}")),
        }
    }

    /// The files that there are, by their endings, in the order in which they get their names.
    pub(super) fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let found = ENDINGS.map(|ending| (ending, self.path(ending)));
        found.into_iter().filter(|(_, path)| path.is_file()).collect()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.folder) {
            log::debug!("removing {}: {why}", self.folder.display());
        }
    }
}

/// Removes what killed attempts have left in `folder`, at outputs whose names are `asked` for: an attempt is dead
/// where its lock is free. It is tidying up: what cannot be removed stays.
pub fn tidy(folder: &Path, asked: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder.join(ATTEMPTS)).into_iter().flatten().flatten() {
        let is_asked = entry.file_name().to_str().and_then(output_of).is_some_and(&asked);
        if is_asked && let Some(lock) = FileLock::try_take(&entry.path().join(LOCK)) {
            let _ = fs::remove_dir_all(entry.path());
            drop(lock);
        }
    }
}

/// The name of the output that the folder of an attempt is called by.
fn output_of(folder: &str) -> Option<&str> {
    let (name, number) = folder.rsplit_once('.')?;
    let is_number = number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then_some(name)
}
