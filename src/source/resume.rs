//! Reading on where an earlier run has stopped.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use pairgate_core::pair::{Digest, Position};

use super::{Inputs, Sample, Source};
use crate::digest::sha256;
use crate::disk::IoError;
use crate::journal::{MAX_NAME, cut};

/// The pair that an earlier run decided last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Pairs up to and with it.
    pub tickets: u64,
    /// Its place in the inputs; `None` where only their number is known.
    pub position: Option<Position>,
    /// Its key, as a journal records it.
    pub key: String,
    /// Its image's digest, zero where it has none.
    pub content: Digest,
}

/// Reads past `place`, and sees that the pair there is the one that was decided; inputs before its own
/// are not opened.
///
/// # Errors
/// [`IoError::Read`] if the pair is not there any more, or the inputs cannot be read.
pub fn pass_over(inputs: &mut Inputs, place: &Place, stop: &AtomicBool) -> Result<(), IoError> {
    let count = match place.position {
        Some(position) => {
            inputs.pass_inputs(position.input);
            position.item.saturating_add(1)
        }
        None => place.tickets,
    };
    let mut last = None;
    for _ in 0..count {
        if stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        last = Some(inputs.next()?.ok_or_else(|| changed(place, None))?);
    }
    match last {
        Some(sample) if !is_at(place, &sample) => Err(changed(place, Some(&sample))),
        _ => Ok(()),
    }
}

fn is_at(place: &Place, sample: &Sample) -> bool {
    let content = sample.image().map(sha256).unwrap_or_default();
    cut(&sample.key, MAX_NAME) == place.key && content == place.content
}

fn changed(place: &Place, found: Option<&Sample>) -> IoError {
    let key = &place.key;
    let (from, there) = match found {
        Some(sample) => (sample.shard.to_string(), format!("{:?} is there now", sample.key)),
        None => ("the inputs".to_owned(), "they end before it now".to_owned()),
    };
    let why = format!(
        "the inputs are not what they were: {key:?} was decided last, and {there}; name another \
         output folder, or give --overwrite"
    );
    IoError::Read { from, why: io::Error::other(why) }
}
