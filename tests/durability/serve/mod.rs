//! The service on a disk that fails, or whose power is cut: what was answered is there, once; who got no
//! answer sends the pair again, and it is there once too. Requests and the network are left out: clients
//! hand their pairs to the desk, and a run without a model decides on them.

mod faults;
mod full;
mod power;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use pairgate::agent::serve::{
    Acknowledging, Answer, ChannelSource, Desk, Names, Place, Present, Queues, Refused, Slot,
    StoredNow, Window, gone_on_with,
};
use pairgate::disk::{Disk, FileSystem, IoError};
use pairgate::journal::{Header, ModelName, Reader, Record, Terms};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate::store::{StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Uid};
use pairgate_core::policy::Policy;
use sha2::{Digest as _, Sha256};

use crate::disk::clock::TestClock;

/// Pairs that are asked about at once.
const TOGETHER: usize = 5;

/// The service: the two ends of its run, and between them a decider that looks at a pair's number.
struct Service {
    desk: Arc<Desk>,
    source: ChannelSource,
    sink: Acknowledging<StoreSink>,
    _queues: Queues,
}

impl Service {
    /// Starts in `out`, where it goes on with what is there.
    fn start(disk: &Disk, out: &Path, config: StorageConfig) -> Result<Self, IoError> {
        let stored = StoredNow::default();
        let options = gone_on_with(StoreOptions::new(config, header()), &stored);
        let names = Arc::new(Names::of(&options.header.terms));
        let (store, resumed) = StoreSink::go_on(disk, out, options)?;
        let next = resumed.next_ticket;
        let window = Window::of_journal(out, 1000, next, false);
        let policy = Policy { threshold: Some(0.2), ..Policy::default() };
        let (desk, queues) = Desk::new(64, window, Present { policy, names });
        let source = ChannelSource::new(desk.clone(), &queues, Arc::default(), next);
        // Small segments: the window is read from several.
        let store = store.with_segment_bytes(1500);
        let sink = Acknowledging::new(disk, store, desk.clone(), stored);
        Ok(Self { desk, source, sink, _queues: queues })
    }

    /// Clients ask about these pairs, some at once; each answer goes to `told` when it is there.
    fn ask(&mut self, numbers: &[usize], told: &mut Told) -> Result<(), IoError> {
        for together in numbers.chunks(TOGETHER) {
            let mut waiting = Waiting::default();
            let done = self.ask_at_once(together, &mut waiting, told);
            if done.is_err() {
                let _ = self.sink.finish(RunEnd::Failed);
                self.desk.end();
            }
            waiting.look(told);
            for (number, slot) in waiting.0 {
                assert!(done.is_err(), "{number} gets no answer");
                let why = refusal(&self.desk, slot);
                assert!(matches!(&why, Refused::Ending(why) if why.contains("failed")), "{why}");
            }
            done?;
        }
        Ok(())
    }

    /// One round of the run, up to where nothing more waits.
    fn ask_at_once(
        &mut self,
        numbers: &[usize],
        waiting: &mut Waiting,
        told: &mut Told,
    ) -> Result<(), IoError> {
        let mut new = 0;
        for number in numbers {
            let slot = self.desk.offer(sample(*number), None).unwrap();
            waiting.0.push((*number, slot));
            let before = waiting.0.len();
            waiting.look(told);
            new += usize::from(waiting.0.len() == before);
        }
        for _ in 0..new {
            if self.sink.wants_checkpoint() {
                self.sink.checkpoint(b"state")?;
                waiting.look(told);
            }
            let sample = self.source.next().unwrap().unwrap();
            self.sink.accept(&judged(self.source.position().item, sample))?;
            waiting.look(told);
        }
        self.sink.settled()
    }

    /// Ends as SIGTERM ends it.
    fn end(mut self) -> Result<(), IoError> {
        self.sink.finish(RunEnd::Complete)
    }
}

/// Clients that have no answer yet, and the numbers of their pairs.
#[derive(Default)]
struct Waiting(Vec<(usize, Slot)>);

impl Waiting {
    fn look(&mut self, told: &mut Told) {
        let waiting = std::mem::take(&mut self.0);
        let still = waiting.into_iter().filter_map(|(number, mut slot)| {
            if slot.is_empty() {
                return Some((number, slot));
            }
            told.take(number, &slot.try_recv().ok()?.answer);
            None
        });
        self.0 = still.collect();
    }
}

/// What a client learns whose answer never comes.
fn refusal(desk: &Desk, slot: Slot) -> Refused {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(desk.answer(slot)).expect_err("an answer behind a failure")
}

/// What clients were told, over all starts.
#[derive(Default)]
struct Told {
    answers: BTreeMap<usize, Answer>,
    /// Hears how many answers were given.
    heard: Option<Box<dyn Fn(usize)>>,
}

impl Told {
    fn take(&mut self, number: usize, answer: &Answer) {
        assert_eq!(answer.uid, uid(number));
        let earlier = self.answers.insert(number, answer.clone());
        if let Some(earlier) = earlier {
            assert_eq!(earlier, *answer, "{number} was told something else before");
        } else if let Some(heard) = &self.heard {
            heard(self.answers.len());
        }
    }

