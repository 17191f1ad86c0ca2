//! A state and a run that selects, on a disk whose power is cut: the state is whole or not there, and a run that
//! goes on decides as one that nothing stopped, also by what it remembers of earlier pairs.

use std::path::Path;
use std::sync::Arc;

use pairgate::Disk;
use pairgate::decide::{Decider, Examined, Fixed};
use pairgate::journal::{Header, ModelName, Reader, Record, Terms};
use pairgate::score::measured;
use pairgate::select::pool::InMemory;
use pairgate::select::selecting::{First, Selecting};
use pairgate::select::{PoolPair, State};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample};
use pairgate::store::{Resumed, Step, StoreOptions, StoreSink};
use pairgate::{Evidence, Facts, Policy, Position, Reason};
use pairgate_core::config::StorageConfig;
use pairgate_core::pair::Digest;

use super::pairs;
use super::state::fitted;
use crate::disk::clock::TestClock;
use crate::disk::power_cut::{KINDS, State as Left};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

const DIMENSION: usize = 12;
/// Scores are from 0.1 to 0.3.
const THRESHOLD: f32 = 0.13;
/// The one source that all pairs are of has its cut moved after 100 scores, rings forget after 3 pairs.
const METHOD: &str =
    "all(clusters k 3 keep 90%, sources by none follow 1 keep 80%, duplicates k 4 eps 0.02 ring 3)";

/// A pair as a gate with the state's measures finds it.
fn examined(state: &State, pair: &PoolPair, ticket: u64) -> Examined {
    let member =
        |extension: &str, data: &[u8]| Member { extension: extension.into(), data: data.into() };
    let image = ticket.to_le_bytes();
    let caption = pair.caption.clone().unwrap();
    let members = vec![member("jpg", &image), member("txt", caption.as_bytes())];
    let sample = Sample { shard: "00000.tar".into(), key: pair.key.clone(), members, fault: None };
    let content = pairgate::digest::sha256(&image);
    let uid = sample.uid(&sample.metadata(), content);
    let facts = Facts { score: Some(pair.score), content, ..Facts::default() };
    let mut evidence = Evidence::new(Reason::Passed, facts);
    evidence.measures = measured(&state.measures(), pair.score, &pair.embeddings, &caption, &[]);
    evidence.embeddings = Some(Arc::new(pair.embeddings.clone()));
    let position = Position { input: 0, item: ticket };
    Examined { ticket, position, sample, uid, evidence }
}

struct Run {
    state: Arc<State>,
    pairs: Vec<Examined>,
}

impl Run {
    fn of(count: usize) -> Self {
        let pool = pairs(count, DIMENSION, 21);
        let state = Arc::new(fitted(METHOD, &mut InMemory(pool.clone()), DIMENSION as u32));
        let pairs = (0..).zip(&pool).map(|(ticket, pair)| examined(&state, pair, ticket)).collect();
        Self { state, pairs }
    }

    fn terms(&self) -> Terms {
        let model = ModelName { name: "test 1".into(), digest: Digest([7; 32]) };
        Terms::new(model, self.state.digest(), Vec::new(), Some(THRESHOLD), None)
    }

    /// Goes on with what is in the folder, as commands do; `after` each pair it is told what is durable.
    fn go_on(&self, disk: &Disk, folder: &Path, mut after: impl FnMut(u64)) -> Resumed {
        let config = StorageConfig { shard_pairs: 9, sync_pairs: 4, ..StorageConfig::default() };
        let header = Header::new(self.terms(), vec!["in".into()]);
        let (sink, resumed) =
            StoreSink::go_on(disk, folder, StoreOptions::new(config, header)).unwrap();
        let mut sink = sink.with_segment_bytes(4000);
        let policy = Policy { threshold: Some(THRESHOLD), ..Policy::default() };
        let mut decider = Selecting::new(First::Fixed(Fixed(policy)), self.state.clone());
        decider.catch_up(&resumed.decider, resumed.past(self.terms()).unwrap()).unwrap();
        for pair in &self.pairs[resumed.next_ticket as usize..] {
            if sink.wants_checkpoint() {
                sink.checkpoint(&decider.state()).unwrap();
            }
            let decision = decider.decide(pair).unwrap();
            let mut judged = Judged::new(pair.ticket, pair.sample.clone(), pair.uid, decision);
            (judged.position, judged.choice) = (pair.position, decider.noted().choice);
            sink.accept(&judged).unwrap();
            after(sink.durable().unwrap());
        }
        sink.finish(RunEnd::Complete).unwrap();
        after(sink.durable().unwrap());
        resumed
    }
}

