//! The second pass over the input: decisions again from recorded facts, under a threshold that
//! only the first pass could find.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Outcome;
use crate::error::RunError;
use crate::model::bundle::sha256;
use crate::policy::Policy;
use crate::sink::journal::OwnedRecord;
use crate::sink::{Judged, Sink};
use crate::source::{Sample, Source};
use crate::stats::Counts;

/// Reads `source` again, beside the `records` that a first pass wrote for it, and decides on each
/// pair by `policy`. No image is decoded.
///
/// The run ends with an error if the input is no longer the one that was recorded.
pub fn decide_again(
    source: &mut dyn Source,
    records: impl IntoIterator<Item = Result<OwnedRecord, RunError>>,
    policy: &Policy,
    sink: &mut dyn Sink,
    stop: &AtomicBool,
    mut watch: impl FnMut(&Counts),
) -> Outcome {
    let mut outcome = Outcome::default();
    for record in records {
        if stop.load(Ordering::SeqCst) {
            outcome.interrupted = true;
            break;
        }
        let step = record.and_then(|record| {
            let judged = judge_again(source, &record, policy)?;
            outcome.read += 1;
            outcome.counts.add(&judged.decision);
            sink.accept(&judged)
        });
        if let Err(error) = step {
            outcome.error = Some(error);
            break;
        }
        watch(&outcome.counts);
    }
    if outcome.error.is_none() && !outcome.interrupted {
        outcome.error = ended(source).err();
    }
    let finished = outcome.settle(sink);
    outcome.error = outcome.error.or(finished.err());
    outcome
}

/// The source must end where the records do.
fn ended(source: &mut dyn Source) -> Result<(), RunError> {
    let Some(sample) = source.next()? else { return Ok(()) };
    let why = format!("{:?} is new since the first pass", sample.key);
    Err(RunError::Source { from: sample.shard.to_string(), why: io::Error::other(why) })
}

fn judge_again(
    source: &mut dyn Source,
    record: &OwnedRecord,
    policy: &Policy,
) -> Result<Judged, RunError> {
    let sample = source.next()?.ok_or_else(|| changed(record))?;
    if !is_recorded(&sample, record) {
        return Err(changed(record));
    }
    let decision = policy.decide_again(record.reason, record.facts);
    Ok(Judged { sample, uid: record.uid, decision })
}

fn is_recorded(sample: &Sample, record: &OwnedRecord) -> bool {
    let content = sample.image().map(sha256).unwrap_or_default();
    record.names(sample) && content == record.facts.content
}

fn changed(record: &OwnedRecord) -> RunError {
    let why = format!("{:?} is not what the first pass read", record.key);
    RunError::Source { from: record.shard.clone(), why: io::Error::other(why) }
}
