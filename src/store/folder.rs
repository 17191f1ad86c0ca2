//! The folder that a run writes to: never one that holds another run's results unseen.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pairgate_core::decision::Reason;

use super::mark;
use crate::disk::IoError;
use crate::disk::{Disk, LOCK_NAME, failed};
use crate::embeddings::by_ticket;
use crate::journal;

/// What helps where an earlier run's files are in the way.
const REPLACEABLE: &str = "name another folder or pass --overwrite";
/// What helps where outputs of single inputs are in the way.
const SINGLE: &str = "its outputs are one-to-one; name another folder, or pass --one-to-one";
/// What helps where files are in the way that no run of ours is known to have written.
const FOREIGN: &str = "there is no decision journal beside it; name another folder";

/// A folder that is ready for a run's results.
#[derive(Debug, Clone)]
pub struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    /// The decision journal's name in formats 1 and 2.
    pub const EARLIER_JOURNAL: &str = "journal.pairgate";
    /// The folder of the journal that the first pass of `--keep` writes and the run removes.
    pub const FIRST_PASS: &str = ".first_pass";
    /// What earlier versions wrote in its place.
    const EARLIER_FIRST_PASS: &str = ".first_pass.pairgate";

    /// Makes the folder, or checks that no run has written to it; what a run leaves that was killed
    /// before its journal was there is removed. With `overwrite` the files of an earlier run are
    /// removed, and only those; other files are no business of ours. Shards without a decision
    /// journal beside them are not an earlier run's, but somebody's data set: they are never removed.
    ///
    /// It serves for kept shards and for the folder of rejected pairs; whoever calls it holds the
    /// folder's [lock](crate::disk::FolderLock).
    ///
    /// # Errors
    /// [`IoError::Write`] if the folder holds an earlier run's files and `overwrite` is not set,
    /// if it holds shards that no run of ours has written, or if the system refuses.
    pub fn prepare(path: &Path, overwrite: bool) -> Result<Self, IoError> {
        fs::create_dir_all(path).map_err(failed(path))?;
        let mut earlier = earlier_files(path).map_err(failed(path))?;
        earlier.sort_by_key(|file| (EarlierFile::of(file), file.clone()));
        if !overwrite {
            let held = earlier.iter().find(|file| !is_of_a_beginning(path, file));
            let is_ours =
                earlier.last().is_some_and(|file| EarlierFile::of(file) == EarlierFile::Journal);
            refuse(path, held, if is_ours { REPLACEABLE } else { FOREIGN })?;
        }
        if earlier.last().is_none_or(|file| EarlierFile::of(file) != EarlierFile::Journal) {
            let foreign = earlier.iter().rfind(|file| EarlierFile::of(file) >= EarlierFile::Stats);
            refuse(path, foreign, "it has no decision journal beside it, so it is not removed")?;
        }
        remove(path, &earlier)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a run has left a journal in `folder`.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system refuses, or if there are one-to-one outputs in it.
    pub fn is_begun(folder: &Path) -> Result<bool, IoError> {
        let single = if folder.is_dir() { journal::one_to_one(folder) } else { Ok(Vec::new()) };
        refuse(folder, single.map_err(failed(folder))?.first(), SINGLE)?;
        let parts = if folder.is_dir() { journal::parts(folder) } else { Ok(Vec::new()) };
        Ok(!parts.map_err(failed(folder))?.is_empty())
    }

    /// Whether there are shards beside the journal at `path`, which is a folder of shards, the journal's
    /// folder in it, or a file.
    ///
    /// # Errors
    /// [`IoError::Write`] if the system refuses.
    pub fn has_shards(path: &Path) -> Result<bool, IoError> {
        let beside =
            path.parent().filter(|_| path.file_name().is_some_and(|n| n == journal::FOLDER));
        let found = [Some(path), beside].into_iter().flatten().filter(|folder| folder.is_dir());
        let shards = found.map(|folder| files(folder, is_shard).map_err(failed(folder)));
        Ok(shards.collect::<Result<Vec<_>, _>>()?.iter().any(|shards| !shards.is_empty()))
    }
}

