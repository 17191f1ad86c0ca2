//! Between the gate and an output folder that is away: each decision reaches the folder once, whatever is
//! cut, fails or is away.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use pairgate::disk::{Disk, FileSystem, IoError};
use pairgate::journal::{Header, ModelName, Reader, Terms};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::tar::TarSource;
use pairgate::source::{Member, Sample, Source};
use pairgate::spool::outbox::{Forwarder, Outbox, OutboxSink, Step};
use pairgate::spool::{SpoolOptions, SyncPolicy};
use pairgate::store::{Resumed, StoreOptions, StoreSink};
use pairgate_core::config::{SampleLimits, StorageConfig};
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Position, Size};
use sha2::{Digest as _, Sha256};

use super::{interval, options};
use crate::disk::clock::TestClock;
use crate::disk::injector::{Injector, Plan};
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

const PAIRS: u64 = 30;
/// The pair before which other terms decide.
const AT: u64 = 13;

fn sample(number: u64) -> Sample {
    let member = |extension: &str, data: Vec<u8>| Member { extension: extension.into(), data };
    let image = vec![number as u8 | 1; 60 + (number as usize * 53) % 300];
    let members = vec![member("jpg", image), member("txt", format!("pair {number}").into_bytes())];
    Sample { shard: "camera".into(), key: format!("k{number}"), members, fault: None }
}

/// One in four is rejected, and its image says by which terms.
fn judged(number: u64, ticket: u64) -> Judged {
    let sample = sample(number);
    let (verdict, reason) = match number % 4 {
        3 => (Verdict::Rejected, Reason::LowSimilarity),
        _ => (Verdict::Kept, Reason::Passed),
    };
    let content = Digest(Sha256::digest(sample.image().unwrap()).into());
    let uid = sample.uid(&sample.metadata(), content);
    let size = Size::new(1 + u32::from(number >= AT), 1);
    let decision = Decision { verdict, reason, facts: Facts { content, size, ..Facts::default() } };
    Judged {
        position: Position { input: 0, item: number },
        ..Judged::new(ticket, sample, uid, decision)
    }
}

fn terms(is_new: bool) -> Terms {
    let digest = Digest([1 + u8::from(is_new); 32]);
    let model = ModelName { name: "a model".into(), digest };
    Terms::new(model, Digest([2; 32]), Vec::new(), Some(0.2), None)
}

fn store_options(is_new: bool) -> StoreOptions {
    let config = StorageConfig { shard_pairs: 5, sync_pairs: 3, ..StorageConfig::default() };
    let header = Header::new(terms(is_new), vec!["camera".into()]);
    StoreOptions { endless: true, new_decisions: true, ..StoreOptions::new(config, header) }
}

fn open(
    disk: &Disk,
    around: &Path,
    spool: SpoolOptions,
    is_new: bool,
) -> Result<(Outbox, OutboxSink, Forwarder, Resumed), IoError> {
    let (folder, output) = (around.join("spool"), around.join("out"));
    let observers = Box::new(|| None);
    Outbox::open(disk, &folder, spool, &output, store_options(is_new), observers)
}

/// The number of the pair that its source gives next.
fn next_number(resumed: &Resumed) -> u64 {
    resumed.place.as_ref().map_or(0, |place| place.position.unwrap().item + 1)
}

/// Decides all pairs that were not, and brings them to the output by turns; `mark` hears how many
/// decisions are durable. An output that fails is tried again.
fn run(
    files: &(impl FileSystem + Clone + 'static),
    around: &Path,
    sync: SyncPolicy,
    mut mark: impl FnMut(u64),
) -> Result<(), IoError> {
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(files.clone()), Arc::new(clock.clone()));
    let (_, sink, forwarder, resumed) = open(&disk, around, options(sync), false)?;
    let first = next_number(&resumed);
    drop((sink, forwarder));
    let (_, mut sink, mut forwarder, resumed) = open(&disk, around, options(sync), first > AT)?;
    let next = resumed.next_ticket + PAIRS - first;
    for (ticket, number) in (resumed.next_ticket..next).zip(first..PAIRS) {
        if number == AT {
            sink.epoch(&terms(true), ticket)?;
        }
        sink.accept(&judged(number, ticket))?;
        clock.advance(Duration::from_millis(60));
        sink.idle()?;
        mark(sink.durable().unwrap());
        // What brings pairs is now ahead, now behind.
        for _ in 0..(number * 7 % 4) {
            let _ = forwarder.step();
        }
    }
    sink.sync()?;
    mark(sink.durable().unwrap());
    bring_all(&mut forwarder)?;
    sink.finish(RunEnd::Complete)
}

