//! An output folder on a disk that fails, or whose power is cut: what was called durable is there,
//! and the run that goes on comes to what an unbroken one comes to.

mod dropping;
#[cfg(feature = "parquet")]
mod embeddings;
mod epoch;
mod faults;
mod flips;
mod one_to_one;
mod order;
mod power;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pairgate::disk::IoError;
use pairgate::disk::{Disk, FileSystem};
use pairgate::embeddings::{Covers, Names, Recording};
use pairgate::journal::{Header, ModelName, Reader, Record, Terms};
use pairgate::score::PairEmbeddings;
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample};
use pairgate::store::{Resumed, StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Position};
use sha2::{Digest as _, Sha256};

use super::clock::TestClock;
use super::quick::{QuickFiles, scratch};

/// Whether all points, calls and ways are wanted: minutes.
fn is_long() -> bool {
    std::env::var_os("PAIRGATE_LONG_TESTS").is_some()
}

/// Shards by their names.
pub type Shards = BTreeMap<String, Vec<u8>>;

/// A run: what it is written with, and its pairs.
struct Run {
    config: StorageConfig,
    segment_bytes: u64,
    /// Whether the source gives pairs again.
    again: bool,
    /// Which embeddings are recorded.
    records: Option<Covers>,
    pairs: Vec<Judged>,
}

impl Run {
    /// Small shards and segments, of which so many pairs fill several.
    fn of(pairs: usize) -> Self {
        let config = StorageConfig { shard_pairs: 7, sync_pairs: 3, ..StorageConfig::default() };
        let pairs = (0..pairs).map(pair).collect();
        Self { config, segment_bytes: 1500, again: true, records: None, pairs }
    }

    fn by_camera(self) -> Self {
        Self { again: false, ..self }
    }

