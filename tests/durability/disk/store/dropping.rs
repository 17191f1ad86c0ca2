//! Shards that go where there is no room: what is gone is in the journal, whatever fails and whenever
//! the power is cut, and all the rest is there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pairgate::disk::{Disk, FileSystem, IoError};
use pairgate::journal::{self, Entry, Part, Salvage, segments};
use pairgate::sink::{RunEnd, Sink};
use pairgate::store::StoreSink;
use pairgate_core::config::{OnFullDisk, StorageConfig};

use super::{Run, Shards, accept, is_damaged, is_long, is_of, records, samples, shards};
use crate::disk::clock::TestClock;
use crate::disk::full::SmallDisk;
use crate::disk::injector::{Fault, Injector, Plan};
use crate::disk::log::Log;
use crate::disk::power_cut::{KINDS, Kind, State, Told};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

const BOUND: u64 = 30_000;

/// A run that passes its bound many times.
fn bounded(pairs: usize, drop_journal: bool) -> Run {
    let mut run = Run::of(pairs);
    let on_full = OnFullDisk::DropOldest;
    run.config = StorageConfig { max_bytes: BOUND, on_full, drop_journal, ..run.config };
    run
}

fn bytes_of_shards(folder: &Path) -> u64 {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let tars = names.filter(|entry| entry.file_name().to_str().unwrap().contains(".tar"));
    tars.map(|entry| entry.metadata().unwrap().len()).sum()
}

/// Samples by the shards that the journal says are gone.
fn gone(folder: &Path) -> BTreeMap<u32, u64> {
    let mut gone = BTreeMap::new();
    for part in journal::parts(folder).unwrap() {
        let mut salvage = Salvage::open(&part).unwrap();
        while let Some(part) = salvage.next_part().unwrap() {
            if let Part::Whole(Entry::Dropped(dropped)) = part {
                let twice = gone.insert(dropped.shard, dropped.samples);
                assert!(twice.is_none(), "{dropped:?} twice");
            }
        }
    }
    gone
}

/// Each stored pair is in its shard, or its shard is gone and the journal says so; nothing else is there.
fn check_told(folder: &Path, run: &Run) {
    let (samples, records, gone) = (samples(&shards(folder)), records(folder), gone(folder));
    let mut lost: BTreeMap<u32, u64> = BTreeMap::new();
    let mut there = 0;
    let first = records.first().map_or(0, |record| record.ticket);
    for (number, record) in (first..).zip(&records) {
        assert_eq!(record.ticket, number, "tickets have no gap");
        let Some(stored) = &record.stored else { continue };
        let sample = samples.get(&(stored.shard, stored.key.clone()));
        let Some(sample) = sample else {
            *lost.entry(stored.shard).or_default() += 1;
            continue;
        };
        there += 1;
        let judged = run.pairs.iter().find(|judged| is_of(sample, judged)).unwrap();
        assert_eq!(judged.uid, record.uid);
        assert!(record.recovered || judged.position == record.position);
    }
    assert_eq!(there, samples.len(), "a sample without a record");
    for (shard, count) in &lost {
        // Of a shard that began in a segment that is gone some records are gone too.
        let told = gone.get(shard).unwrap_or_else(|| panic!("{shard} is gone, and nobody says so"));
        assert!(told == count || (first > 0 && told > count), "{shard}: {told} of {count}");
    }
    let unseen = gone.keys().filter(|shard| !lost.contains_key(shard));
    assert!(first > 0 || unseen.count() == 0, "{gone:?} {lost:?}");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".dropped"), "{name} is left");
        let number = name.get(..5).and_then(|number| number.parse::<u32>().ok());
        let is_gone = number.is_some_and(|number| gone.contains_key(&number));
        assert!(!is_gone, "{name} lies beside a shard that is gone");
    }
}

/// Runs to the end in a folder `out` on these files, and notes after every pair what is durable.
fn recorded(run: &Run, recorder: &Recorder, files: &dyn Fn() -> Arc<dyn FileSystem>) {
    let disk = Disk::new(files(), Arc::new(TestClock::still()));
    let around = recorder.folder().to_owned();
    let (mut sink, _) = run.go_on(&disk, &around.join("out")).unwrap();
    accept(&mut sink, &run.pairs, |sink| recorder.mark(sink.durable().unwrap())).unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    recorder.mark(sink.durable().unwrap());
}

