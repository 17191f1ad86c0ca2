//! Recorded embeddings on a disk that fails, or whose power is cut: a published shard has those of its
//! samples beside it, in their order, and the journal's pairs have theirs.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::embeddings::arrays::{Pairs, Plain};
use pairgate::embeddings::{Covers, Names};
use pairgate::recorded::{ReadAs, RecordedRun};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::Source;
use pairgate::source::tar::TarSource;
use pairgate::store::{StoreOptions, StoreSink};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::faults::fail_everywhere;
use super::power::{cut, recorded};
use super::{Run, accept, header, is_long, pair, recording, shards};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::tree::Tree;

fn run_of(pairs: usize, covers: Covers) -> Run {
    Run { records: Some(covers), ..Run::of(pairs) }
}

/// The pair that a sample of a shard is, of those of the run.
fn pair_of<'a>(sample: &pairgate::source::Sample, run: &'a Run) -> Option<&'a Judged> {
    run.pairs.iter().find(|judged| judged.sample.members == sample.members)
}

fn is_none(values: &[half::f16]) -> bool {
    values.iter().all(|value| value.is_nan())
}

/// Each shard that has its name has an `.npz` beside it, with a row for each of its samples, in their
/// order; a camera's pairs may have lost the values, never the row.
pub(super) fn check_published(folder: &Path, run: &Run) {
    if run.records != Some(Covers::Kept) {
        return;
    }
    for name in shards(folder).keys() {
        let path = folder.join(name);
        let npz = path.with_extension("npz");
        let mut pairs = Pairs::open(&npz, &Names::default()).unwrap();
        let mut uids = Plain::open(&npz, "uid", "|S32").unwrap().unwrap();
        let limits = SampleLimits { max_sample_bytes: u64::MAX, ..SampleLimits::default() };
        let mut samples = TarSource::open(&path, limits).unwrap();
        let mut count = 0;
        while let Some(sample) = samples.next().unwrap() {
            let (found, mut uid) = (pairs.next().unwrap(), [0; 32]);
            uids.read(&mut uid).unwrap();
            count += 1;
            // What damage has mixed is told elsewhere.
            let Some(judged) = pair_of(&sample, run) else { continue };
            assert_eq!(
                std::str::from_utf8(&uid).unwrap(),
                judged.uid.to_string(),
                "{name} {count}"
            );
            if !run.again && is_none(&found.image) {
                continue;
            }
            assert_eq!(Some(&found), judged.embeddings.as_deref(), "{name} {count}");
        }
        assert_eq!(count, pairs.len(), "{name}");
    }
}

/// Reads the folder as a recorded run: each pair has its own embeddings, where it has any.
fn check_read(folder: &Path, run: &Run) {
    let covers = run.records.unwrap();
    let mut rows = RecordedRun::open(&[folder.to_owned()], &ReadAs::default()).unwrap();
    assert_eq!((rows.rows(), rows.embeddings()), (Covers::All, Some(covers)));
    assert_eq!((rows.dimension(), rows.model()), (Some(3), Some(recording(covers).model)));
    for judged in &run.pairs {
        let row = rows.next().unwrap().unwrap();
        assert_eq!((row.uid, row.verdict), (judged.uid, Some(judged.decision.verdict)));
        let reason = (judged.decision.reason != Reason::Passed).then_some(judged.decision.reason);
        assert_eq!(row.reason, reason);
        let is_recorded = covers == Covers::All || row.reason.is_none();
        let wanted = judged.embeddings.as_deref().filter(|_| is_recorded);
        assert_eq!(row.embeddings.as_ref(), wanted, "{}", judged.ticket);
    }
    assert_eq!(rows.next().unwrap(), None);
}

#[test]
fn each_pair_has_its_own() {
    for covers in [Covers::Kept, Covers::All] {
        let (folder, run) = (scratch(), run_of(100, covers));
        run.complete(folder.path(), 0);
        check_published(folder.path(), &run);
        check_read(folder.path(), &run);
        let left = left_behind(folder.path());
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Files under their temporary names.
fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten();
    let files = list(folder).chain(list(&folder.join("embeddings")));
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "partial")).collect()
}

#[test]
fn a_power_cut_leaves_no_shard_without_its_embeddings() {
    let run = run_of(90, Covers::Kept);
    cut(&recorded(&run), &run, 11, if is_long() { 3 } else { 2 });
}

#[test]
fn a_power_cut_leaves_no_record_without_its_embeddings() {
    let run = run_of(90, Covers::All);
    cut(&recorded(&run), &run, 12, if is_long() { 3 } else { 2 });
}

#[test]
fn a_cameras_shards_have_a_row_for_each_sample() {
    for covers in [Covers::Kept, Covers::All] {
        let run = run_of(50, covers).by_camera();
        cut(&recorded(&run), &run, 13, 3);
    }
}

