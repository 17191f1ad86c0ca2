//! The last part of the journal, beside the shard that was being written.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pairgate_core::pair::Uid;

use super::super::Judged;
use super::super::claims::{Claim, Claims};
use super::super::folder::{published, shard_name, unfinished};
use super::super::ledger::Ledger;
use super::super::observer::ShardObserver;
use super::super::scan::{Found, Samples};
use super::super::shards::Shards;
use super::base::Placer;
use super::embedded::Wanted;
use super::open_scan::{OpenScan, open_scan};
use crate::disk::IoError;
use crate::disk::{Disk, failed, free_name, hidden_path, partial_path};
use crate::journal::{Entry, FORMAT_VERSION, Part, Record, Salvage, Terms};

/// The last part of the journal beside the shard that was being written.
pub(super) struct Walk {
    pub ledger: Ledger,
    published: Vec<u32>,
    pub open: Option<OpenScan>,
    pub observer: Option<Box<dyn ShardObserver>>,
    /// The shard that was open where the part begins, and its samples then.
    begin: (u32, u64),
    /// Whether records may be lost within the journal.
    is_damaged: bool,
    folder: PathBuf,
    /// Shards and keys of stored pairs that have a record in this part, where records are lost.
    recorded: HashSet<(u32, String)>,
    /// The same for an earlier format, which does not tell them: uids of kept pairs.
    recorded_uids: HashSet<Uid>,
    /// Offset up to which the part stands.
    pub stands: u64,
    /// What decides there, where an epoch says so.
    pub terms: Option<Terms>,
    missing: Option<Box<Missing>>,
    pub undone: u64,
    /// Samples without a record before one that has its own: they get one.
    pub recovered: Vec<Claim>,
    /// Samples without a record behind all that have one: their pairs may come again.
    pub claims: Vec<Claim>,
    cuts_records_of_missing_shard: bool,
    /// Which pairs must have recorded embeddings.
    wanted: Wanted,
}

/// A shard that is not there.
struct Missing {
    shard: u32,
    /// Where its records begin, and what holds before them.
    stands: u64,
    ledger: Ledger,
    terms: Option<Terms>,
}

impl Walk {
    pub fn start(
        disk: &Disk,
        folder: &Path,
        ledger: Ledger,
        observer: Option<Box<dyn ShardObserver>>,
        is_damaged: bool,
        records: Option<Wanted>,
    ) -> Result<Self, IoError> {
        take_back_leavings(disk, folder)?;
        let published = published(folder).map_err(failed(folder))?;
        let unfinished = unfinished(folder).map_err(failed(folder))?;
        let number = unfinished.into_iter().rfind(|number| published.last() < Some(number));
        let open = number.map(|number| open_scan(folder, number, records)).transpose()?;
        let mut walk = Self {
            begin: (ledger.shard, ledger.samples),
            ledger,
            published,
            open,
            observer,
            is_damaged,
            folder: folder.to_owned(),
            recorded: HashSet::new(),
            recorded_uids: HashSet::new(),
            stands: 0,
            terms: None,
            missing: None,
            undone: 0,
            recovered: Vec::new(),
            claims: Vec::new(),
            cuts_records_of_missing_shard: false,
            wanted: records.unwrap_or_default(),
        };
        if let Some(open) = walk.open.as_mut().filter(|open| open.number == walk.ledger.shard) {
            open.pass(walk.ledger.samples)?;
        }
        Ok(walk)
    }

    pub fn go_through(&mut self, part: &Path) -> Result<(), IoError> {
        let mut placer = Placer::of(&self.folder, part)?;
        let mut salvage = Salvage::open(part)?;
        let is_earlier = salvage.header().format < FORMAT_VERSION;
        self.stands = salvage.offset();
        while let Some(part) = salvage.next_part()? {
            // What is damaged was kept and left out; the rest is a frame that was being written.
            let Part::Whole(mut entry) = part else { break };
            if self.undone > 0 {
                self.undone += u64::from(matches!(entry, Entry::Record(_)));
                continue;
            }
            placer.place(&mut entry, &mut self.ledger)?;
            if !self.is_stored(&entry)? {
                self.undone += 1;
                continue;
            }
            self.ledger.take(&entry);
            if is_earlier {
                self.ledger.forget_position();
            }
            self.stands = salvage.offset();
            self.note_missing_end(&entry);
            if let Entry::Epoch(epoch) = entry {
                self.terms = Some(epoch.terms);
            }
        }
        Ok(())
    }