fn log_of(run: &Run) -> Log {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    recorded(run, &recorder, &|| Arc::new(recorder.clone()));
    recorder.log()
}

/// Goes on where the power was cut, and looks at all.
fn check_cut(around: &Path, state: &State, run: &Run, unbroken: Option<&Shards>) {
    let folder = around.join("out");
    let durable = state.mark.unwrap_or(0);
    let resumed = run.complete(&folder, run.pairs.len());
    assert!(resumed.next_ticket >= durable, "{} of {durable}", resumed.next_ticket);
    let damaged = is_damaged(&folder);
    assert!(!damaged || state.kind == Kind::Reordered, "{:?}", resumed.damaged);
    if damaged || !folder.is_dir() {
        return;
    }
    check_told(&folder, run);
    if let Some(unbroken) = unbroken {
        let found = shards(&folder);
        assert!(found == *unbroken, "{:?} {:?}", found.keys(), unbroken.keys());
    }
}

fn cut(log: &Log, run: &Run, unbroken: Option<&Shards>, seed: u64) {
    let mut random = Random::seeded(seed);
    for (number, point) in log.points().enumerate() {
        let one = (number + number / KINDS.len()) % KINDS.len();
        for kind in if is_long() { &KINDS[..] } else { &KINDS[one..=one] } {
            let state = State::make(log, point, *kind, &mut random);
            let around = scratch();
            state.write_to(around.path());
            let told = Told(&state);
            check_cut(around.path(), &state, run, unbroken);
            drop(told);
        }
    }
}

#[test]
fn the_oldest_shards_go_and_the_bound_is_never_passed() {
    for drop_journal in [false, true] {
        let run = bounded(200, drop_journal);
        let folder = scratch();
        let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
        let mut most = 0;
        accept(&mut sink, &run.pairs, |_| most = most.max(bytes_of_shards(folder.path()))).unwrap();
        sink.finish(RunEnd::Complete).unwrap();
        assert!(most <= BOUND && most > BOUND / 2, "{most}");
        assert!(bytes_of_shards(folder.path()) <= BOUND);
        let (dropped, told) = (sink.dropped(), sink.ledger().gone);
        assert!(told.shards > 10 && told.pairs == dropped, "{told:?} {dropped}");
        let numbers: Vec<_> = shards(folder.path()).into_keys().collect();
        assert_eq!(
            numbers[0],
            format!("{:05}.tar", told.below),
            "those that are left are the newest"
        );
        check_told(folder.path(), &run);
        let first = segments(&folder.path().join(journal::FOLDER)).unwrap().remove(0);
        assert!(records(folder.path()).len() < run.pairs.len() || !drop_journal);
        let is_first = first.file_name().unwrap() == "00000000.pairgate";
        assert_eq!(is_first, !drop_journal, "{}", first.display());
        if !drop_journal {
            let stored = records(folder.path()).iter().filter(|r| r.stored.is_some()).count();
            let left = samples(&shards(folder.path())).len();
            assert_eq!(stored as u64, left as u64 + dropped);
        }
    }
}

/// A run that goes on knows of what went before, from the last checkpoint, or from those before it.
#[test]
fn what_is_gone_is_known_to_a_restart() {
    let run = bounded(200, true);
    for breaks_checkpoint in [false, true] {
        let folder = scratch();
        let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
        accept(&mut sink, &run.pairs[..150], |_| ()).unwrap();
        sink.finish(RunEnd::Interrupted).unwrap();
        let before = sink.ledger().clone();
        drop(sink);
        if breaks_checkpoint {
            let last = segments(&folder.path().join(journal::FOLDER)).unwrap().pop().unwrap();
            fs::write(last.with_extension("checkpoint"), "damaged").unwrap();
        }
        let (sink, resumed) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
        assert_eq!(*sink.ledger(), before);
        assert_eq!((resumed.undone, resumed.next_ticket), (0, 150));
        drop(sink);
        run.complete(folder.path(), 0);
        check_told(folder.path(), &run);
        assert!(shards(folder.path()) == run.unbroken());
    }
}

#[test]
fn the_power_may_be_cut_while_shards_go() {
    for (drop_journal, seed) in [(false, 11), (true, 12)] {
        let run = bounded(70, drop_journal);
        cut(&log_of(&run), &run, Some(&run.unbroken()), seed);
    }
}

