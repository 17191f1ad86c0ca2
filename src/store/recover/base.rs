//! What the parts of a journal before the last one come to.

use std::path::{Path, PathBuf};

use pairgate_core::decision::Verdict;

use super::super::folder::published;
use super::super::ledger::{Checkpoint, Ledger};
use super::super::room::samples_of;
use crate::disk::IoError;
use crate::disk::failed;
use crate::journal::{Closed, Entry, Part, Salvage, Stored, number_of};

/// Where the last part of the journal begins.
pub(super) struct Base {
    pub ledger: Ledger,
    pub decider: Vec<u8>,
    /// The first file that the decider has not seen.
    pub unseen_by_decider: usize,
    /// The first that the checkpoint has not.
    unseen: usize,
}

impl Base {
    pub fn of(last: &Path, earlier: &[PathBuf], folder: &Path) -> Result<Self, IoError> {
        if let Some(checkpoint) = checkpoint_of(last) {
            return Ok(Self::at(&checkpoint, earlier.len()));
        }
        if !earlier.is_empty() {
            log::warn!(
                "{}: its checkpoint cannot be read; reading those before it",
                last.display()
            );
        }
        let nearest =
            (0..earlier.len()).rev().find_map(|at| Some((at, checkpoint_of(&earlier[at])?)));
        let mut base = match nearest {
            Some((at, checkpoint)) => Self::at(&checkpoint, at),
            None => Self::none(),
        };
        let ledger = &mut base.ledger;
        for part in &earlier[base.unseen..] {
            let mut placer = Placer::of(folder, part)?;
            let mut salvage = Salvage::open(part)?;
            ledger.next_ticket = ledger.next_ticket.max(salvage.header().first_ticket);
            while let Some(part) = salvage.next_part()? {
                if let Part::Whole(mut entry) = part {
                    placer.place(&mut entry, ledger)?;
                    ledger.take(&entry);
                }
            }
        }
        ledger.next_ticket = ledger.next_ticket.max(Salvage::open(last)?.header().first_ticket);
        Ok(base)
    }

    fn none() -> Self {
        let (ledger, decider) = (Ledger::default(), Vec::new());
        Self { ledger, decider, unseen: 0, unseen_by_decider: 0 }
    }

    fn at(checkpoint: &Checkpoint, unseen: usize) -> Self {
        let decider = checkpoint.decider().to_vec();
        // One that has told nothing has seen nothing, or needs nothing.
        let unseen_by_decider = if decider.is_empty() { 0 } else { unseen };
        Self { ledger: checkpoint.ledger(), decider, unseen, unseen_by_decider }
    }
}

/// The checkpoint of a file of the journal; none of an earlier format has one.
fn checkpoint_of(part: &Path) -> Option<Checkpoint> {
    number_of(part).and_then(|_| Checkpoint::beside(part))
}

/// Tells where the pairs of an earlier format are stored, which does not say it: kept ones fill the
/// shards in their order.
pub(super) struct Placer {
    folder: PathBuf,
    is_earlier: bool,
    published: usize,
    shard: u32,
    /// Samples of the shard that have no record yet; `None` for the one that is not published.
    left: Option<u64>,
}

impl Placer {
    pub fn of(folder: &Path, part: &Path) -> Result<Self, IoError> {
        let is_earlier = number_of(part).is_none();
        let published =
            if is_earlier { published(folder).map_err(failed(folder))?.len() } else { 0 };
        let mut placer =
            Self { folder: folder.to_owned(), is_earlier, published, shard: 0, left: None };
        if is_earlier {
            placer.left = placer.samples_of(0)?;
        }
        Ok(placer)
    }

    /// Samples of the shard; `None` where it is not published.
    pub fn samples_of(&self, shard: u32) -> Result<Option<u64>, IoError> {
        if shard as usize >= self.published {
            return Ok(None);
        }
        samples_of(&self.folder, shard).map(Some)
    }

    pub fn place(&mut self, entry: &mut Entry, ledger: &mut Ledger) -> Result<(), IoError> {
        let Entry::Record(record) = entry else { return Ok(()) };
        if !self.is_earlier || record.verdict != Verdict::Kept {
            return Ok(());
        }
        while self.left == Some(0) {
            ledger.take(&Entry::Closed(Closed { shard: self.shard, samples: 0 }));
            self.shard += 1;
            self.left = self.samples_of(self.shard)?;
        }
        self.left = self.left.map(|left| left - 1);
        let key = record.key.clone();
        record.stored = Some(Stored { shard: self.shard, key, check: None });
        Ok(())
    }
}
