//! Kept pairs as WebDataset shards.
//!
//! A shard is written as `.00000.tar.partial`, brought to disk and then renamed, and its
//! `00000_stats.json` follows in the same way: a file without the temporary name is whole,
//! whenever the run was killed.
//!
//! The same samples give the same shards, byte for byte: headers hold no times, owners or modes
//! of this run. Only the statistics tell the time.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::ShardKeys;
use super::names::distinct_extensions;
use crate::disk::IoError;
use crate::disk::{Disk, PartialFile, failed};
use crate::store::folder::shard_name;

/// A member of a sample that is written.
pub(super) type File<'a> = (&'a str, &'a [u8]);

/// Writes samples to shards of a fixed number of them.
///
/// Members keep their bytes and samples their keys, except that a key or extension that is not
/// safe in a tar is made so (see [`names`](super::names)), and one that the shard already has gets a
/// number: `_2`, `_3`, and so on.
#[derive(Debug)]
pub(super) struct Shards {
    disk: Disk,
    folder: PathBuf,
    samples_per_shard: u64,
    /// The number of the shard that is open, or is opened next.
    number: u32,
    open: Option<OpenShard>,
}

impl Shards {
    /// Shards in `folder` from `number` on, of `samples_per_shard` samples (0 is taken as 1).
    pub fn new(disk: &Disk, folder: &Path, samples_per_shard: u64, number: u32) -> Self {
        let (disk, folder) = (disk.clone(), folder.to_owned());
        let samples_per_shard = samples_per_shard.clamp(1, ShardKeys::MOST);
        Self { disk, folder, samples_per_shard, number, open: None }
    }

    /// Goes on with the open shard, of which the first `bytes` bytes and these keys stand.
    pub fn go_on(&mut self, bytes: u64, samples: u64, keys: ShardKeys) -> Result<(), IoError> {
        let path = self.path();
        let tar = tar::Builder::new(PartialFile::go_on(&self.disk, &path, bytes)?);
        let since = self.disk.elapsed();
        self.open = Some(OpenShard { tar, path, samples, since, keys });
        Ok(())
    }

    /// The number of the shard that is open, or is opened next.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The path that it will have.
    pub fn path(&self) -> PathBuf {
        self.folder.join(shard_name(self.number))
    }

    /// Whether a shard is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the open shard is full: the next sample belongs in another one.
    pub fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|shard| shard.samples >= self.samples_per_shard)
    }

    /// Bytes of the open shard.
    pub fn bytes(&self) -> u64 {
        self.open.as_ref().map_or(0, |shard| shard.tar.get_ref().bytes())
    }

    /// Samples of the open shard.
    pub fn samples(&self) -> u64 {
        self.open.as_ref().map_or(0, |shard| shard.samples)
    }

    /// How long the open shard has been open.
    pub fn age(&self) -> Option<Duration> {
        self.open.as_ref().map(|shard| self.disk.elapsed().saturating_sub(shard.since))
    }

    /// Opens a shard where none is open.
    pub fn open(&mut self) -> Result<(), IoError> {
        if self.open.is_none() {
            let (path, since) = (self.path(), self.disk.elapsed());
            let file = PartialFile::create(&self.disk, &path)?;
            // Before anything is in it: a shard whose samples are on disk is then never lost.
            file.sync_name()?;
            let tar = tar::Builder::new(file);
            let keys = ShardKeys::default();
            self.open = Some(OpenShard { tar, path, samples: 0, since, keys });
        }
        Ok(())
    }

    /// Appends a sample, and gives the key that it has in the shard.
    pub fn append(&mut self, key: &str, files: &[File<'_>]) -> Result<String, IoError> {
        self.open()?;
        let closed = || failed(&self.folder)(io::Error::other("no shard is open"));
        self.open.as_mut().ok_or_else(closed)?.append(key, files)
    }

    /// Brings the open shard, as far as it goes, to disk under its temporary name.
    pub fn sync(&mut self) -> Result<(), IoError> {
        self.open.as_mut().map_or(Ok(()), |shard| shard.tar.get_mut().sync())
    }

    /// Gives the open shard its name; its number and its samples, where one was open.
    pub fn close(&mut self) -> Result<Option<(u32, u64)>, IoError> {
        let Some(shard) = self.open.take() else { return Ok(None) };
        let (number, samples) = (self.number, shard.samples);
        shard.publish()?;
        self.number += 1;
        Ok(Some((number, samples)))
    }
}

/// The shard that is being written.
struct OpenShard {
    tar: tar::Builder<PartialFile>,
    path: PathBuf,
    samples: u64,
    /// When it was opened, by the disk's clock.
    since: Duration,
    keys: ShardKeys,
}

impl std::fmt::Debug for OpenShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("OpenShard");
        shown.field("path", &self.path).field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl OpenShard {
    fn append(&mut self, key: &str, files: &[File<'_>]) -> Result<String, IoError> {
        let key = self.keys.unused(key);
        let extensions = files.iter().map(|(extension, _)| *extension);
        for (extension, (_, data)) in distinct_extensions(extensions, &[]).iter().zip(files) {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            let name = format!("{key}.{extension}");
            let appended = self.tar.append_data(&mut header, name, *data);
            appended.map_err(failed(&self.path))?;
        }
        self.samples += 1;
        Ok(key)
    }

    fn publish(self) -> Result<(), IoError> {
        let file = self.tar.into_inner().map_err(failed(&self.path))?;
        if self.path.symlink_metadata().is_ok() {
            let why = "there is a file of that name already";
            return Err(failed(&self.path)(io::Error::new(io::ErrorKind::AlreadyExists, why)));
        }
        file.publish()
    }
}