/// A camera gives no pair again: what is left has records, what is gone is told of.
#[test]
fn the_same_for_a_camera() {
    let run = bounded(60, true).by_camera();
    cut(&log_of(&run), &run, None, 13);
}

/// The disk itself is full, many times; and the power is cut then.
#[test]
fn a_full_disk_makes_room_and_the_run_goes_on() {
    let mut run = bounded(110, true);
    run.config.max_bytes = 0;
    let around = scratch();
    let disk = |quick| SmallDisk::new(quick, around.path(), 45_000);
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let small = disk(Arc::new(recorder.clone()));
    recorded(&run, &recorder, &|| Arc::new(small.clone()));
    let folder = around.path().join("out");
    check_told(&folder, &run);
    assert!(shards(&folder).len() > 1 && !gone(&folder).is_empty());
    assert!(small.free() < 20_000, "{}", small.free());
    cut(&recorder.log(), &run, None, 14);
}

/// A call fails, every call in turn: what was durable is there or told of, also where that was on the way
/// out.
#[test]
fn a_failed_call_loses_no_shard_that_nobody_tells_of() {
    let run = bounded(60, true);
    let clean = Injector::idle(Arc::new(QuickFiles));
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(clean.clone()));
    recorded(&run, &recorder, &|| Arc::new(recorder.clone()));
    let (unbroken, mut random) = (run.unbroken(), Random::seeded(15));
    let every = if is_long() { 1 } else { 5 };
    for (number, plan) in Plan::all(&clean.steps()).into_iter().enumerate().step_by(every) {
        let around = scratch();
        let injector = Injector::new(Arc::new(QuickFiles), plan);
        let recorder = Recorder::with(around.path(), Arc::new(injector.clone()));
        let out = around.path().join("out");
        let mut durable = 0;
        if let Ok((mut sink, _)) = run.go_on(&Run::disk(&recorder), &out) {
            let ended =
                accept(&mut sink, &run.pairs, |sink| recorder.mark(sink.durable().unwrap()));
            let end = if ended.is_err() { RunEnd::Failed } else { RunEnd::Complete };
            let _ = sink.finish(end);
            durable = sink.durable().unwrap();
            recorder.mark(durable);
        }
        let log = recorder.log();
        let kind = KINDS[number / every % KINDS.len()];
        let state = State::make(&log, log.calls.len(), kind, &mut random);
        let cut = scratch();
        state.write_to(cut.path());
        let failed = injector.failed().map_or(String::new(), |step| step.to_string());
        let told = (Told(&state), Telling(format!("{plan:?}: {failed}")));
        // A disk that says that it is full makes room once more.
        let is_full = matches!(plan.fault, Fault::Full | Fault::Short);
        check_cut(cut.path(), &state, &run, (!is_full).then_some(&unbroken));
        let resumed = run.complete(&out, 0);
        assert!(resumed.next_ticket >= durable);
        check_told(&out, &run);
        let found = shards(&out);
        assert!(found.iter().all(|(name, bytes)| unbroken.get(name) == Some(bytes)));
        let names = (found.keys(), unbroken.keys());
        let is_as_many = found.len() == unbroken.len();
        assert!(is_as_many || (is_full && found.len() + 2 >= unbroken.len()), "{names:?}");
        drop(told);
    }
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

/// What a run of so many pairs leaves that is killed, and then others take all that is free.
fn left_on_a_full_disk(run: &Run, pairs: usize, around: &Path) -> SmallDisk {
    let small = SmallDisk::new(Arc::new(QuickFiles), around, 1 << 20);
    let (mut sink, _) = run.go_on(&Run::disk(&small), &around.join("out")).unwrap();
    accept(&mut sink, &run.pairs[..pairs], |_| ()).unwrap();
    drop(sink);
    small.fill(small.free());
    assert_eq!(small.free(), 0);
    small
}

#[test]
fn a_restart_on_a_full_disk_makes_room_first() {
    for pairs in 20..35 {
        let mut run = bounded(60, false);
        run.config.max_bytes = 0;
        let around = scratch();
        let small = left_on_a_full_disk(&run, pairs, around.path());
        let out = around.path().join("out");
        let (mut sink, resumed) = run.go_on(&Run::disk(&small), &out).unwrap();
        accept(&mut sink, run.rest(&resumed, 0), |_| ()).unwrap();
        sink.finish(RunEnd::Complete).unwrap();
        assert!(sink.dropped() > 0);
        check_told(&out, &run);
    }
}

