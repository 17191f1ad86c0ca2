//! Going on in a folder whose run has ended or was killed.
//!
//! Published shards stand as they are. The shard that was being written is written anew from its
//! leavings, record by record of the journal, as far as both go; then the journal is cut there.
//! Killed on the way, it is begun again from the same leavings.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;

use crate::config::SampleLimits;
use crate::decision::Verdict;
use crate::disk::{Disk, failed, hidden_path, partial_path};
use crate::error::{RunError, WireError};
use crate::model::bundle::sha256;
use crate::sink::journal::{JournalFile, JournalSink, OwnedRecord, wire_error};
use crate::sink::observer::ShardObserver;
use crate::sink::output::{OutputFolder, shard_name, stats_name};
use crate::sink::shards::{ShardSink, Share};
use crate::sink::{Judged, Sink};
use crate::source::tar::TarSource;
use crate::source::{Member, Sample, Source};
use crate::wire;

/// What was found in a folder that is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resumed {
    /// Kept pairs that are in the folder.
    pub kept: u64,
    /// Decisions at the journal's end that were cut away: their pairs did not reach the disk.
    pub undone: u64,
    /// Whether the journal's last frame was torn.
    pub torn: bool,
}

/// Whether `folder` holds the journal of a run with this header.
///
/// # Errors
/// [`RunError::Sink`] if its run had another model, config or threshold, [`RunError::Source`] if
/// the journal cannot be read.
pub(super) fn is_begun(folder: &Path, header: &wire::Header) -> Result<bool, RunError> {
    let path = folder.join(OutputFolder::JOURNAL);
    let journal = match JournalFile::open(&path) {
        Ok(journal) => journal,
        Err(RunError::Source { why, .. }) if why.kind() == io::ErrorKind::NotFound => {
            return Ok(false);
        }
        // Killed before its header was on disk: nothing else was written by then.
        Err(error) if matches!(wire_error(&error), Some(WireError::Torn { .. })) => {
            fs::remove_file(&path).map_err(failed(&path))?;
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let found = journal.header();
    let differs = if found.model != header.model {
        "model"
    } else if found.config != header.config || found.threshold != header.threshold {
        "threshold or config"
    } else {
        return Ok(true);
    };
    let why = format!("its run had another {differs}: name another folder");
    Err(failed(folder)(io::Error::new(io::ErrorKind::AlreadyExists, why)))
}

/// Brings shards and journal of `folder` to what they have in common, and opens both to go on.
///
/// # Errors
/// [`RunError`] if a shard is missing or the system refuses.
pub(super) fn resume(
    folder: &Path,
    samples_per_shard: u64,
    observer: Option<Box<dyn ShardObserver>>,
) -> Result<(ShardSink, JournalSink, Resumed), RunError> {
    let path = folder.join(OutputFolder::JOURNAL);
    let mut records = Records { journal: JournalFile::open(&path)?, ahead: None, torn: false };
    let number = published(folder)?;
    let mut resumed = Resumed::default();
    for shard in 0..number {
        resumed.kept += pass_shard(folder, shard, &mut records)?;
    }
    let left = leavings(folder, number)?;
    let mut shards = ShardSink::after(folder, samples_per_shard, number);
    shards.observe(observer);
    resumed.kept += take_over(left.as_deref(), &mut records, &mut shards)?;
    shards.sync()?;
    let stands = records.offset();
    while records.next()?.is_some() {
        resumed.undone += 1;
    }
    resumed.torn = records.torn;
    let mut journal = JournalSink::append(&path, records.journal.header(), stands)?;
    journal.sync()?;
    if let Some(left) = left {
        fs::remove_file(&left).map_err(failed(&left))?;
        Disk::system().sync_folder(folder)?;
    }
    Ok((shards, journal, resumed))
}

/// A journal's records up to its end, or to where it is torn.
struct Records {
    journal: JournalFile,
    /// A record that was looked at and not taken, and where it begins.
    ahead: Option<(OwnedRecord, u64)>,
    torn: bool,
}

impl Records {
    fn next(&mut self) -> Result<Option<OwnedRecord>, RunError> {
        if let Some((record, _)) = self.ahead.take() {
            return Ok(Some(record));
        }
        match self.journal.next() {
            Some(Err(error)) if matches!(wire_error(&error), Some(WireError::Torn { .. })) => {
                self.torn = true;
                Ok(None)
            }
            other => other.transpose(),
        }
    }

    /// Where the next record begins.
    fn offset(&self) -> u64 {
        self.ahead.as_ref().map_or(self.journal.offset(), |(_, at)| *at)
    }

    /// The next record, left in its place if `wanted` says no.
    fn next_if(
        &mut self,
        wanted: impl FnOnce(&OwnedRecord) -> bool,
    ) -> Result<Option<OwnedRecord>, RunError> {
        let at = self.offset();
        let Some(record) = self.next()? else { return Ok(None) };
        if wanted(&record) {
            return Ok(Some(record));
        }
        self.ahead = Some((record, at));
        Ok(None)
    }
}

/// The number of published shards, which are counted from 0 on.
fn published(folder: &Path) -> Result<usize, RunError> {
    let is_there = |number: &usize| folder.join(shard_name(*number)).exists();
    let count = (0..).take_while(is_there).count();
    let names = fs::read_dir(folder).map_err(failed(folder))?;
    let later = names.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".tar")?.parse::<usize>().ok().filter(|number| *number > count)
    });
    match later.min() {
        Some(number) => {
            let (missing, there) = (shard_name(count), shard_name(number));
            let why = format!("{missing} is missing, though {there} is there");
            Err(failed(folder)(io::Error::new(io::ErrorKind::NotFound, why)))
        }
        None => Ok(count),
    }
}