fn records(folder: &Path) -> Vec<Record> {
    let reader = Reader::open(&folder.join("journal")).unwrap();
    reader.map(Result::unwrap).collect()
}

fn disk(recorder: &Recorder) -> Disk {
    Disk::new(Arc::new(recorder.clone()), Arc::new(TestClock::still()))
}

#[test]
fn a_run_that_goes_on_after_a_power_cut_decides_as_an_unbroken_one() {
    let run = Run::of(260);
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    run.go_on(&disk(&recorder), &around.path().join("out"), |durable| recorder.mark(durable));
    let unbroken = records(&around.path().join("out"));
    for reason in [Reason::Passed, Reason::LowSimilarity, Reason::OverQuota, Reason::NearDuplicate]
    {
        assert!(unbroken.iter().any(|record| record.reason == reason), "{reason}");
    }
    let (log, mut random) = (recorder.log(), Random::seeded(31));
    let (mut went_on, every) =
        (0, if std::env::var_os("PAIRGATE_LONG_TESTS").is_some() { 1 } else { 7 });
    for (number, point) in log.points().enumerate().step_by(every) {
        let kind = KINDS[number % KINDS.len()];
        let left = Left::make(&log, point, kind, &mut random);
        let around = scratch();
        left.write_to(around.path());
        let folder = around.path().join("out");
        let quick = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
        let resumed = run.go_on(&quick, &folder, |_| ());
        assert!(resumed.next_ticket >= left.mark.unwrap_or(0), "{left}");
        went_on += usize::from((1..run.pairs.len() as u64).contains(&resumed.next_ticket));
        for (found, wanted) in records(&folder).iter().zip(&unbroken) {
            assert_eq!(found, wanted, "{left}");
        }
        assert_eq!(records(&folder).len(), unbroken.len(), "{left}");
    }
    assert!(went_on > 20, "{went_on} runs were gone on with");
}

/// What `select fit` writes over an earlier state: one of both is there, whole, at any time.
#[test]
fn a_state_is_the_earlier_one_or_the_new_one() {
    let state = |seed| fitted("clusters k 3 keep 50%", &mut InMemory(pairs(400, 64, seed)), 64);
    let (one, two) = (state(1), state(2));
    let around = scratch();
    let path = around.path().join("a.pgsel");
    one.save(&Disk::system(), &path).unwrap();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    two.save(&disk(&recorder), &path).unwrap();
    recorder.mark(1);
    let (log, mut random) = (recorder.log(), Random::seeded(32));
    for point in log.points() {
        for kind in KINDS {
            let left = Left::make(&log, point, kind, &mut random);
            let around = scratch();
            left.write_to(around.path());
            let found = State::load(&around.path().join("a.pgsel")).unwrap().digest();
            let is_new = found == two.digest();
            assert!(is_new || (left.mark.is_none() && found == one.digest()), "{left}");
        }
    }
}

/// Threshold and rules come first: what they reject no method sees, and its reason stays theirs.
#[test]
fn what_the_threshold_rejects_comes_to_no_method() {
    let run = Run::of(120);
    let policy = Policy { threshold: Some(0.2), ..Policy::default() };
    let mut decider = Selecting::new(First::Fixed(Fixed(policy)), run.state.clone());
    let mut seen = 0;
    for pair in &run.pairs {
        let reason = decider.decide(pair).unwrap().reason;
        let is_low = pair.evidence.facts.score.unwrap() < 0.2;
        assert_eq!(reason == Reason::LowSimilarity, is_low);
        assert_eq!(decider.noted().choice.is_some(), !is_low);
        seen += u32::from(is_low);
    }
    assert!((1..120).contains(&seen));
}

/// Where other terms decide from then on, nothing of before is remembered.
#[test]
fn other_terms_forget_what_was_remembered() {
    let run = Run::of(60);
    let folder = scratch();
    run.go_on(
        &Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still())),
        folder.path(),
        |_| (),
    );
    let records = records(folder.path());
    let kept = records.iter().position(|record| record.reason == Reason::Passed).unwrap();
    let again = |epoch: Option<Step>| {
        let mut decider = Selecting::new(First::Fixed(Fixed(Policy::default())), run.state.clone());
        let past = [Some(Step::Decision(Box::new(records[kept].clone()))), epoch];
        decider.catch_up(&[], past.into_iter().flatten().map(Ok)).unwrap();
        decider.decide(&run.pairs[kept]).unwrap().reason
    };
    assert_eq!(again(None), Reason::NearDuplicate);
    assert_eq!(again(Some(Step::Epoch { learns_on: true })), Reason::NearDuplicate);
    assert_eq!(again(Some(Step::Epoch { learns_on: false })), Reason::Passed);
}