    /// Whether what the entry tells of is there.
    fn is_stored(&mut self, entry: &Entry) -> Result<bool, IoError> {
        let Entry::Record(record) = entry else { return Ok(true) };
        if !record.recovered && self.wanted.end.is_some_and(|end| record.ticket >= end) {
            return Ok(false);
        }
        let Some(stored) = record.stored.as_ref() else { return Ok(true) };
        match self.is_damaged {
            true if stored.check.is_none() => drop(self.recorded_uids.insert(record.uid)),
            true => drop(self.recorded.insert((stored.shard, stored.key.clone()))),
            false => {}
        }
        if self.open.as_ref().is_some_and(|open| open.number == stored.shard) {
            return self.is_in_open_shard(record);
        }
        let is_there = self.published.binary_search(&stored.shard).is_ok()
            || self.published.last() > Some(&stored.shard)
            || self.open.as_ref().is_some_and(|open| open.number > stored.shard);
        if !is_there && self.missing.is_none() {
            let (ledger, terms) = (self.ledger.clone(), self.terms.clone());
            let (shard, stands) = (stored.shard, self.stands);
            self.missing = Some(Box::new(Missing { shard, stands, ledger, terms }));
        }
        Ok(true)
    }

    /// A shard that is not there and was closed has been taken away since, by us or by somebody.
    fn note_missing_end(&mut self, entry: &Entry) {
        let Some(missing) = &self.missing else { return };
        let is_told = match entry {
            Entry::Closed(closed) => closed.shard == missing.shard,
            // The oldest ones go first.
            Entry::Dropped(dropped) => dropped.shard >= missing.shard,
            _ => false,
        };
        if is_told {
            self.missing = None;
        }
    }

    fn is_in_open_shard(&mut self, record: &Record) -> Result<bool, IoError> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let mut passed = Vec::new();
        while let Some((found, is_embedded)) = open.peek()? {
            if found.is_of(record) {
                if !is_embedded {
                    // What was written last: embeddings are brought to disk with the samples.
                    open.orphans.extend(passed);
                    return Ok(false);
                }
                break;
            }
            let Some((found, _)) = open.ahead.take() else { break };
            passed.push((Claim::new(&found, open.number), found.end));
        }
        let Some((found, _)) = open.ahead.take() else {
            // The samples that were passed have no record either.
            open.orphans.extend(passed);
            return Ok(false);
        };
        for (claim, _) in open.orphans.drain(..).chain(passed) {
            open.keys.insert(claim.key());
            open.count += 1;
            // The record of a pair that an earlier format has may have been taken for another one's.
            if !self.recorded_uids.contains(claim.uid()) {
                self.recovered.push(claim);
            }
        }
        open.stand(&found);
        if let Some(observer) = &mut self.observer {
            let path = open.path.clone();
            let key = found.sample.key.clone();
            observer.stored(&judged(record, found), &path, &key);
        }
        Ok(true)
    }

    /// Settles what becomes of samples that have no record.
    pub fn finish(&mut self, parts: &[PathBuf], again: bool) -> Result<(), IoError> {
        if let Some(missing) = self.missing.take() {
            let Missing { stands, ledger, terms, .. } = *missing;
            self.undone += self.ledger.next_ticket - ledger.next_ticket;
            (self.stands, self.ledger, self.terms) = (stands, ledger, terms);
            self.cuts_records_of_missing_shard = true;
        }
        match self.is_damaged {
            true => self.find_orphans_in_published()?,
            false => self.find_uncounted()?,
        }
        let left = self.unrecorded(Claims::left(&self.folder), parts)?;
        let keeps = self.is_damaged || !again;
        if let Some(open) = &mut self.open {
            while let Some((found, _)) = open.next()? {
                // Half a pair is none: nobody was told that it is stored.
                if !found.is_surely_whole() {
                    break;
                }
                open.orphans.push((Claim::new(&found, open.number), found.end));
            }
            let is_known = |claim: &Claim| left.contains(claim);
            let kept = open.orphans.iter().rposition(|(claim, _)| keeps || is_known(claim));
            for (claim, end) in open.orphans.drain(..).take(kept.map_or(0, |last| last + 1)) {
                open.keys.insert(claim.key());
                (open.end, open.count) = (end, open.count + 1);
                self.claims.push(claim);
            }
        }
        for claim in left {
            let is_published = self.published.binary_search(&claim.shard()).is_ok();
            if is_published && !self.claims.contains(&claim) {
                self.claims.push(claim);
            }
        }
        if !again {
            self.recovered.append(&mut self.claims);
        }
        Ok(())
    }

    /// Those of the claims that a killed run has left which have no record by now.
    fn unrecorded(&self, mut left: Vec<Claim>, parts: &[PathBuf]) -> Result<Vec<Claim>, IoError> {
        if left.is_empty() {
            return Ok(left);
        }
        for (number, part) in (1..).zip(parts) {
            // What is behind that is cut away.
            let end = if number == parts.len() { self.stands } else { u64::MAX };
            let mut salvage = Salvage::open(part)?;
            while let Some(part) = salvage.next_part()? {
                if let Part::Whole(Entry::Record(record)) = part
                    && salvage.offset() <= end
                {
                    left.retain(|claim| !claim.is_of(&record));
                }
            }
        }
        Ok(left)
    }

    /// Samples of published shards whose records were lost by damage to this part of the journal.
    fn find_orphans_in_published(&mut self) -> Result<(), IoError> {
        let mut tail = Vec::new();
        for shard in self.published_from(self.begin.0) {
            let mut samples = self.samples_behind(shard, self.begin)?;
            while let Some(found) = samples.next() {
                let is_recorded = self.recorded_uids.contains(&found.uid)
                    || self.recorded.contains(&(shard, found.sample.key.clone()));
                if is_recorded {
                    self.recovered.append(&mut tail);
                } else {
                    tail.push(Claim::new(&found, shard));
                }
            }
        }
        let is_followed = self.open.as_ref().is_some_and(|open| open.count > 0);
        let found = if is_followed { &mut self.recovered } else { &mut self.claims };
        found.append(&mut tail);
        Ok(())
    }

    /// Samples of published shards behind all that the journal tells of, though nothing shows that it
    /// is damaged: its end is lost.
    fn find_uncounted(&mut self) -> Result<(), IoError> {
        let end = (self.ledger.shard, self.ledger.samples);
        for shard in self.published_from(end.0) {
            let mut samples = self.samples_behind(shard, end)?;
            while let Some(found) = samples.next() {
                self.claims.push(Claim::new(&found, shard));
            }
        }
        Ok(())
    }

    /// Numbers of the published shards from this one on.
    fn published_from(&self, first: u32) -> Vec<u32> {
        self.published[self.published.partition_point(|shard| *shard < first)..].to_vec()
    }

    /// The samples of a published shard that are behind `place`, a shard and samples of it.
    fn samples_behind(&self, shard: u32, place: (u32, u64)) -> Result<Samples, IoError> {
        let mut samples = Samples::open(&self.folder.join(shard_name(shard)))?;
        let passed = if shard == place.0 { place.1 } else { 0 };
        (0..passed).for_each(|_| drop(samples.next()));
        Ok(samples)
    }

    /// Keeps a copy of what is cut although no power cut explains it.
    pub fn keep_what_is_cut(&self, disk: &Disk, last: &Path) -> Result<Vec<PathBuf>, IoError> {
        let mut kept = Vec::new();
        let mut keep = |path: &Path| -> Result<(), IoError> {
            let aside = free_name(path)?;
            disk.copy(path, &aside)?;
            disk.sync_parent(&aside)?;
            kept.push(aside);
            Ok(())
        };
        if self.cuts_records_of_missing_shard {
            keep(last)?;
        }
        if let Some(open) =
            self.open.as_ref().filter(|open| self.undone > 0 && open.samples.is_broken)
        {
            let partial = partial_path(&open.path).map_err(failed(&open.path))?;
            if has_data_behind(&partial, open.end).map_err(failed(&partial))? {
                keep(&partial)?;
            }
        }
        Ok(kept)
    }

    pub fn open_shards(
        &mut self,
        disk: &Disk,
        folder: &Path,
        samples_per_shard: u64,
    ) -> Result<Shards, IoError> {
        let behind = self.published.last().map_or(0, |last| last + 1);
        let is_closed = self.published.binary_search(&self.ledger.shard).is_ok();
        let next = behind.max(self.ledger.shard + u32::from(is_closed)).max(self.ledger.gone.below);
        let number = self.open.as_ref().map_or(next, |open| open.number);
        let mut shards = Shards::new(disk, folder, samples_per_shard, number);
        if let Some(open) = &mut self.open {
            shards.go_on(open.end, open.count, std::mem::take(&mut open.keys))?;
            shards.sync()?;
        }
        Ok(shards)
    }
}

