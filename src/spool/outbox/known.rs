//! What a journal tells of tickets.

use std::path::Path;

use crate::disk::{IoError, failed};
use crate::journal::{self, Record};

/// The tickets of which a journal has a record. They ascend but where the power failed: records between
/// others may be lost then, so that the highest one alone tells too little.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// All below this one, whether it is told or not.
    below: u64,
    /// From the first on that was asked for, in order.
    tickets: Vec<u64>,
}

impl Known {
    /// The tickets from `first` on of the journal in `folder`, of which `ticket` gives a record's. Its last
    /// part is read, and those before it up to one that tells of an earlier ticket.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be read. What is damaged in it is passed over.
    pub fn of(
        folder: &Path,
        first: u64,
        ticket: impl Fn(&Record) -> Option<u64>,
    ) -> Result<Self, IoError> {
        let parts = match folder.is_dir() {
            true => journal::parts(folder).map_err(failed(folder))?,
            false => Vec::new(),
        };
        let (mut tickets, mut is_earlier) = (Vec::new(), false);
        for part in parts.iter().rev() {
            journal::examine(part, |record| match ticket(record) {
                Some(ticket) if ticket >= first => tickets.push(ticket),
                Some(_) => is_earlier = true,
                None => {}
            })?;
            if is_earlier {
                break;
            }
        }
        tickets.sort_unstable();
        tickets.dedup();
        // Where the journal's first segments were removed with their shards, they told of the others.
        let was_cut = parts.first().and_then(|part| journal::number_of(part)) > Some(0);
        let below = if was_cut { tickets.first().copied().unwrap_or(0) } else { 0 };
        Ok(Self { below, tickets })
    }

    /// Whether there is a record of this ticket.
    pub fn has(&self, ticket: u64) -> bool {
        ticket < self.below || self.tickets.binary_search(&ticket).is_ok()
    }
}
