//! WebDataset shards: tars, plain or packed, whose entries with a common key are a sample.
//!
//! The key is the path up to the first dot of its last part, the rest is the extension, as in
//! Python's webdataset. Entries that have no such name are passed over: folders and links, names
//! without a dot or with one in front, and webdataset's own `__name__`.
//!
//! Keys are told apart by their bytes, also where these are no UTF-8. A sample ends at the next
//! member of another key, and at a block of zeros; what follows such a block is read on.
//!
//! A shard that is torn (cut off, or with bytes changed where it matters) gives its samples up to
//! the damage, and then one with the fault `ArchiveTorn`, which stands for what is lost.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::archive::{Archive, Entry, Step};
use super::builder::SampleBuilder;
use super::pax::Name;
use super::scattered::Scattered;
use super::{Sample, Source, unreadable};
use crate::disk::IoError;

/// Reads the samples of one shard.
#[derive(Debug)]
pub struct TarSource<R: Read> {
    shard: Arc<str>,
    limits: SampleLimits,
    /// `None` once the shard has ended.
    archive: Option<Archive<R>>,
    /// The sample that more members may belong to, and its key's bytes.
    pending: Option<(Vec<u8>, SampleBuilder)>,
    /// The first member of the sample after that, not read yet.
    waiting: Option<Named>,
    passed_over: u64,
    scattered: Scattered,
    has_joined: bool,
}

/// An entry that is a sample's member.
#[derive(Debug)]
struct Named {
    key: Vec<u8>,
    extension: String,
    size: u64,
    sparse: Option<&'static str>,
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
    /// Reads a shard, packed or not, from `reader`; `shard` is what its samples and the log call
    /// it.
    pub fn new(reader: R, shard: &str, limits: SampleLimits) -> Self {
        Self {
            shard: shard.into(),
            limits,
            archive: Some(Archive::new(reader)),
            pending: None,
            waiting: None,
            passed_over: 0,
            scattered: Scattered::default(),
            has_joined: false,
        }
    }

    /// Goes on by one entry; gives the sample that this completes, if any.
    fn step(&mut self) -> io::Result<Option<Sample>> {
        let Some(archive) = &mut self.archive else {
            return Ok(None);
        };
        let member = match self.waiting.take() {
            Some(member) => member,
            None => match archive.step()? {
                Step::Entry(entry) => match self.name(&entry) {
                    Some(member) => member,
                    None => return Ok(None),
                },
                Step::Mark => return Ok(self.complete()),
                Step::End => return Ok(self.end()),
            },
        };
        if self.pending.as_ref().is_some_and(|(key, _)| *key != member.key) {
            // Its data are read later, so that damage there leaves this sample as it is.
            self.waiting = Some(member);
            return Ok(self.complete());
        }
        self.add(member)?;
        Ok(None)
    }

    /// Adds a member to the sample that it belongs to, or begins one with it.
    fn add(&mut self, member: Named) -> io::Result<()> {
        let Some(archive) = &mut self.archive else {
            return Ok(());
        };
        let Named { key, extension, size, sparse } = member;
        let begin = || {
            let text = String::from_utf8_lossy(&key).into_owned();
            (key, SampleBuilder::new(&self.shard, text, self.limits))
        };
        let (_, pending) = self.pending.get_or_insert_with(begin);
        if let Some(dialect) = sparse {
            log::warn!(
                "{}: {}.{extension} is stored sparse, in {dialect}, which is not read; pack without \
                 --sparse",
                self.shard,
                pending.key()
            );
            pending.note(unreadable(&extension));
        } else if pending.admits(&extension, size) {
            pending.push(extension, archive.data(size)?);
        }
        Ok(())
    }

    /// The entry as a sample's member; `None`, and counted, where it is none.
    fn name(&mut self, entry: &Entry) -> Option<Named> {
        let joined = self.archive.as_ref().map_or(0, Archive::joined);
        if joined > 0 && !std::mem::replace(&mut self.has_joined, true) {
            log::info!("{}: goes on behind its end mark, and is read to its end", self.shard);
        }
        let named = match &entry.path {
            Name::Known(path) => name(path, entry),
            Name::TooLong(bytes) => {
                log::warn!("{}: a file's name of {bytes} bytes is not read", self.shard);
                None
            }
        };
        self.passed_over += u64::from(named.is_none());
        named
    }

    /// The pending sample, which is complete.
    fn complete(&mut self) -> Option<Sample> {
        let sample = self.pending.take().map(|(_, pending)| pending.finish());
        sample.inspect(|sample| self.scattered.see(sample))
    }

    /// Ends the shard; gives its last sample.
    fn end(&mut self) -> Option<Sample> {
        let last = self.complete();
        if let Some(archive) = self.archive.take()
            && archive.garbage() > 0
        {
            let bytes = archive.garbage();
            log::warn!("{}: {bytes} bytes behind its end mark are no archive", self.shard);
        }
        if self.passed_over > 0 {
            log::debug!("{}: passed over {} entries", self.shard, self.passed_over);
        }
        self.scattered.tell(&self.shard);
        last
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
fn name(path: &[u8], entry: &Entry) -> Option<Named> {
    if !entry.is_file || is_meta(path) {
        return None;
    }
    let folder = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let base = &path[folder..];
    let dot = base.iter().position(|&byte| byte == b'.').filter(|&dot| dot > 0)?;
    if base.starts_with(b"__") && base.ends_with(b"__") {
        return None;
    }
    let extension = String::from_utf8_lossy(&base[dot + 1..]).to_lowercase();
    let key = path[..folder + dot].to_vec();
    Some(Named { key, extension, size: entry.size, sparse: entry.sparse })
}

/// Whether a path's first part is one of webdataset's own, `__name__`.
fn is_meta(path: &[u8]) -> bool {
    let first = path.split(|&byte| byte == b'/').next().unwrap_or_default();
    first.len() >= 4 && first.starts_with(b"__") && first.ends_with(b"__")
}
