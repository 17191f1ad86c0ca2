//! Shards that go where there is no room: what is gone is in the journal, whatever fails and whenever
//! the power is cut, and all the rest is there.

mod age;
mod full;
mod power;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pairgate::journal::{self, Entry, Part, Salvage, segments};
use pairgate::sink::{RunEnd, Sink};
use pairgate_core::config::{OnFullDisk, StorageConfig};

use super::{Run, accept, is_of, records, samples, shards};
use crate::disk::quick::{QuickFiles, scratch};

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
    check_told_but(folder, run, false);
}

/// The same, where a sample may have holes.
fn check_told_but(folder: &Path, run: &Run, may_have_holes: bool) {
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
        let Some(judged) = run.pairs.iter().find(|judged| is_of(sample, judged)) else {
            assert!(may_have_holes, "{stored:?} is not whole");
            continue;
        };
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
        let levels = sink.levels();
        assert_eq!((levels.dropped_pairs(), levels.dropped_shards()), (told.pairs, told.shards));
        assert_eq!(levels.bytes(), bytes_of_shards(folder.path()));
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
