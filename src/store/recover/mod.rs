//! Going on in a folder whose run has ended or was killed.
//!
//! Published shards stand as they are. The journal's last segment is read beside the shard that was
//! being written, record by record: where a record's sample is not there, it and what follows had not
//! reached the disk, and is cut away; samples behind the last record are cut too, where the source
//! gives their pairs again. What is damaged is kept under another name; whole records behind it stay,
//! and samples whose records are lost get new ones. A shard that was being removed is removed, and on a
//! full disk the oldest ones are, where the config lets them go: it happens before anything is written.

mod agreed;
mod base;
mod earlier;
mod embedded;
mod open_scan;
mod survey;
mod walk;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agreed::{Agreed, begins_epoch};
use base::Base;
use earlier::Earlier;
use embedded::Left;
use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use survey::Survey;
use walk::Walk;

use super::claims::Claims;
use super::dropping::{self, Lookout};
use super::folder::{shard_name, stats_name};
use super::ledger::Checkpoint;
use super::past::Past;
use super::{Levels, StoreOptions, StoreSink, Unsynced};
use crate::disk::IoError;
use crate::disk::{Disk, Open, failed};
use crate::journal::{self, Closed, Entry, Epoch, Header, Terms, Writer, number_of};
use crate::source::Place;

/// What was found in a folder that is gone on with.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Resumed {
    /// Kept pairs that are in the folder.
    pub kept: u64,
    /// How all pairs came out that were decided before.
    pub before: Counts,
    /// Decisions at the journal's end that were cut away: their pairs did not reach the disk.
    pub undone: u64,
    /// Samples that were found stored without a record.
    pub recovered: u64,
    /// Where what is damaged is kept.
    pub damaged: Vec<PathBuf>,
    /// The pair that was decided last, behind which the inputs are read on.
    pub place: Option<Place>,
    /// Whether the inputs were read to their end.
    pub is_complete: bool,
    /// Whether there are inputs that the earlier run did not have.
    pub is_longer: bool,
    /// Ticket of the next pair.
    pub next_ticket: u64,
    /// What the decider had learnt where `parts` begin.
    pub decider: Vec<u8>,
    parts: Vec<PathBuf>,
}

impl Resumed {
    /// What a decider with the state `decider`, which decides under `now`, must catch up with.
    ///
    /// # Errors
    /// [`IoError::Read`] if the journal cannot be read.
    pub fn past(&self, now: Terms) -> Result<Past, IoError> {
        Past::of(self.parts.clone(), now)
    }
}

