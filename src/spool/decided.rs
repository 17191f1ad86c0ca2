//! How far a consumer is, by its own records.

use std::path::Path;

use crate::disk::{IoError, failed};
use crate::journal;
use crate::store::Resumed;

/// The number of the next pair of spool `id` that an output folder's journal has no decision of. Where
/// other inputs came last, all of the journal is read.
///
/// # Errors
/// [`IoError`] if the journal cannot be read. What is damaged in it is passed over.
pub fn decided(folder: &Path, id: u32, resumed: &Resumed) -> Result<u64, IoError> {
    let last = resumed.place.as_ref().and_then(|place| place.position);
    if let Some(last) = last.filter(|last| last.input == id) {
        return Ok(last.item + 1);
    }
    let mut next = 0;
    if resumed.next_ticket > 0 {
        for part in journal::parts(folder).map_err(failed(folder))? {
            journal::examine(&part, |record| {
                if record.position.input == id {
                    next = next.max(record.position.item + 1);
                }
            })?;
        }
    }
    Ok(next)
}
