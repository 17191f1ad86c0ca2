//! WebDataset shards: tars, plain or gzipped, whose entries with a common key are a sample.
//!
//! The key is the path up to the first dot of its last part, the rest is the extension, as in
//! Python's webdataset. Entries that have no such name are passed over: folders and links, names
//! without a dot or with one in front, and webdataset's own `__name__`.
//!
//! A shard that is torn (cut off, or with bytes changed where it matters) gives its samples up to
//! the damage, and then one with the fault `ArchiveTorn`, which stands for what is lost.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::archive::{Archive, Entry};
use super::builder::SampleBuilder;
use super::{Sample, Source, unreadable};
use crate::disk::IoError;

/// Reads the samples of one shard.
#[derive(Debug)]
pub struct TarSource<R> {
    shard: Arc<str>,
    limits: SampleLimits,
    /// `None` once the shard has ended.
    archive: Option<Archive<R>>,
    /// The sample that more members may belong to.
    pending: Option<SampleBuilder>,
    /// The first member of the sample after that, not read yet.
    waiting: Option<Named>,
    passed_over: u64,
}

/// An entry that is a sample's member.
#[derive(Debug)]
struct Named {
    key: String,
    extension: String,
    size: u64,
    is_sparse: bool,
}

impl TarSource<File> {
    /// Opens the shard at `path`.
    ///
    /// # Errors
    /// The system's, if the file cannot be opened.
    pub fn open(path: &Path, limits: SampleLimits) -> io::Result<Self> {
        Ok(Self::new(File::open(path)?, &path.to_string_lossy(), limits))
    }
}

impl<R: Read> TarSource<R> {
    /// Reads a shard, gzipped or not, from `reader`; `shard` is what its samples and the log call
    /// it.
    pub fn new(reader: R, shard: &str, limits: SampleLimits) -> Self {
        Self {
            shard: shard.into(),
            limits,
            archive: Some(Archive::new(reader)),
            pending: None,
            waiting: None,
            passed_over: 0,
        }
    }

    /// Goes on by one entry; gives the sample that this completes, if any.
    fn step(&mut self) -> io::Result<Option<Sample>> {
        let Some(archive) = &mut self.archive else {
            return Ok(None);
        };
        let member = match self.waiting.take() {
            Some(member) => member,
            None => match archive.entry()? {
                Some(entry) => match name(&entry) {
                    Some(member) => member,
                    None => {
                        self.passed_over += 1;
                        return Ok(None);
                    }
                },
                None => return Ok(self.end()),
            },
        };
        if self.pending.as_ref().is_some_and(|pending| pending.key() != member.key) {
            // Its data are read later, so that damage there leaves this sample as it is.
            self.waiting = Some(member);
            return Ok(self.pending.take().map(SampleBuilder::finish));
        }
        let begin = || SampleBuilder::new(&self.shard, member.key, self.limits);
        let pending = self.pending.get_or_insert_with(begin);
        if member.is_sparse {
            log::warn!("{}: {}.{} is stored sparse", self.shard, pending.key(), member.extension);
            pending.note(unreadable(&member.extension));
        } else if pending.admits(&member.extension, member.size) {
            pending.push(member.extension, archive.data(member.size)?);
        }
        Ok(None)
    }

    /// Ends the shard; gives its last sample.
    fn end(&mut self) -> Option<Sample> {
        self.archive = None;
        if self.passed_over > 0 {
            log::debug!("{}: passed over {} entries", self.shard, self.passed_over);
        }
        self.pending.take().map(SampleBuilder::finish)
    }

    /// Ends the shard for `why`; gives the sample in which it broke.
    fn break_off(&mut self, why: io::Error) -> Result<Sample, IoError> {
        let at = self.archive.as_ref().map_or(0, Archive::position);
        let pending = self.end();
        if why.raw_os_error().is_some() {
            // Not the archive's fault but the disk's or the network's: it may end here for now only.
            return Err(IoError::Read { from: self.shard.to_string(), why });
        }
        log::warn!("{}: torn at byte {at} (unpacked): {why}", self.shard);
        let nameless = || SampleBuilder::new(&self.shard, String::new(), self.limits).finish();
        let sample = pending.unwrap_or_else(nameless);
        Ok(Sample { fault: Some(Reason::ArchiveTorn), ..sample })
    }
}

impl<R: Read + Send> Source for TarSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        while self.archive.is_some() {
            match self.step() {
                Ok(None) => {}
                Ok(sample) => return Ok(sample),
                Err(why) => return self.break_off(why).map(Some),
            }
        }
        Ok(None)
    }
}

/// Key and extension of an entry; `None` where it is no sample's member.
fn name(entry: &Entry) -> Option<Named> {
    if !entry.is_file {
        return None;
    }
    let path = String::from_utf8_lossy(&entry.path);
    let folder = path.rfind('/').map_or(0, |slash| slash + 1);
    let base = &path[folder..];
    let (stem, extension) = base.split_once('.')?;
    if stem.is_empty() || (base.starts_with("__") && base.ends_with("__")) {
        return None;
    }
    let key = path[..folder + stem.len()].to_owned();
    let (extension, is_sparse) = (extension.to_lowercase(), entry.is_sparse);
    Some(Named { key, extension, size: entry.size, is_sparse })
}