/// Brings shards and journal of `folder` to what they have in common, and opens both to go on.
pub(super) fn recover(
    disk: &Disk,
    folder: &Path,
    mut options: StoreOptions,
) -> Result<(StoreSink, Resumed), IoError> {
    let parts = journal::parts(folder).map_err(failed(folder))?;
    let Some((last, earlier)) = parts.split_last() else {
        return Err(failed(folder)(io::ErrorKind::NotFound.into()));
    };
    let leavings = Earlier::look(folder, &parts)?;
    let room = leavings.room(disk, folder)?;
    let disk = &dropping::disk_with(disk, &room, &options.config);
    // A killed run may have left names that the system knows and the disk does not.
    disk.sync_folder(folder)?;
    if number_of(last).is_some() {
        disk.sync_parent(last)?;
    }
    let survey = Survey::of(last)?;
    let agreed = Agreed::of(folder, &survey, &options)?;
    let mut damaged = Vec::new();
    if survey.is_damaged {
        damaged.extend(journal::repair(disk, last)?.1);
    }
    let base = Base::of(last, earlier, folder)?;
    let again = options.again;
    let left = Left::look(folder, &options)?;
    let observer = options.observer.take();
    let is_damaged = !damaged.is_empty();
    let records = options.recording.is_some().then_some(left.wanted);
    let mut walk = Walk::start(disk, folder, base.ledger, observer, is_damaged, records)?;
    walk.go_through(last)?;
    walk.finish(&parts, again)?;
    let recorder = left.recorder(disk, folder, &mut options, &mut walk)?;
    let StoreOptions { config, header, stores, annotate, lock, .. } = options;
    let threshold = header.terms.threshold;
    let lock = lock.ok_or_else(|| failed(folder)(io::Error::other("the folder is not locked")))?;

    damaged.extend(walk.keep_what_is_cut(disk, last)?);
    let journal = open_journal(disk, folder, last, header, &walk, &agreed)?;
    let shards = walk.open_shards(disk, folder, config.shard_pairs)?;
    let claims = Claims::write(disk, folder, std::mem::take(&mut walk.claims))?;
    let resumed = Resumed {
        kept: walk.ledger.counts.total(Verdict::Kept) + walk.recovered.len() as u64,
        before: walk.ledger.counts,
        undone: walk.undone,
        recovered: walk.recovered.len() as u64,
        damaged,
        place: walk.ledger.place(),
        is_complete: walk.ledger.is_complete,
        is_longer: agreed.is_longer,
        next_ticket: 0,
        parts: parts[base.unseen_by_decider..].to_vec(),
        decider: base.decider,
    };
    let mut sink = StoreSink {
        disk: disk.clone(),
        folder: folder.to_owned(),
        config,
        stores,
        one_shard: false,
        annotate,
        threshold,
        shards,
        share_start: disk.now(),
        shard_begin: None,
        journal,
        ledger: walk.ledger,
        recorder,
        claims,
        unsynced: Unsynced::default(),
        durable: 0,
        room,
        unlisted: Vec::new(),
        lookout: Lookout::default(),
        levels: Levels::default(),
        dropped: 0,
        observer: walk.observer,
        failed: false,
        _lock: lock,
    };
    for claim in walk.recovered {
        if claim.shard() > sink.ledger.shard {
            // Or the shard's statistics would tell of samples of a later one.
            sink.close_published()?;
        }
        let ticket = sink.ledger.next_ticket;
        sink.record_found(claim.record(ticket))?;
    }
    sink.close_published()?;
    sink.sync_all()?;
    leavings.settle(&mut sink)?;
    if sink.claims.is_settled() {
        sink.claims.forget(disk)?;
    }
    let resumed =
        Resumed { next_ticket: sink.ledger.next_ticket, before: sink.ledger.counts, ..resumed };
    Ok((sink, resumed))
}

impl StoreSink {
    /// Tells the journal of a shard that got its name just before the run was killed.
    fn close_published(&mut self) -> Result<(), IoError> {
        let (shard, samples) = (self.ledger.shard, self.ledger.samples);
        let path = self.folder.join(shard_name(shard));
        if samples == 0 || self.shards.number() <= shard || !path.is_file() {
            return Ok(());
        }
        let stats = self.folder.join(stats_name(shard));
        if !stats.is_file() {
            self.journal.sync()?;
            self.write_table(shard)?;
            let modified = fs::metadata(&path).and_then(|data| data.modified());
            let end = modified.unwrap_or_else(|_| self.disk.now());
            self.ledger.share.write(&self.disk, &stats, end, end)?;
        }
        self.enter(&Entry::Closed(Closed { shard, samples }))
    }
}

fn open_journal(
    disk: &Disk,
    folder: &Path,
    last: &Path,
    header: Header,
    walk: &Walk,
    agreed: &Agreed,
) -> Result<Writer, IoError> {
    let journal = folder.join(journal::FOLDER);
    let first_ticket = walk.ledger.next_ticket;
    let checkpoint = || Checkpoint::new(&walk.ledger, Vec::new());
    let Some(number) = number_of(last) else {
        let length = fs::metadata(last).map_err(failed(last))?.len();
        if length > walk.stands {
            let mut file = disk.open(last, Open::Append)?;
            let cut = file.set_len(walk.stands).and_then(|()| file.sync());
            cut.map_err(failed(last))?;
        }
        let header = Header { first_ticket, ..header };
        return Writer::begin(disk, &journal, 0, header, &checkpoint());
    };
    let mut writer = Writer::go_on(disk, &journal, number, agreed.header.clone(), walk.stands)?;
    // An epoch may stand among what is cut away: what decides where the journal stands is told by what
    // is left of it.
    let terms = walk.terms.as_ref().unwrap_or(&agreed.header.terms);
    writer.set_terms(terms.clone());
    if agreed.is_longer {
        writer.turn(Header { first_ticket, ..header }, &checkpoint())?;
    } else if begins_epoch(terms, &header.terms) {
        let epoch = Epoch { terms: header.terms, first_ticket };
        writer.append(&Entry::Epoch(Box::new(epoch)))?;
    }
    Ok(writer)
}