/// What an earlier run's file is, in the order in which such files are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EarlierFile {
    Other,
    /// Statistics say that their shard is complete: they go before it.
    Stats,
    Shard,
    /// The journal says that the shards are ours: it goes last, should the removal be killed.
    Journal,
}

impl EarlierFile {
    fn of(file: &Path) -> Self {
        match file.file_name().and_then(|name| name.to_str()) {
            Some(OutputFolder::EARLIER_JOURNAL) => Self::Journal,
            Some(_) if journal::number_of(file).is_some() => Self::Journal,
            Some(name) if name.ends_with(".tar") => Self::Shard,
            Some(name) if name.ends_with("_stats.json") || name.ends_with(".parquet") => {
                Self::Stats
            }
            Some(name) if name.ends_with(".npz") => Self::Stats,
            _ => Self::Other,
        }
    }
}

/// The name of the shard with this number.
pub fn shard_name(number: u32) -> String {
    format!("{number:05}.tar")
}

/// The name of the statistics beside that shard.
pub(super) fn stats_name(number: u32) -> String {
    format!("{number:05}_stats.json")
}

/// The name of the table beside that shard.
#[cfg(feature = "parquet")]
pub(super) fn table_name(number: u32) -> String {
    format!("{number:05}.parquet")
}

/// Numbers of the shards that have their name, ascending.
pub(super) fn published(folder: &Path) -> io::Result<Vec<u32>> {
    let tars = files(folder, |name| is_shard(name) && name.ends_with(".tar"))?;
    let mut numbers: Vec<u32> = tars.iter().filter_map(|tar| number_of(tar)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Numbers of the shards that have their temporary name still, ascending.
pub(super) fn unfinished(folder: &Path) -> io::Result<Vec<u32>> {
    let partials = files(folder, |name| is_shard(name) && name.ends_with(".tar.partial"))?;
    let mut numbers: Vec<u32> = partials.iter().filter_map(|tar| number_of(tar)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Numbers of the shards whose embeddings are there row by row, ascending.
pub(super) fn waiting_rows(folder: &Path) -> io::Result<Vec<u32>> {
    let rows = files(folder, |name| is_shard(name) && name.ends_with(".embeddings.partial"))?;
    let mut numbers: Vec<u32> = rows.iter().filter_map(|rows| number_of(rows)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(shard: &Path) -> Option<u32> {
    let name = shard.file_name()?.to_str()?.trim_start_matches('.');
    name.split('.').next()?.parse().ok()
}

/// What lies beside shards below this number that are not there themselves.
pub(super) fn beside_gone(folder: &Path, below: u32) -> io::Result<Vec<PathBuf>> {
    let mut beside = files(folder, |name| is_shard(name) && !name.contains(".tar"))?;
    let is_there = |number| folder.join(shard_name(number)).symlink_metadata().is_ok();
    let is_gone = |number: u32| number < below && !is_there(number);
    beside.retain(|path| stem_number(path).is_some_and(is_gone));
    Ok(beside)
}

/// The number that a name begins with, of a shard or of what lies beside it.
fn stem_number(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.trim_start_matches('.');
    let end = name.bytes().position(|byte| !byte.is_ascii_digit())?;
    name[..end].parse().ok()
}

/// Bytes of the shards in `folder`, finished or not.
#[cfg(feature = "cli")]
pub(crate) fn shard_bytes(folder: &Path) -> io::Result<u64> {
    let tars = files(folder, |name| is_shard(name) && name.contains(".tar"))?;
    tars.iter().map(|tar| Ok(fs::metadata(tar)?.len())).sum()
}

/// An error if there are shards in `folder`.
pub(super) fn refuse_shards(folder: &Path) -> Result<(), IoError> {
    let shards = files(folder, is_shard).map_err(failed(folder))?;
    refuse(folder, shards.iter().min(), FOREIGN)
}

/// An error if there are rejected pairs of an earlier run in `folder`.
pub(crate) fn refuse_rejected(folder: &Path) -> Result<(), IoError> {
    let rejected = rejected_files(folder).map_err(failed(folder))?;
    refuse(folder, rejected.iter().min(), REPLACEABLE)
}

/// Paths in `folder` that have the names of a run's files.
fn earlier_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let earlier = [OutputFolder::EARLIER_JOURNAL, OutputFolder::EARLIER_FIRST_PASS];
    let mut found =
        files(folder, |name| is_shard(name) || mark::is_mark(name) || earlier.contains(&name))?;
    let first_pass = folder.join(OutputFolder::FIRST_PASS);
    found.extend(journal_files(&folder.join(journal::FOLDER))?);
    found.extend(journal_files(&first_pass.join(journal::FOLDER))?);
    for embeddings in [folder, &first_pass].map(|folder| folder.join(by_ticket::FOLDER)) {
        if embeddings.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let is_ours = |name: &str| by_ticket::number_of(Path::new(name)).is_some();
            found.extend(files(&embeddings, is_ours)?);
        }
    }
    found.extend(Some(first_pass.join(LOCK_NAME)).filter(|lock| lock.is_file()));
    found.extend(rejected_files(folder)?);
    Ok(found)
}

/// The files of a journal's segments.
pub(super) fn journal_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(Vec::new());
    }
    let is_part = |name: &str| {
        let whole = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".partial"));
        let (stem, extension) = whole.unwrap_or(name).split_once('.').unwrap_or_default();
        let known = ["pairgate", "header", "checkpoint", "claims"].contains(&extension);
        known && stem.len() >= 8 && stem.bytes().all(|byte| byte.is_ascii_digit())
    };
    files(folder, is_part)
}