    fn disk(files: &(impl FileSystem + Clone + 'static)) -> Disk {
        Disk::new(Arc::new(files.clone()), Arc::new(TestClock::still()))
    }

    fn go_on(&self, disk: &Disk, folder: &Path) -> Result<(StoreSink, Resumed), IoError> {
        let mut options = StoreOptions::new(self.config, header());
        options.again = self.again;
        if let Some(covers) = self.records {
            options = options.recording(recording(covers));
        }
        let (sink, resumed) = StoreSink::go_on(disk, folder, options)?;
        Ok((sink.with_segment_bytes(self.segment_bytes), resumed))
    }

    /// The pairs that a source gives when it goes on: those behind the one that was decided last, or
    /// those that a camera sees from then on, all of which it has not seen before.
    fn rest(&self, resumed: &Resumed, seen: usize) -> &[Judged] {
        let behind = resumed.place.as_ref().map_or(0, |place| place.position.unwrap().item + 1);
        if self.again { &self.pairs[behind as usize..] } else { &self.pairs[seen..] }
    }

    /// Goes on with healthy files to the end; `seen` pairs a camera has seen.
    fn complete(&self, folder: &Path, seen: usize) -> Resumed {
        let (mut sink, resumed) = self.go_on(&Run::disk(&QuickFiles), folder).unwrap();
        accept(&mut sink, self.rest(&resumed, seen), |_| ()).unwrap();
        sink.finish(RunEnd::Complete).unwrap();
        resumed
    }

    /// The shards of a run that nothing breaks, and recorded embeddings.
    fn unbroken(&self) -> Shards {
        let folder = scratch();
        self.complete(folder.path(), 0);
        self.outputs(folder.path())
    }

    /// Shards, and recorded embeddings where any are.
    fn outputs(&self, folder: &Path) -> Shards {
        let mut found = shards(folder);
        if self.records.is_some() {
            found.extend(named(folder, "npz"));
            found.extend(named(&folder.join("embeddings"), "npz"));
        }
        found
    }
}

/// Every third pair is rejected, and some cannot be decoded; keys come twice.
fn pair(number: usize) -> Judged {
    let (verdict, reason) = match number % 9 {
        2 | 5 => (Verdict::Rejected, Reason::LowSimilarity),
        7 => (Verdict::Failed, Reason::Undecodable),
        _ => (Verdict::Kept, Reason::Passed),
    };
    let member = |extension: &str, data: Vec<u8>| Member { extension: extension.into(), data };
    let image: Vec<u8> =
        (0..40 + number * 37 % 900).map(|at| (at * 7 + number) as u8 | 1).collect();
    let about = format!("{{\"number\":{number}}}").into_bytes();
    let caption = format!("caption {number}").into_bytes();
    let members = vec![member("jpg", image), member("json", about), member("txt", caption)];
    let key = format!("k{:03}", number / 2);
    let sample = Sample { shard: "00000.tar".into(), key, members, fault: None };
    let content = Digest(Sha256::digest(sample.image().unwrap()).into());
    let uid = sample.uid(&sample.metadata(), content);
    let decision = Decision { verdict, reason, facts: Facts { content, ..Facts::default() } };
    let position = Position { input: 0, item: number as u64 };
    // A pair that cannot be read has none.
    let values = [number as f32, 0.5, -1.5];
    let embeddings = (reason != Reason::Undecodable)
        .then(|| Arc::new(PairEmbeddings::of(&values, &values.map(|value| value / 4.0))));
    Judged { position, embeddings, ..Judged::new(number as u64, sample, uid, decision) }
}

fn header() -> Header {
    let model = ModelName { name: "a model".into(), digest: Digest([1; 32]) };
    Header::new(Terms::new(model, Digest([2; 32]), Vec::new(), Some(0.2), None), vec!["in".into()])
}

/// Gives pairs as a run does; `after` each it looks at the sink.
fn accept(
    sink: &mut StoreSink,
    pairs: &[Judged],
    mut after: impl FnMut(&StoreSink),
) -> Result<(), IoError> {
    for judged in pairs {
        if sink.wants_checkpoint() {
            sink.checkpoint(b"state")?;
        }
        let ticket = sink.ledger().next_ticket;
        sink.accept(&Judged { ticket, ..judged.clone() })?;
        after(sink);
    }
    Ok(())
}

/// What is recorded of the pairs here.
fn recording(covers: Covers) -> Recording {
    Recording { covers, names: Names::default(), dimension: 3, model: Digest([1; 32]) }
}

fn shards(folder: &Path) -> Shards {
    named(folder, "tar")
}

/// Files with this ending by their names.
fn named(folder: &Path, ending: &str) -> Shards {
    let names = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let tars = names.filter(|path| path.extension().is_some_and(|found| found == ending));
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    tars.map(read).collect()
}

/// Members by their extensions.
type Members = BTreeMap<String, Vec<u8>>;

/// Samples by their shards' numbers and their keys; a shard that is not whole panics.
fn samples(shards: &Shards) -> BTreeMap<(u32, String), Members> {
    let mut samples: BTreeMap<_, Members> = BTreeMap::new();
    for (name, bytes) in shards {
        let number = name.strip_suffix(".tar").unwrap().parse().unwrap();
        assert!(bytes.len() >= 1024 && bytes.ends_with(&[0; 1024]), "{name} has no end");
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap_or_else(|why| panic!("{name}: {why}"));
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let (key, extension) = path.split_once('.').unwrap();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            let sample = samples.entry((number, key.to_owned())).or_default();
            let twice = sample.insert(extension.to_owned(), data);
            assert!(twice.is_none(), "{name} has {path} twice");
        }
    }
    samples
}

/// All records; one that is torn panics.
fn records(folder: &Path) -> Vec<Record> {
    Reader::open(folder).unwrap().collect::<Result<_, _>>().unwrap()
}

fn is_of(members: &Members, judged: &Judged) -> bool {
    let wanted = judged.sample.members.iter();
    wanted.map(|m| (m.extension.clone(), m.data.clone())).collect::<Members>() == *members
}