/// Where nothing may go the run says what helps, and goes on when that was done.
#[test]
fn a_full_disk_without_shards_to_go_is_an_error_that_says_what_helps() {
    for (on_full, advice) in [
        (OnFullDisk::Stop, "storage.on_full = \"drop_oldest\""),
        (OnFullDisk::DropOldest, "no finished shard is left"),
    ] {
        let mut run = Run::of(30);
        run.config = StorageConfig { on_full, ..run.config };
        let around = scratch();
        let small = left_on_a_full_disk(&run, 4, around.path());
        let out = around.path().join("out");
        let begun = run.go_on(&Run::disk(&small), &out);
        let error = begun.and_then(|(mut sink, resumed)| {
            accept(&mut sink, run.rest(&resumed, 0), |_| ())?;
            sink.finish(RunEnd::Complete)
        });
        let error = error.unwrap_err();
        let IoError::Write { why, .. } = &error else { panic!("{error}") };
        assert_eq!(why.kind(), io::ErrorKind::StorageFull, "{error}");
        assert!(error.to_string().contains(advice), "{error}");
        small.fill(0);
        run.complete(&out, 0);
        assert!(shards(&out) == run.unbroken());
    }
}

/// So many bytes stay free for others, who take more and more of the disk.
#[test]
fn what_is_to_stay_free_stays_free() {
    let mut run = bounded(200, false);
    run.config = StorageConfig { max_bytes: 0, min_free: 60_000, ..run.config };
    let around = scratch();
    let small = SmallDisk::new(Arc::new(QuickFiles), around.path(), 200_000);
    let out = around.path().join("out");
    let (mut sink, _) = run.go_on(&Run::disk(&small), &out).unwrap();
    for (number, judged) in run.pairs.iter().enumerate() {
        accept(&mut sink, std::slice::from_ref(judged), |_| ()).unwrap();
        small.fill(number as u64 * 200);
        // Looked at whenever nothing comes.
        sink.idle().unwrap();
        // What the journal and the open shard still buffer is not seen, nor what lies beside a shard.
        assert!(small.free() >= 45_000, "{number}: {}", small.free());
    }
    assert!(sink.dropped() > 0);
    sink.finish(RunEnd::Complete).unwrap();
    check_told(&out, &run);
    drop(sink);
    small.fill(200_000);
    let begun = run.go_on(&Run::disk(&small), &out);
    let error = begun.and_then(|(mut sink, _)| accept(&mut sink, &run.pairs[..1], |_| ()));
    assert!(error.unwrap_err().to_string().contains("no finished shard is left"));
}

/// Shards go at their age and no earlier, whatever is done to the clock; a run that goes on counts from
/// what the statistics tell.
#[test]
fn shards_go_when_they_are_old_enough_and_not_before() {
    let hour = Duration::from_secs(3600);
    let mut run = Run::of(60);
    run.config = StorageConfig { keep_days: 2, ..run.config };
    for jump in [-1i32, 0, 1] {
        let folder = scratch();
        let clock = TestClock::still();
        let start = UNIX_EPOCH + TestClock::START;
        let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
        let set = |since: Duration, off: i32| {
            let now = start + since;
            clock.jump(if off < 0 { now - hour } else { now + hour * off as u32 });
        };
        let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
        accept(&mut sink, &run.pairs[..20], |_| ()).unwrap();
        let count = shards(folder.path()).len();
        assert!(count >= 1);
        let look = |sink: &mut StoreSink, left: usize, what: &str| {
            sink.idle().unwrap();
            assert_eq!(shards(folder.path()).len(), left, "{what}, {jump}");
        };
        clock.advance(24 * hour);
        set(24 * hour, jump);
        look(&mut sink, count, "a day");
        drop(sink);
        // The next run begins while the clock is right, and it jumps then.
        set(24 * hour, 0);
        let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
        look(&mut sink, count, "a restart");
        clock.advance(23 * hour);
        set(47 * hour, jump);
        look(&mut sink, count, "47 hours");
        clock.advance(hour / 2);
        look(&mut sink, count, "half an hour before it is time");
        set(47 * hour + hour / 2, 0);
        clock.advance(hour);
        look(&mut sink, 0, "two days");
        assert!(sink.dropped() > 0);
        drop(sink);
        check_told_of_age(folder.path(), count);
    }
}