/// Whether a run writes the file before its journal's first segment: it tells of no decision.
fn is_of_a_beginning(folder: &Path, file: &Path) -> bool {
    let first_pass = folder.join(OutputFolder::FIRST_PASS);
    let journals = [folder.join(journal::FOLDER), first_pass.join(journal::FOLDER)];
    if !journals.iter().any(|journal| file.parent() == Some(journal)) {
        return file == first_pass.join(LOCK_NAME);
    }
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["00000000.checkpoint", "00000000.header"].iter().any(|first| name.contains(first))
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
    let endings = [".tar", "_stats.json", ".parquet", ".npz", ".embeddings"];
    let number = endings.into_iter().find_map(|ending| whole.strip_suffix(ending));
    number.is_some_and(|digits| digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether the name is `{key}-{8 hex digits}.{extension}`, the key being free of dots.
fn is_rejected(name: &str) -> bool {
    let stem = name.split_once('.').map(|(stem, _)| stem);
    let uid = stem.and_then(|stem| stem.rsplit_once('-')).map(|(_, uid)| uid);
    uid.is_some_and(|uid| uid.len() == 8 && uid.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn remove(folder: &Path, files: &[PathBuf]) -> Result<(), IoError> {
    if files.is_empty() {
        return Ok(());
    }
    for file in files {
        fs::remove_file(file).map_err(failed(file))?;
    }
    // Folders that are now empty go too; the others hold somebody's files.
    let parents = files.iter().filter_map(|file| file.parent());
    let mut parents: Vec<&Path> = parents.filter(|parent| *parent != folder).collect();
    parents.sort_by_key(|parent| std::cmp::Reverse(parent.components().count()));
    for parent in parents {
        let _ = fs::remove_dir(parent);
    }
    Disk::system().sync_folder(folder)
}

fn refuse(folder: &Path, earlier: Option<&PathBuf>, advice: &str) -> Result<(), IoError> {
    let Some(file) = earlier else { return Ok(()) };
    let file = file.strip_prefix(folder).unwrap_or(file).display();
    let why = format!("it already holds {file}: {advice}");
    Err(failed(folder)(io::Error::new(io::ErrorKind::AlreadyExists, why)))
}
