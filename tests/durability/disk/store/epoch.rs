//! The power is cut around an epoch, with pairs of both sides on their way to the disk.

use std::path::Path;
use std::sync::Arc;

use pairgate::disk::IoError;
use pairgate::journal::{Header, ModelName, Reader, Terms};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::store::{Resumed, StoreOptions, StoreSink};
use pairgate_core::pair::{Digest, Size};

use super::{Run, check_agreement, check_published, header, is_damaged, is_long, shards};
use crate::disk::log::Log;
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

/// The pair before which other terms decide.
const AT: usize = 23;

fn terms(is_new: bool) -> Terms {
    let was = header().terms;
    let model = ModelName { name: "another".into(), digest: Digest([9; 32]) };
    if is_new { Terms { models: vec![model], threshold: Some(0.3), ..was } } else { was }
}

/// The pair, whose image says who decided it.
fn decided(judged: &Judged, ticket: u64, is_new: bool) -> Judged {
    let mut judged = Judged { ticket, ..judged.clone() };
    judged.decision.facts.size = Size::new(1 + u32::from(is_new), 1);
    judged
}

fn go_on(run: &Run, recorder: &Recorder, folder: &Path, is_new: bool) -> (StoreSink, Resumed) {
    let header = Header { terms: terms(is_new), ..header() };
    let mut options = StoreOptions::new(run.config, header);
    (options.again, options.new_decisions) = (run.again, true);
    let (sink, resumed) = StoreSink::go_on(&Run::disk(recorder), folder, options).unwrap();
    (sink.with_segment_bytes(run.segment_bytes), resumed)
}

/// Gives pairs, before the pair `AT` with an epoch.
fn give(
    sink: &mut StoreSink,
    run: &Run,
    from: usize,
    mut after: impl FnMut(&StoreSink),
) -> Result<(), IoError> {
    for (number, judged) in run.pairs.iter().enumerate().skip(from) {
        let next = sink.ledger().next_ticket;
        if number == AT {
            sink.epoch(&terms(true), next)?;
            after(sink);
        }
        if sink.wants_checkpoint() {
            sink.checkpoint(b"state")?;
        }
        let next = sink.ledger().next_ticket;
        sink.accept(&decided(judged, next, number >= AT))?;
        after(sink);
    }
    Ok(())
}

fn recorded(run: &Run) -> Log {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let (mut sink, _) = go_on(run, &recorder, &around.path().join("out"), false);
    give(&mut sink, run, 0, |sink| recorder.mark(sink.durable().unwrap())).unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    recorder.mark(sink.durable().unwrap());
    recorder.log()
}

/// Every record under the terms of who decided it; a sample's that was found again has none.
fn check_terms(folder: &Path) -> u64 {
    let mut journal = Reader::open(folder).unwrap();
    let mut of_new = 0;
    while let Some(record) = journal.next() {
        let record = record.unwrap();
        if record.recovered {
            continue;
        }
        let is_new = record.facts.size.width == 2;
        let wanted = terms(is_new);
        assert_eq!(journal.terms().models, wanted.models, "of pair {}", record.ticket);
        assert_eq!(journal.terms().threshold, wanted.threshold);
        of_new += u64::from(is_new);
    }
    of_new
}

/// What was durable is there under its terms, and a run under the new ones goes on by itself.
fn check(around: &Path, state: &State, run: &Run, unbroken: usize) {
    let folder = around.join("out");
    let durable = state.mark.unwrap_or(0);
    if folder.is_dir() {
        check_published(&folder);
    }
    let recorder = Recorder::with(around, Arc::new(QuickFiles));
    let (mut sink, resumed) = go_on(run, &recorder, &folder, true);
    assert!(resumed.next_ticket >= durable, "{} of {durable} are left", resumed.next_ticket);
    // All that is given now is decided by the new terms.
    let behind = resumed.place.as_ref().map_or(0, |place| place.position.unwrap().item + 1);
    let behind = if run.again { behind as usize } else { run.pairs.len() };
    for judged in &run.pairs[behind..] {
        if sink.wants_checkpoint() {
            sink.checkpoint(b"state").unwrap();
        }
        let ticket = sink.ledger().next_ticket;
        sink.accept(&decided(judged, ticket, true)).unwrap();
    }
    sink.finish(RunEnd::Complete).unwrap();
    drop(sink);
    if is_damaged(&folder) {
        assert_eq!(state.kind, Kind::Reordered, "{:?}", resumed.damaged);
        return;
    }
    check_agreement(&folder, &run.pairs, durable);
    let of_new = check_terms(&folder);
    if run.again {
        assert_eq!(shards(&folder).len(), unbroken);
        assert!(of_new >= (run.pairs.len() - AT) as u64);
    }
}

fn cut(run: &Run, seed: u64) {
    let (log, mut random) = (recorded(run), Random::seeded(seed));
    let whole = scratch();
    State::make(&log, log.calls.len(), Kind::All, &mut random).write_to(whole.path());
    assert_eq!(check_terms(&whole.path().join("out")), (run.pairs.len() - AT) as u64);
    let unbroken = shards(&whole.path().join("out")).len();
    for (number, point) in log.points().enumerate() {
        let one = number % KINDS.len();
        for kind in if is_long() { &KINDS[..] } else { &KINDS[one..=one] } {
            let state = State::make(&log, point, *kind, &mut random);
            let around = scratch();
            state.write_to(around.path());
            let told = Told(&state);
            check(around.path(), &state, run, unbroken);
            drop(told);
        }
    }
}

#[test]
fn the_power_is_cut_around_an_epoch() {
    cut(&Run::of(50), 1);
}

#[test]
fn a_camera_loses_nothing_around_an_epoch() {
    cut(&Run::of(50).by_camera(), 2);
}

/// Where a shard is gone whose records stand before an epoch, the epoch is cut away with them, and what
/// comes then stands behind one of its own.
#[test]
fn an_epoch_that_is_cut_away_is_written_again() {
    let mut run = Run::of(30);
    run.segment_bytes = 1 << 20;
    let folder = scratch();
    let recorder = Recorder::with(folder.path(), Arc::new(QuickFiles));
    let out = folder.path().join("out");
    let (mut sink, _) = go_on(&run, &recorder, &out, false);
    give(&mut sink, &run, 0, |_| ()).unwrap();
    drop(sink);
    let partial = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let partial: Vec<_> =
        partial.filter(|path| path.to_str().unwrap().contains(".partial")).collect();
    partial.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let shards = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let mut shards: Vec<_> =
        shards.filter(|path| path.extension().is_some_and(|e| e == "tar")).collect();
    shards.sort();
    // The one that was being written when the terms changed, and all behind it.
    shards.iter().skip(2).for_each(|path| std::fs::remove_file(path).unwrap());
    let (mut sink, resumed) = go_on(&run, &recorder, &out, true);
    let from = resumed.place.unwrap().position.unwrap().item as usize + 1;
    assert!(resumed.undone > 0 && from < AT, "{from}");
    for judged in &run.pairs[from..] {
        let ticket = sink.ledger().next_ticket;
        sink.accept(&decided(judged, ticket, true)).unwrap();
    }
    sink.finish(RunEnd::Complete).unwrap();
    drop(sink);
    assert_eq!(check_terms(&out), (run.pairs.len() - from) as u64);
}