fn check_told_of_age(folder: &Path, count: usize) {
    assert_eq!(gone(folder).len(), count);
}

/// A shard of this run has its age by the clock that never jumps, however wrong the day is.
#[test]
fn a_clock_that_is_years_off_removes_nothing_early() {
    let mut run = Run::of(30);
    run.config = StorageConfig { keep_days: 1, ..run.config };
    let folder = scratch();
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
    clock.jump(UNIX_EPOCH);
    let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
    accept(&mut sink, &run.pairs, |_| ()).unwrap();
    let count = shards(folder.path()).len();
    assert!(count > 1);
    clock.jump(UNIX_EPOCH + TestClock::START);
    sink.idle().unwrap();
    assert_eq!(shards(folder.path()).len(), count);
    clock.advance(Duration::from_secs(24 * 3600));
    sink.idle().unwrap();
    assert_eq!(shards(folder.path()).len(), 0);
}

/// Nothing is called durable behind a folder's removal.
#[test]
fn an_output_folder_that_is_removed_is_named_and_ends_the_run() {
    for sync_pairs in [1, 0] {
        let mut run = Run::of(60);
        run.config = StorageConfig { sync_pairs, ..run.config };
        let around = scratch();
        let out = around.path().join("out");
        let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), &out).unwrap();
        accept(&mut sink, &run.pairs[..10], |_| ()).unwrap();
        let durable = sink.durable().unwrap();
        fs::remove_dir_all(&out).unwrap();
        let mut taken = durable;
        let error = accept(&mut sink, &run.pairs[10..], |sink| taken = sink.durable().unwrap());
        let error = error.unwrap_err();
        let IoError::Write { to, why } = &error else { panic!("{error}") };
        assert!(to.contains("out") && why.kind() == io::ErrorKind::NotFound, "{error}");
        assert_eq!(taken, durable, "nothing more was called durable");
    }
}

/// A checkpoint of a version that knew of no removals is read on.
#[test]
fn a_checkpoint_without_removals_is_read() {
    let run = Run::of(60);
    let folder = scratch();
    let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
    accept(&mut sink, &run.pairs[..50], |_| ()).unwrap();
    sink.finish(RunEnd::Interrupted).unwrap();
    let (counts, ticket) = (sink.ledger().counts, sink.ledger().next_ticket);
    drop(sink);
    for segment in segments(&folder.path().join(journal::FOLDER)).unwrap() {
        let path = segment.with_extension("checkpoint");
        let bytes = fs::read(&path).unwrap();
        let payload = &bytes[12..bytes.len() - 4];
        // How many were stored, and nothing gone: three zeros.
        let earlier = payload.strip_suffix(&[0, 0, 0]).unwrap();
        let earlier = &earlier[..earlier.len() - 1];
        let mut written = bytes[..8].to_vec();
        written.extend((earlier.len() as u32).to_le_bytes());
        written.extend(earlier);
        written.extend(pairgate_core::wire::CRC32C.checksum(earlier).to_le_bytes());
        fs::write(&path, written).unwrap();
    }
    let (sink, resumed) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
    assert_eq!((sink.ledger().counts, resumed.next_ticket), (counts, ticket));
    assert_eq!(resumed.decider, b"state");
    drop(sink);
    run.complete(folder.path(), 0);
    assert!(shards(folder.path()) == run.unbroken());
}

/// The entry's bytes: its code, the shard and its samples.
#[test]
fn the_entry_has_these_bytes() {
    let run = bounded(40, false);
    let folder = scratch();
    let (mut sink, _) = run.go_on(&Run::disk(&QuickFiles), folder.path()).unwrap();
    accept(&mut sink, &run.pairs, |_| ()).unwrap();
    drop(sink);
    let samples = gone(folder.path())[&0];
    let payload = [4, 0, u8::try_from(samples).unwrap()];
    let crc = pairgate_core::wire::CRC32C.checksum(&payload).to_le_bytes();
    let frame = [&[3, 0, 0, 0][..], &payload, &crc].concat();
    let parts = segments(&folder.path().join(journal::FOLDER)).unwrap();
    let holds = |part: &std::path::PathBuf| {
        fs::read(part).unwrap().windows(frame.len()).any(|window| window == frame)
    };
    assert!(parts.iter().any(holds));
}
