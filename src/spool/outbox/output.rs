//! The output folder that decided pairs are brought to, while it can be written.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pairgate_core::config::StorageConfig;
use pairgate_core::pair::{Digest, Position};

use super::known::Known;
use super::waiting::Waiting;
use crate::disk::{Disk, IoError, failed};
use crate::journal::{self, Header, Terms};
use crate::store::{OutputFolder, ShardObserver, Sink, StoreOptions, StoreSink};

/// Makes what hears of kept pairs, each time that the folder is opened.
pub type Observers = Box<dyn FnMut() -> Option<Box<dyn ShardObserver>> + Send>;

/// Where pairs are brought, and how they are written there.
pub(super) struct Target {
    pub folder: PathBuf,
    pub config: StorageConfig,
    pub inputs: Vec<String>,
    pub new_decisions: bool,
    pub earlier_config: Option<Digest>,
    pub annotate: bool,
    pub observers: Observers,
}

/// The folder, open.
pub(super) struct Output {
    sink: StoreSink,
    journal: PathBuf,
    /// Which folder the journal's was when it was opened.
    identity: Option<(u64, u64)>,
    /// What decides there.
    terms: Terms,
    /// The spool's number.
    spool: u32,
    /// The spool's tickets of which the folder had a decision when it was opened.
    known: Known,
    /// Pairs that were brought and are not on disk: the ticket there, and the number in the spool.
    brought: VecDeque<(u64, u64)>,
}

impl Target {
    /// Opens the folder, to which the pair with the spool's ticket `first` comes next, decided by `terms`.
    /// `was_reached` says that pairs of the spool were
    /// brought to it before: it must have a journal then.
    pub fn open(
        &mut self,
        disk: &Disk,
        terms: &Terms,
        first: u64,
        spool: u32,
        was_reached: bool,
    ) -> Result<Output, IoError> {
        self.check(was_reached)?;
        let header = Header::new(terms.clone(), self.inputs.clone());
        let options = StoreOptions {
            annotate: self.annotate,
            endless: true,
            // Where it was reached, the history has let other terms in already.
            new_decisions: self.new_decisions || was_reached,
            earlier_config: self.earlier_config,
            observer: (self.observers)(),
            ..StoreOptions::new(self.config, header)
        };
        let (sink, _) = StoreSink::go_on(disk, &self.folder, options)?;
        let ticket = |place: Position| (place.input == spool).then_some(place.item);
        let known = Known::of(&self.folder, first, |record| record.spooled.and_then(ticket))?;
        let journal = self.folder.join(journal::FOLDER);
        Ok(Output {
            sink,
            identity: identity(&journal),
            journal,
            terms: terms.clone(),
            spool,
            known,
            brought: VecDeque::new(),
        })
    }

    /// A folder that is gone is not made anew: a disk that is not mounted leaves an empty one.
    fn check(&self, was_reached: bool) -> Result<(), IoError> {
        let parent = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if parent.is_some_and(|parent| !parent.is_dir()) {
            let why = "the folder that it lies in is not there";
            return Err(failed(&self.folder)(io::Error::new(io::ErrorKind::NotFound, why)));
        }
        if was_reached && !OutputFolder::is_begun(&self.folder)? {
            let why =
                "there is no journal in it, though pairs were brought there: is its disk mounted?";
            return Err(failed(&self.folder)(io::Error::new(io::ErrorKind::NotFound, why)));
        }
        Ok(())
    }
}

impl Output {
    /// Writes a pair; one that the folder has already is passed over.
    pub fn take(&mut self, sequence: u64, waiting: Waiting) -> Result<(), IoError> {
        let Waiting { mut judged, record, terms } = waiting;
        let ticket = judged.ticket;
        if self.known.has(ticket) {
            let last = self.brought.back().map_or(0, |(there, _)| *there);
            self.brought.push_back((last, sequence));
            return Ok(());
        }
        let there = self.sink.ledger().next_ticket;
        if terms != self.terms {
            self.sink.epoch(&terms, there)?;
            self.terms = terms;
        }
        if self.sink.wants_checkpoint() {
            self.sink.checkpoint(&[])?;
        }
        judged.ticket = there;
        let place = Position { input: self.spool, item: ticket };
        self.sink.accept_spooled(&judged, record, Some(place))?;
        self.brought.push_back((there, sequence));
        Ok(())
    }

    /// The number in the spool behind the last pair that is on disk since the last call.
    ///
    /// # Errors
    /// [`IoError::Write`] if the folder is not there any more: files that are removed can be written and
    /// brought to disk all the same.
    pub fn settled(&mut self) -> Result<Option<u64>, IoError> {
        let durable = self.sink.durable().unwrap_or(0);
        let is_there = |(ticket, _): &(u64, u64)| *ticket < durable;
        let count = self.brought.iter().take_while(|brought| is_there(brought)).count();
        if count > 0 && identity(&self.journal) != self.identity {
            let why = "it was removed, or is another one now";
            return Err(failed(&self.journal)(io::Error::new(io::ErrorKind::NotFound, why)));
        }
        Ok(self.brought.drain(..count).next_back().map(|(_, sequence)| sequence + 1))
    }

    /// Whether all that was brought is on disk.
    pub fn is_settled(&self) -> bool {
        self.brought.is_empty()
    }

    /// What stores there.
    pub fn sink(&mut self) -> &mut StoreSink {
        &mut self.sink
    }
}

/// What tells a folder from others that have its name later; `None` where there is none.
#[cfg(unix)]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).ok().map(|data| (data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|_| (0, 0))
}