/// Looks at a folder whose run has come to its end: what had been durable is there, once; stored
/// samples and records agree.
fn check_agreement(folder: &Path, pairs: &[Judged], durable: u64) {
    let (samples, records) = (samples(&shards(folder)), records(folder));
    let tickets: BTreeSet<u64> = records.iter().map(|record| record.ticket).collect();
    assert_eq!(tickets.len(), records.len(), "a ticket was given twice");
    let mut places = BTreeSet::new();
    for record in &records {
        let Some(stored) = &record.stored else { continue };
        let place = (stored.shard, stored.key.clone());
        assert!(samples.contains_key(&place), "{place:?} of {} is not there", record.ticket);
        assert!(places.insert(place), "two records of one sample: {stored:?}");
    }
    assert_eq!(places.len(), samples.len(), "a sample without a record");
    for judged in &pairs[..durable as usize] {
        let mut own = records.iter().filter(|record| record.ticket == judged.ticket);
        let Some(record) = own.next() else { panic!("{} is lost", judged.ticket) };
        assert_eq!((record.uid, record.verdict), (judged.uid, judged.decision.verdict));
        assert_eq!(record.position, judged.position);
        if let Some(stored) = &record.stored {
            let sample = &samples[&(stored.shard, stored.key.clone())];
            assert!(is_of(sample, judged), "{} is not what it was", judged.ticket);
        }
        assert_eq!(record.stored.is_some(), record.verdict == Verdict::Kept);
    }
}

/// Every sample is one of the pairs, with all that belongs to it.
fn check_samples(folder: &Path, pairs: &[Judged]) {
    for (place, members) in samples(&shards(folder)) {
        assert!(pairs.iter().any(|judged| is_of(&members, judged)), "{place:?} is not whole");
    }
}

/// What was durable is there, and nothing tells the folder from that of a run which nothing has broken.
fn check_completed(folder: &Path, run: &Run, unbroken: &Shards) {
    check_agreement(folder, &run.pairs, run.pairs.len() as u64);
    assert_eq!(records(folder).len(), run.pairs.len());
    let found = run.outputs(folder);
    assert!(found.keys().eq(unbroken.keys()), "{:?} {:?}", found.keys(), unbroken.keys());
    assert!(found == *unbroken, "shards differ");
}

/// A shard under its name is whole, and its pairs are in the journal, whatever became of the rest.
fn check_published(folder: &Path) {
    let samples = samples(&shards(folder));
    let mut told = BTreeSet::new();
    for part in pairgate::journal::parts(folder).unwrap() {
        let read = pairgate::journal::examine(&part, |record| {
            told.extend(record.stored.as_ref().map(|s| (s.shard, s.key.clone())));
        });
        // A segment that was being begun has nothing yet, perhaps not even a header.
        assert!(read.is_ok() || fs::metadata(&part).unwrap().len() == 0 || samples.is_empty());
    }
    let untold: Vec<_> = samples.keys().filter(|place| !told.contains(*place)).collect();
    assert!(untold.is_empty(), "published without records: {untold:?}");
}

fn is_damaged(folder: &Path) -> bool {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let all = [names(folder), names(&folder.join("journal"))].concat();
    all.iter().any(|name| name.contains(".damaged-"))
}

/// What waits longer than `sync_ms` is brought to disk though nothing comes.
#[test]
fn nothing_waits_longer_than_it_may() {
    let folder = scratch();
    let clock = TestClock::still();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(clock.clone()));
    let mut run = Run::of(3);
    run.config = StorageConfig { sync_pairs: 0, sync_ms: 50, ..run.config };
    let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
    sink.accept(&run.pairs[0]).unwrap();
    clock.advance(Duration::from_millis(30));
    sink.accept(&run.pairs[1]).unwrap();
    clock.advance(Duration::from_millis(19));
    sink.idle().unwrap();
    assert_eq!((sink.durable(), sink.lost().decided()), (Some(0), 2));
    clock.advance(Duration::from_millis(1));
    sink.idle().unwrap();
    assert_eq!((sink.durable(), sink.lost().decided()), (Some(2), 0));
    // A rejected pair is a decision that waits too.
    sink.accept(&run.pairs[2]).unwrap();
    clock.jump(std::time::UNIX_EPOCH);
    sink.idle().unwrap();
    assert_eq!(sink.durable(), Some(2), "the time of day says nothing");
    clock.advance(Duration::from_millis(50));
    sink.idle().unwrap();
    assert_eq!(sink.durable(), Some(3));
}