/// Whether there is anything but zeros more than a few blocks behind `end`: whole samples, perhaps,
/// behind what is not.
fn has_data_behind(path: &Path, end: u64) -> io::Result<bool> {
    use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(end + (1 << 20)))?;
    let mut rest = BufReader::new(file.take(63 << 20));
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
            return Ok(!bytes.is_empty());
        }
        let read = bytes.len();
        rest.consume(read);
    }
}

/// Earlier versions moved an unfinished shard out of the way of its next writing, and had not
/// written all of it anew when they were killed.
fn take_back_leavings(disk: &Disk, folder: &Path) -> Result<(), IoError> {
    let number = published(folder).map_err(failed(folder))?.last().map_or(0, |last| last + 1);
    let shard = folder.join(shard_name(number));
    let left = hidden_path(&shard, ".left").map_err(failed(&shard))?;
    if left.is_file() {
        disk.rename(&left, &partial_path(&shard).map_err(failed(&shard))?)?;
        disk.sync_folder(folder)?;
    }
    Ok(())
}

fn judged(record: &Record, found: Found) -> Judged {
    let mut sample = found.sample;
    (sample.key, sample.shard) = (record.key.clone(), record.shard.as_str().into());
    let decided = Judged::new(record.ticket, sample, record.uid, record.decision());
    Judged {
        position: record.position,
        broken: record.broken,
        threshold: record.threshold,
        choice: record.choice.clone(),
        group: record.group.as_deref().map(Into::into),
        ..decided
    }
}