/// Brings what waits; the second error in a row is one.
fn bring_all(forwarder: &mut Forwarder) -> Result<(), IoError> {
    let mut failed = 0;
    loop {
        let step = forwarder.step().and_then(|step| match step {
            Step::Idle => forwarder.sync().map(|()| step),
            Step::Brought => Ok(step),
        });
        match step {
            Ok(Step::Idle) => return forwarder.finish(),
            Ok(Step::Brought) => failed = 0,
            Err(_) if failed < 1 => failed += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Goes on with healthy files to the end: every pair is in the output, once, decided by whom it was.
/// `durable` decisions were promised.
fn check(around: &Path, durable: u64, is_whole: bool) {
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let (_, sink, forwarder, resumed) =
        open(&disk, around, options(SyncPolicy::Always), true).unwrap();
    assert!(resumed.next_ticket >= durable, "{} of {durable} are left", resumed.next_ticket);
    drop((sink, forwarder));
    run(&QuickFiles, around, SyncPolicy::Always, |_| ()).unwrap();
    check_output(&around.join("out"), is_whole);
    assert!(frames(around) <= 1, "frames are left that the output has");
}

/// Every pair has one record, by the terms that decided it, and one sample if it was kept.
fn check_output(out: &Path, is_whole: bool) {
    let mut recorded = BTreeMap::<u64, u64>::new();
    let mut reader = Reader::open(out).unwrap();
    while let Some(record) = reader.next() {
        let record = record.unwrap();
        *recorded.entry(record.position.item).or_default() += 1;
        if record.recovered {
            continue;
        }
        let is_new = record.facts.size == Size::new(2, 1);
        assert_eq!(reader.terms(), &terms(is_new), "{} has another's terms", record.key);
        let bytes = sample(record.position.item).image().unwrap().len() as u64;
        assert_eq!((record.image_bytes, record.spooled.is_some()), (bytes, true));
    }
    if is_whole {
        assert!(recorded.keys().copied().eq(0..PAIRS), "decided: {recorded:?}");
        assert!(recorded.values().all(|count| *count == 1), "decided: {recorded:?}");
    }
    let stored = stored(out);
    assert!(stored.keys().copied().eq((0..PAIRS).filter(|number| number % 4 != 3)), "{stored:?}");
    assert!(stored.values().all(|count| *count == 1), "stored: {stored:?}");
}

/// How often each pair is stored.
fn stored(out: &Path) -> BTreeMap<u64, u64> {
    let mut stored = BTreeMap::new();
    for entry in fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "tar") {
            continue;
        }
        let mut shard = TarSource::open(&path, SampleLimits::default()).unwrap();
        while let Some(found) = shard.next().unwrap() {
            let number = found.key.trim_start_matches('k').parse().unwrap();
            assert_eq!(found.members, sample(number).members);
            *stored.entry(number).or_default() += 1;
        }
    }
    stored
}

/// Segments that are left.
fn frames(around: &Path) -> usize {
    super::segments(&around.join("spool/decided")).len()
}

fn cut_everywhere(sync: SyncPolicy, seed: u64) {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    run(&recorder, around.path(), sync, |durable| recorder.mark(durable)).unwrap();
    check_output(&around.path().join("out"), true);
    let log = recorder.log();
    let mut random = Random::seeded(seed);
    for (number, point) in log.points().enumerate() {
        for kind in [KINDS[number % KINDS.len()], Kind::Lost] {
            let state = State::make(&log, point, kind, &mut random);
            let cut = scratch();
            state.write_to(cut.path());
            let told = Told(&state);
            // Where sectors are lost between others a sample may be recovered with what it says of itself.
            check(cut.path(), state.mark.unwrap_or(0), kind != Kind::Reordered);
            drop(told);
        }
    }
}

#[test]
fn a_power_cut_anywhere_loses_and_doubles_nothing() {
    cut_everywhere(SyncPolicy::Always, 11);
}

#[test]
fn the_same_where_decisions_are_synced_together() {
    cut_everywhere(interval(), 12);
}

/// A call of the spool, of the history or of the output fails, and perhaps all behind it.
#[test]
fn a_failed_call_anywhere_loses_and_doubles_nothing() {
    let around = scratch();
    let clean = Injector::idle(Arc::new(QuickFiles));
    run(&clean, around.path(), interval(), |_| ()).unwrap();
    for plan in Plan::all(&clean.steps()).into_iter().step_by(3) {
        let around = scratch();
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let mut durable = 0;
        let told = Telling(format!("{plan:?}"));
        let _ = run(&injector, around.path(), interval(), |number| durable = number);
        check(around.path(), durable, true);
        drop(told);
    }
}

/// While the output is away decisions are durable all the same, also through a restart.
#[test]
fn an_output_that_is_away_is_waited_for() {
    let around = scratch();
    let out = around.path().join("out");
    // A file has its name.
    fs::write(&out, b"").unwrap();
    let mut durable = 0;
    let away = run(&QuickFiles, around.path(), SyncPolicy::Always, |number| durable = number);
    assert!(away.is_err() && durable == PAIRS);
    fs::remove_file(&out).unwrap();
    check(around.path(), PAIRS, true);
}

/// A folder that had pairs and is empty now may be where a disk is not mounted: nothing is written there.
#[test]
fn an_output_that_was_reached_is_not_made_anew() {
    let around = scratch();
    run(&QuickFiles, around.path(), SyncPolicy::Always, |_| ()).unwrap();
    let (out, elsewhere) = (around.path().join("out"), around.path().join("elsewhere"));
    fs::rename(&out, &elsewhere).unwrap();
    fs::create_dir(&out).unwrap();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let (_, mut sink, mut forwarder, resumed) =
        open(&disk, around.path(), options(SyncPolicy::Always), true).unwrap();
    sink.accept(&judged(PAIRS, resumed.next_ticket)).unwrap();
    let error = forwarder.step().unwrap_err();
    assert!(error.to_string().contains("is its disk mounted?"), "{error}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    fs::remove_dir(&out).unwrap();
    fs::rename(&elsewhere, &out).unwrap();
    bring_all(&mut forwarder).unwrap();
    assert_eq!(stored(&out)[&PAIRS], 1);
}

/// Files that were removed can be written all the same: such pairs are not taken for brought.
#[cfg(unix)]
#[test]
fn an_output_that_is_removed_while_it_is_open_costs_nothing() {
    let around = scratch();
    let out = around.path().join("out");
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let (outbox, mut sink, mut forwarder, _) =
        open(&disk, around.path(), options(SyncPolicy::Always), false).unwrap();
    sink.accept(&judged(0, 0)).unwrap();
    assert_eq!(forwarder.step().unwrap(), Step::Brought);
    fs::remove_dir_all(&out).unwrap();
    assert!(forwarder.sync().is_err());
    assert_eq!(outbox.level().pairs, 1);
    // Nothing of it was called brought: it is begun anew.
    bring_all(&mut forwarder).unwrap();
    assert_eq!(stored(&out), BTreeMap::from([(0, 1)]));
}

/// Another run wrote to the output in between: tickets there are others, and each pair is there once.
#[test]
fn another_run_may_write_to_the_output_in_between() {
    let around = scratch();
    let out = around.path().join("out");
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let (mut other, _) = StoreSink::go_on(&disk, &out, store_options(false)).unwrap();
    (0..3).for_each(|ticket| other.accept(&judged(100 + ticket, ticket)).unwrap());
    other.finish(RunEnd::Complete).unwrap();
    drop(other);
    run(&QuickFiles, around.path(), SyncPolicy::Always, |_| ()).unwrap();
    let numbers: Vec<_> =
        Reader::open(&out).unwrap().map(|record| record.unwrap().position.item).collect();
    assert_eq!(numbers, [100, 101, 102].into_iter().chain(0..PAIRS).collect::<Vec<_>>());
}

/// A source that gives pairs without end.
struct Endless(u64);

impl Source for Endless {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        self.0 += 1;
        Ok(Some(sample(self.0 - 1)))
    }
}

/// Pairs are let in while their decisions find room; then they wait, until the output has taken some.
#[test]
fn a_full_spool_lets_nothing_in() {
    let around = scratch();
    let clock = TestClock::stepping(Duration::from_millis(30));
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock));
    let spool = SpoolOptions { max_bytes: 100 << 10, ..options(SyncPolicy::Always) };
    let (outbox, mut sink, mut forwarder, _) = open(&disk, around.path(), spool, false).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (give, given) = crossbeam_channel::bounded(0);
    let mut source = outbox.admit(Box::new(Endless(0)), stop.clone());
    let reader = std::thread::spawn(move || {
        while let Some(sample) = source.next().unwrap() {
            if give.send(sample).is_err() {
                return;
            }
        }
    });
    let (mut ticket, begin) = (0, Instant::now());
    while !outbox.level().is_full {
        assert!(begin.elapsed() < Duration::from_secs(30), "it is never full");
        if given.recv_timeout(Duration::from_millis(50)).is_ok() {
            sink.accept(&judged(ticket, ticket)).unwrap();
            ticket += 1;
        }
    }
    assert!(outbox.level().bytes <= 100 << 10 && ticket > 20);
    while forwarder.step().unwrap() == Step::Brought {}
    forwarder.sync().unwrap();
    while given.recv_timeout(Duration::from_millis(50)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing is let in any more");
        sink.idle().unwrap();
    }
    drop(given);
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    reader.join().unwrap();
}

/// On threads of its own, as a command has it: what waits at the end is brought in the time that is given.
#[test]
fn what_waits_at_the_end_is_brought_by_then() {
    let around = scratch();
    let disk = Disk::system();
    let (outbox, sink, forwarder, _) =
        open(&disk, around.path(), options(SyncPolicy::Always), false).unwrap();
    let (drain, stop) = (Duration::from_secs(60), Arc::new(AtomicBool::new(false)));
    let mut sink = sink.forwarded_by(forwarder, drain, stop).unwrap();
    for number in 0..PAIRS {
        if number == AT {
            sink.epoch(&terms(true), number).unwrap();
        }
        sink.accept(&judged(number, number)).unwrap();
    }
    sink.finish(RunEnd::Complete).unwrap();
    check_output(&around.path().join("out"), true);
    assert_eq!(outbox.level().pairs, 0);
}

/// Names a plan if the test fails while it is there.
struct Telling(String);

impl Drop for Telling {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed: {}", self.0);
        }
    }
}