#[test]
fn a_failed_call_costs_no_row() {
    for covers in [Covers::Kept, Covers::All] {
        let mut run = run_of(24, covers);
        run.config.shard_pairs = 4;
        let every = if is_long() { 1 } else { 5 };
        fail_everywhere(&run, &Tree::default(), every, &run.unbroken(), 14);
    }
}

/// Rows that were brought to disk and are damaged since: pairs of which the source gives no more have none,
/// the others are embedded again.
#[test]
fn a_damaged_row_costs_itself_or_is_made_again() {
    for (covers, rows) in [
        (Covers::Kept, ".00000.embeddings.partial"),
        (Covers::All, "embeddings/.00000000.embeddings.partial"),
    ] {
        let (folder, mut run) = (scratch(), run_of(20, covers));
        run.config.shard_pairs = 100;
        run.segment_bytes = 1 << 20;
        let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
        accept(&mut sink, &run.pairs[..15], |_| ()).unwrap();
        sink.finish(RunEnd::Interrupted).unwrap();
        drop(sink);
        let path = folder.path().join(rows);
        let mut bytes = fs::read(&path).unwrap();
        bytes[24 + 3 * 40 + 30] ^= 4; // in the fourth row
        fs::write(&path, bytes).unwrap();
        let resumed = run.complete(folder.path(), 0);
        assert!(resumed.undone > 0, "{resumed:?}");
        check_published(folder.path(), &run);
        check_read(folder.path(), &run);
    }
}

#[test]
fn other_embeddings_are_refused() {
    let (folder, run) = (scratch(), run_of(20, Covers::Kept));
    let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
    accept(&mut sink, &run.pairs[..9], |_| ()).unwrap();
    sink.finish(RunEnd::Interrupted).unwrap();
    drop(sink);
    let plain = StoreOptions::new(run.config, header());
    let all = StoreOptions::new(run.config, header()).recording(recording(Covers::All));
    let disk = Run::disk(&QuickFiles);
    for (options, now) in [(plain, "now none"), (all, "now all")] {
        let error = StoreSink::go_on(&disk, folder.path(), options).unwrap_err().to_string();
        assert!(error.contains("recorded other embeddings (kept image,text 3"), "{error}");
        assert!(error.contains(now), "{error}");
    }
    let mut other = StoreOptions::new(run.config, header()).recording(recording(Covers::Kept));
    other.header.terms.models[0].digest.0[0] = 9;
    other.new_decisions = true;
    let error = StoreSink::go_on(&disk, folder.path(), other).unwrap_err().to_string();
    assert!(error.contains("another model"), "{error}");
    run.complete(folder.path(), 0);
    check_read(folder.path(), &run);
}

/// Shards that go to make room take their embeddings along.
#[test]
fn a_dropped_shard_takes_its_embeddings_along() {
    let (folder, mut run) = (scratch(), run_of(80, Covers::Kept));
    run.config.max_bytes = 60_000;
    run.config.on_full = pairgate_core::config::OnFullDisk::DropOldest;
    run.complete(folder.path(), 0);
    let stems = |ending: &str| -> Vec<String> {
        let files = super::named(folder.path(), ending).into_keys();
        files.map(|name| name.split('.').next().unwrap().to_owned()).collect()
    };
    assert!(stems("tar")[0] != "00000", "nothing was dropped");
    assert_eq!(stems("npz"), stems("tar"));
    // Pairs that are gone have none; the others have theirs.
    let mut rows = RecordedRun::open(&[folder.path().to_owned()], &ReadAs::default()).unwrap();
    let mut there = 0;
    while let Some(row) = rows.next().unwrap() {
        there += usize::from(row.embeddings.is_some());
    }
    assert!(there > 5 && there < run.pairs.len() / 2, "{there}");
}

/// An earlier run's embeddings are its files: they go where it is begun anew.
#[test]
fn they_go_where_a_run_is_begun_anew() {
    for covers in [Covers::Kept, Covers::All] {
        let (folder, run) = (scratch(), run_of(30, covers));
        run.complete(folder.path(), 0);
        pairgate::store::OutputFolder::prepare(folder.path(), true).unwrap();
        let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name != ".pairgate.lock").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Pairs that nobody embeds again have what an earlier pass recorded, by their tickets.
#[test]
fn a_second_pass_finds_the_embeddings_of_the_first() {
    let (first, second) = (scratch(), scratch());
    let run = run_of(60, Covers::All);
    run.complete(first.path(), 0);
    let mut options = StoreOptions::new(run.config, header()).recording(recording(Covers::Kept));
    options.recorded = Some(pairgate::embeddings::ByTicket::open(first.path()).unwrap());
    let (mut sink, _) = StoreSink::go_on(&Run::disk(&QuickFiles), second.path(), options).unwrap();
    let plain: Vec<_> = (0..60).map(|number| Judged { embeddings: None, ..pair(number) }).collect();
    accept(&mut sink, &plain, |_| ()).unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    check_published(second.path(), &run_of(60, Covers::Kept));
}
