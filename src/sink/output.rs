//! The folder that a run writes to: never one that holds another run's results unseen.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::decision::Reason;
use crate::disk::{Disk, failed};
use crate::error::RunError;

/// A folder that is ready for a run's results.
#[derive(Debug, Clone)]
pub struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    /// The decision journal's name.
    pub const JOURNAL: &str = "journal.pairgate";
    /// The name of the journal that the first pass of `--keep` writes and the run removes.
    pub const FIRST_PASS: &str = ".first_pass.pairgate";

    /// Makes the folder, or checks that no run has written to it. With `overwrite` the files of
    /// an earlier run are removed, and only those; other files are no business of ours. Shards
    /// without a decision journal beside them are not an earlier run's, but somebody's data set:
    /// they are never removed.
    ///
    /// It serves for kept shards and for the folder of rejected pairs.
    ///
    /// # Errors
    /// [`RunError::Sink`] if the folder holds an earlier run's files and `overwrite` is not set,
    /// if it holds shards that no run of ours has written, or if the system refuses.
    pub fn prepare(path: &Path, overwrite: bool) -> Result<Self, RunError> {
        fs::create_dir_all(path).map_err(failed(path))?;
        let mut earlier = earlier_files(path).map_err(failed(path))?;
        earlier.sort_by_key(|file| (Leaving::of(file), file.clone()));
        if !overwrite {
            refuse(path, earlier.first(), "name another folder or pass --overwrite")?;
        }
        if earlier.last().is_none_or(|file| Leaving::of(file) != Leaving::Journal) {
            let foreign = earlier.iter().rfind(|file| Leaving::of(file) >= Leaving::Stats);
            refuse(path, foreign, "it has no journal.pairgate beside it, so it is not removed")?;
        }
        remove(path, &earlier)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What an earlier run's file is, in the order in which such files are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    Other,
    /// Statistics say that their shard is complete: they go before it.
    Stats,
    Shard,
    /// The journal says that the shards are ours: it goes last, should the removal be killed.
    Journal,
}

impl Leaving {
    fn of(file: &Path) -> Self {
        match file.file_name().and_then(|name| name.to_str()) {
            Some(OutputFolder::JOURNAL) => Self::Journal,
            Some(name) if name.ends_with(".tar") => Self::Shard,
            Some(name) if name.ends_with("_stats.json") => Self::Stats,
            _ => Self::Other,
        }
    }
}

/// The name of the shard with this number.
pub(super) fn shard_name(number: usize) -> String {
    format!("{number:05}.tar")
}

/// The name of the statistics beside that shard.
pub(super) fn stats_name(number: usize) -> String {
    format!("{number:05}_stats.json")
}

/// Bytes of the shards in `folder`, finished or not.
pub(super) fn shard_bytes(folder: &Path) -> io::Result<u64> {
    let tars = files(folder, |name| is_shard(name) && name.contains(".tar"))?;
    tars.iter().map(|tar| Ok(fs::metadata(tar)?.len())).sum()
}

/// An error if there are shards in `folder`.
pub(super) fn refuse_shards(folder: &Path) -> Result<(), RunError> {
    let shards = files(folder, is_shard).map_err(failed(folder))?;
    refuse(folder, shards.iter().min(), "name another folder or pass --overwrite")
}

/// An error if there are rejected pairs of an earlier run in `folder`.
pub(super) fn refuse_rejected(folder: &Path) -> Result<(), RunError> {
    let rejected = rejected_files(folder).map_err(failed(folder))?;
    refuse(folder, rejected.iter().min(), "name another folder or pass --overwrite")
}

/// Paths in `folder` that have the names of a run's files.
fn earlier_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_journal = |name: &str| [OutputFolder::JOURNAL, OutputFolder::FIRST_PASS].contains(&name);
    let mut found = files(folder, |name| is_shard(name) || is_journal(name))?;
    found.extend(rejected_files(folder)?);
    Ok(found)
}

fn rejected_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for reason in files(folder, |name| Reason::ALL.iter().any(|reason| reason.name() == name))? {
        // Not through a link: what is there is somebody else's.
        if fs::symlink_metadata(&reason)?.is_dir() {
            found.extend(files(&reason, is_rejected)?);
        }
    }
    Ok(found)
}

fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Whether the name is a shard's or its statistics', finished or not.
fn is_shard(name: &str) -> bool {
    let partial = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".partial"));
    let whole = partial.unwrap_or(name);
    let number = whole.strip_suffix(".tar").or_else(|| whole.strip_suffix("_stats.json"));
    number.is_some_and(|digits| digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether the name is `{key}-{8 hex digits}.{extension}`, the key being free of dots.
fn is_rejected(name: &str) -> bool {
    let stem = name.split_once('.').map(|(stem, _)| stem);
    let uid = stem.and_then(|stem| stem.rsplit_once('-')).map(|(_, uid)| uid);
    uid.is_some_and(|uid| uid.len() == 8 && uid.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn remove(folder: &Path, files: &[PathBuf]) -> Result<(), RunError> {
    if files.is_empty() {
        return Ok(());
    }
    for file in files {
        fs::remove_file(file).map_err(failed(file))?;
    }
    // Folders of reasons that are now empty go too; the others hold somebody's files.
    for parent in files.iter().filter_map(|file| file.parent()).filter(|parent| *parent != folder) {
        let _ = fs::remove_dir(parent);
    }
    Disk::system().sync_folder(folder)
}

fn refuse(folder: &Path, earlier: Option<&PathBuf>, advice: &str) -> Result<(), RunError> {
    let Some(file) = earlier else { return Ok(()) };
    let file = file.strip_prefix(folder).unwrap_or(file).display();
    let why = format!("it already holds {file}: {advice}");
    Err(failed(folder)(io::Error::new(io::ErrorKind::AlreadyExists, why)))
}