/// What is read of a shard's statistics.
#[derive(Deserialize)]
struct Stats {
    count: u64,
    successes: u64,
}

/// Passes over the records that a published shard stands for, and gives its number of samples. Where
/// the run was killed before the shard's statistics were written, they are written now.
fn pass_shard(folder: &Path, number: usize, records: &mut Records) -> Result<u64, RunError> {
    let path = folder.join(stats_name(number));
    if let Some(stats) = read_stats(&path)? {
        for _ in 0..stats.count {
            records.next()?;
        }
        return Ok(stats.successes);
    }
    let shard = folder.join(shard_name(number));
    let modified = shard.metadata().and_then(|data| data.modified());
    let mut share =
        Share::start(modified.as_ref().map_or_else(|_| SystemTime::now(), |time| *time));
    let samples = count_samples(&shard)?;
    let mut kept = 0;
    while let Some(record) =
        records.next_if(|record| kept < samples || record.verdict != Verdict::Kept)?
    {
        kept += u64::from(record.verdict == Verdict::Kept);
        share.add(&record.decision());
    }
    share.write(&path, modified.unwrap_or_else(|_| SystemTime::now()))?;
    Ok(samples)
}

fn read_stats(path: &Path) -> Result<Option<Stats>, RunError> {
    match fs::read(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(failed(path)(why)),
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|why| failed(path)(io::Error::new(io::ErrorKind::InvalidData, why))),
    }
}

fn count_samples(shard: &Path) -> Result<u64, RunError> {
    let mut source = open_tar(shard)?;
    let mut samples = 0;
    while source.next()?.is_some() {
        samples += 1;
    }
    Ok(samples)
}

/// The sizes of samples were bounded when they were taken.
const NO_LIMITS: SampleLimits =
    SampleLimits { max_sample_bytes: u64::MAX, max_caption_bytes: u64::MAX };

fn open_tar(path: &Path) -> Result<TarSource<BufReader<File>>, RunError> {
    let file = File::open(path).map_err(failed(path))?;
    let name = path.display().to_string();
    Ok(TarSource::new(BufReader::with_capacity(1 << 20, file), &name, NO_LIMITS))
}

/// What a killed run left of the shard `number`, moved out of the way of its next writing.
fn leavings(folder: &Path, number: usize) -> Result<Option<PathBuf>, RunError> {
    let shard = folder.join(shard_name(number));
    let named = |path: io::Result<PathBuf>| path.map_err(failed(&shard));
    let partial = named(partial_path(&shard))?;
    let left = named(hidden_path(&shard, ".left"))?;
    // Killed while it was gone on with: what was written since is less than what was left.
    if !left.exists() && partial.exists() {
        fs::rename(&partial, &left).map_err(failed(&left))?;
        Disk::system().sync_folder(folder)?;
    }
    Ok(left.exists().then_some(left))
}

/// Gives `shards` the samples of an unfinished shard, in the journal's order, until one of both
/// ends; the number of kept ones.
fn take_over(
    left: Option<&Path>,
    records: &mut Records,
    shards: &mut ShardSink,
) -> Result<u64, RunError> {
    let mut source = left.map(open_tar).transpose()?;
    let mut kept = 0;
    loop {
        let Some(record) = records.next_if(|record| record.verdict != Verdict::Kept)? else {
            let Some(source) = &mut source else { return Ok(kept) };
            let Some(sample) = source.next()?.filter(|sample| sample.fault.is_none()) else {
                return Ok(kept);
            };
            let Some(record) = records.next_if(|record| is_of(record, &sample))? else {
                return Ok(kept);
            };
            shards.accept(&judged(record, sample.members))?;
            kept += 1;
            continue;
        };
        shards.accept(&judged(record, Vec::new()))?;
    }
}

/// Whether the record tells of this sample: its image and caption are those that were judged.
fn is_of(record: &OwnedRecord, sample: &Sample) -> bool {
    let content = sample.image().map(sha256).unwrap_or_default();
    record.uid == sample.uid(&sample.metadata(), content)
}

fn judged(record: OwnedRecord, members: Vec<Member>) -> Judged {
    let (uid, decision) = (record.uid, record.decision());
    let shard: Arc<str> = record.shard.into();
    Judged { sample: Sample { shard, key: record.key, members, fault: None }, uid, decision }
}