    /// What the first `count` answers were.
    fn first(&self, count: usize) -> Self {
        let answers = self.answers.iter().take(count);
        Self { answers: answers.map(|(n, a)| (*n, a.clone())).collect(), heard: None }
    }
}

fn header() -> Header {
    let model = ModelName { name: "a model".into(), digest: Digest([1; 32]) };
    let terms = Terms::new(model, Digest([2; 32]), Vec::new(), Some(0.2), None);
    Header::new(terms, vec!["serve".into()])
}

/// Small shards, synced while others are asked about.
fn small_shards() -> StorageConfig {
    StorageConfig { shard_pairs: 4, sync_pairs: 3, ..StorageConfig::default() }
}

fn disk(files: &(impl FileSystem + Clone + 'static)) -> Disk {
    Disk::new(Arc::new(files.clone()), Arc::new(TestClock::still()))
}

fn uid(number: usize) -> Uid {
    Uid((number as u128 + 1).to_be_bytes())
}

/// A pair as a form gives it. Keys are the clients', and may be there twice.
fn sample(number: usize) -> Sample {
    let member = |extension: &str, data: Vec<u8>| Member { extension: extension.into(), data };
    let image = (0..40 + number * 37 % 900).map(|at| (at * 7 + number) as u8 | 1).collect();
    let about = format!("{{\"uid\":\"{}\"}}", uid(number)).into_bytes();
    let caption = format!("caption {number}").into_bytes();
    let members = vec![member("jpg", image), member("txt", caption), member("json", about)];
    Sample { shard: "serve".into(), key: format!("k{}", number / 2), members, fault: None }
}

/// Every fifth pair is rejected.
fn judged(ticket: u64, sample: Sample) -> Judged {
    let uid = sample.metadata().uid.unwrap();
    let (verdict, reason) = match u128::from_be_bytes(uid.0) % 5 {
        3 => (Verdict::Rejected, Reason::LowSimilarity),
        _ => (Verdict::Kept, Reason::Passed),
    };
    // What a restart finds is held against it.
    let content = Digest(Sha256::digest(sample.image().unwrap()).into());
    let facts = Facts { content, ..Facts::default() };
    Judged::new(ticket, sample, uid, Decision { verdict, reason, facts })
}

/// Goes on with healthy files: clients send all pairs again that have no answer, and some that have.
fn complete(out: &Path, pairs: usize, told: &mut Told) {
    let disk = disk(&crate::disk::quick::QuickFiles);
    let mut service = Service::start(&disk, out, small_shards()).unwrap();
    let is_asked = |number: &usize| !told.answers.contains_key(number) || number.is_multiple_of(3);
    let asked: Vec<usize> = (0..pairs).filter(is_asked).collect();
    service.ask(&asked, told).unwrap();
    assert_eq!(told.answers.len(), pairs);
    service.end().unwrap();
}

/// A stored sample's place, and its members by extension.
type Found = ((String, String), BTreeMap<String, Vec<u8>>);

/// Samples of all published shards by their uids; two of one uid panic.
fn samples(out: &Path) -> BTreeMap<Uid, Found> {
    let mut places: BTreeMap<_, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for entry in fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|ending| ending != "tar") {
            continue;
        }
        for entry in tar::Archive::new(fs::File::open(&path).unwrap()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let member = entry.path().unwrap().to_str().unwrap().to_owned();
            let (key, extension) = member.split_once('.').unwrap();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            let sample = places.entry((name.clone(), key.to_owned())).or_default();
            assert_eq!(sample.insert(extension.to_owned(), data), None, "{name}: {member} twice");
        }
    }
    let mut samples = BTreeMap::new();
    for (place, members) in places {
        let about: serde_json::Value = serde_json::from_slice(&members["json"]).unwrap();
        let uid = about["uid"].as_str().unwrap().parse().unwrap();
        let twice = samples.insert(uid, (place, members));
        assert!(twice.is_none(), "{uid} is stored twice");
    }
    samples
}

fn records(out: &Path) -> Vec<Record> {
    Reader::open(out).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Looks at a folder whose service was ended: every pair that was answered "kept" is where the answer
/// says, with the bytes that were sent; no other is there; each has one record.
fn check(out: &Path, told: &Told) {
    let samples = samples(out);
    for (number, answer) in &told.answers {
        let found = samples.get(&answer.uid);
        assert_eq!(found.is_some(), answer.verdict == Verdict::Kept, "{number}: {answer:?}");
        let Some((place, members)) = found else { continue };
        let Some(Place::Shard { shard, key }) = &answer.stored else { panic!("{answer:?}") };
        assert_eq!(place, &(shard.clone(), key.clone()), "{number}");
        let sent = sample(*number).members;
        let sent: BTreeMap<_, _> = sent.into_iter().map(|m| (m.extension, m.data)).collect();
        assert!(*members == sent, "{number} is not what was sent");
    }
    let known = |uid: &Uid| told.answers.values().any(|answer| answer.uid == *uid);
    assert!(samples.keys().all(known), "a pair that nobody was told of");
    let mut recorded: Vec<Uid> = records(out).iter().map(|record| record.uid).collect();
    recorded.sort();
    let mut wanted: Vec<Uid> = told.answers.values().map(|answer| answer.uid).collect();
    wanted.sort();
    assert!(recorded == wanted, "{} records of {} pairs", recorded.len(), wanted.len());
}
