//! The pipeline's promises: order, nothing lost, no hang whichever part fails. Every test would
//! hang or miscount if its promise broke; a watchdog turns a hang into a failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use pairgate::config::PipelineConfig;
use pairgate::decision::{Decision, Facts, Reason, Verdict};
use pairgate::error::{ModelError, RunError};
use pairgate::gate::Judge;
use pairgate::pair::{PairRef, Uid};
use pairgate::pipeline::{Outcome, Signals, decide_again, run};
use pairgate::policy::Policy;
use pairgate::sink::journal::OwnedRecord;
use pairgate::sink::{Judged, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate::stats::Counts;
use pairgate::wire::Record;

const CONFIG: PipelineConfig =
    PipelineConfig { workers: 0, batch: 3, queue: 4, max_bytes_in_flight: 1 << 20 };

/// Samples with the keys 0, 1, ...; the caption is the key.
struct Numbers {
    next: u64,
    count: u64,
    /// Fails in place of this sample.
    fail_at: Option<u64>,
    /// Sleeps for ever in place of this sample, like a silent pipe.
    stall_at: Option<u64>,
    /// The most samples ever given out and not yet taken by the sink.
    in_flight: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Numbers {
    fn new(count: u64) -> Self {
        Self {
            next: 0,
            count,
            fail_at: None,
            stall_at: None,
            in_flight: Arc::default(),
            most: Arc::default(),
        }
    }
}

impl Source for Numbers {
    fn next(&mut self) -> Result<Option<Sample>, RunError> {
        if self.fail_at == Some(self.next) {
            let why = std::io::Error::other("the disk is gone");
            return Err(RunError::Source { from: "numbers".into(), why });
        }
        while self.stall_at == Some(self.next) {
            std::thread::park();
        }
        if self.next == self.count {
            return Ok(None);
        }
        let out = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(out, Ordering::SeqCst);
        let key = self.next.to_string();
        self.next += 1;
        let members = vec![Member { extension: "txt".into(), data: key.clone().into_bytes() }];
        Ok(Some(Sample { shard: "numbers".into(), key, members, fault: None }))
    }
}

/// Scores a pair by its number; panics, fails or dawdles where it is told to.
#[derive(Clone, Default)]
struct FakeJudge {
    panic_at: Option<u64>,
    fail_at: Option<u64>,
    slow_at: Option<u64>,
}

impl Judge for FakeJudge {
    fn judge(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Decision>, ModelError> {
        let number = |pair: &PairRef<'_>| -> u64 {
            std::str::from_utf8(pair.caption.unwrap()).unwrap().parse().unwrap()
        };
        for pair in pairs {
            assert_ne!(self.panic_at, Some(number(pair)), "told to panic");
            if self.fail_at == Some(number(pair)) {
                return Err(ModelError::Manifest { why: "told to fail".into() });
            }
            if self.slow_at == Some(number(pair)) {
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        let policy = Policy { threshold: Some(0.5), ..Policy::default() };
        let score = |pair| if number(pair).is_multiple_of(3) { 0.9 } else { 0.1 };
        let facts = |pair| Facts { score: Some(score(pair)), ..Facts::default() };
        Ok(pairs.iter().map(|pair| policy.decide(Reason::Passed, facts(pair))).collect())
    }
}

#[derive(Default)]
struct Collect {
    keys: Vec<u64>,
    decisions: Vec<Decision>,
    fail_at: Option<usize>,
    fail_at_finish: bool,
    /// What it took as kept is gone when it fails.
    loses: bool,
    finished: bool,
    in_flight: Arc<AtomicUsize>,
}

impl Sink for Collect {
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        if self.fail_at == Some(self.keys.len()) {
            return Err(full());
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.keys.push(judged.sample.key.parse().unwrap());
        self.decisions.push(judged.decision);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.finished = true;
        if self.fail_at_finish { Err(full()) } else { Ok(()) }
    }

    fn lost(&self) -> Counts {
        let mut lost = Counts::default();
        let kept = |decision: &&Decision| self.loses && decision.verdict == Verdict::Kept;
        self.decisions.iter().filter(kept).for_each(|decision| lost.add(decision));
        lost
    }
}

fn full() -> RunError {
    let why = std::io::Error::from(std::io::ErrorKind::StorageFull);
    RunError::Sink { to: "kept".into(), why }
}

/// Runs on another thread, so that a hang fails the test.
fn run_watched(
    source: Numbers,
    judges: Vec<FakeJudge>,
    mut sink: Collect,
    stop: Arc<AtomicBool>,
) -> (Outcome, Collect) {
    let (send, receive) = mpsc::channel();
    sink.in_flight = source.in_flight.clone();
    std::thread::spawn(move || {
        let signals = Signals { stop, ..Signals::default() };
        let outcome = run(Box::new(source), judges, &mut sink, &CONFIG, &signals, |_| ());
        let _ = send.send((outcome, sink));
    });
    receive.recv_timeout(Duration::from_secs(60)).expect("the pipeline hangs")
}

fn run_all(source: Numbers, judges: Vec<FakeJudge>, sink: Collect) -> (Outcome, Collect) {
    run_watched(source, judges, sink, Arc::default())
}

#[track_caller]
fn assert_balanced(outcome: &Outcome) {
    assert_eq!(outcome.read, outcome.counts.decided() + outcome.unstored);
}

#[test]
fn every_pair_arrives_once_and_in_order() {
    let judges = vec![FakeJudge { slow_at: Some(5), ..FakeJudge::default() }; 4];
    let (outcome, sink) = run_all(Numbers::new(1000), judges, Collect::default());
    assert_eq!(sink.keys, (0..1000).collect::<Vec<_>>());
    assert_eq!(outcome.counts.total(Verdict::Kept), 334);
    assert_eq!(outcome.counts.total(Verdict::Rejected), 666);
    assert_eq!(outcome.read, 1000);
    assert_balanced(&outcome);
    assert!(sink.finished && outcome.error.is_none() && !outcome.interrupted);
}

#[test]
fn an_empty_source_ends() {
    let (outcome, sink) = run_all(Numbers::new(0), vec![FakeJudge::default()], Collect::default());
    assert_eq!((outcome.read, sink.finished), (0, true));
}

#[test]
fn one_slow_pair_does_not_let_the_others_pile_up() {
    let source = Numbers::new(2000);
    let most = source.most.clone();
    let judges = vec![FakeJudge { slow_at: Some(10), ..FakeJudge::default() }; 2];
    run_all(source, judges, Collect::default());
    // The window, the one that the reader holds, and the one that the sink holds.
    assert!(most.load(Ordering::SeqCst) <= 4 + 2 * 2 * 3 + 2, "{most:?}");
}

#[test]
fn a_failing_source_ends_the_run_after_what_it_gave() {
    let source = Numbers { fail_at: Some(50), ..Numbers::new(100) };
    let (outcome, sink) = run_all(source, vec![FakeJudge::default(); 2], Collect::default());
    assert!(matches!(outcome.error, Some(RunError::Source { .. })));
    assert_eq!(sink.keys, (0..50).collect::<Vec<_>>());
    assert_balanced(&outcome);
    assert!(sink.finished);
}

#[test]
fn a_failing_sink_ends_the_run_and_what_it_missed_is_counted() {
    let sink = Collect { fail_at: Some(20), ..Collect::default() };
    let (outcome, sink) = run_all(Numbers::new(1_000_000), vec![FakeJudge::default(); 2], sink);
    assert!(matches!(outcome.error, Some(RunError::Sink { .. })));
    assert_eq!(sink.keys.len(), 20);
    assert!(outcome.unstored > 0 && outcome.read < 1000);
    assert_balanced(&outcome);
    assert!(sink.finished, "other sinks behind the same door must reach the disk");
}

#[test]
fn a_sink_that_fails_at_its_end_is_an_error() {
    let sink = Collect { fail_at_finish: true, ..Collect::default() };
    let (outcome, _) = run_all(Numbers::new(10), vec![FakeJudge::default()], sink);
    assert!(matches!(outcome.error, Some(RunError::Sink { .. })));
}

#[test]
fn what_a_failed_sink_had_taken_and_lost_is_not_counted_as_kept() {
    let sink = Collect { fail_at_finish: true, loses: true, ..Collect::default() };
    let (outcome, _) = run_all(Numbers::new(30), vec![FakeJudge::default(); 2], sink);
    assert_eq!(outcome.counts.total(Verdict::Kept), 0);
    assert_eq!(outcome.counts.total(Verdict::Rejected), 20);
    assert_eq!(outcome.unstored, 10);
    assert_balanced(&outcome);
}

#[test]
fn a_panicking_worker_ends_the_run_by_name_and_its_pairs_are_counted() {
    for workers in [1, 3] {
        let judges = vec![FakeJudge { panic_at: Some(40), ..FakeJudge::default() }; workers];
        let source = Numbers::new(1_000_000);
        let (outcome, sink) = run_all(source, judges, Collect::default());
        let error = outcome.error.as_ref().unwrap().to_string();
        assert!(error.contains("worker") && error.contains("told to panic"), "{error}");
        assert_eq!(sink.keys, (0..outcome.read).collect::<Vec<_>>());
        assert_eq!(sink.decisions[40].reason, Reason::NotJudged);
        assert_eq!(sink.decisions[40].verdict, Verdict::Failed);
        assert_balanced(&outcome);
    }
}

#[test]
fn a_failing_model_ends_the_run() {
    let judges = vec![FakeJudge { fail_at: Some(7), ..FakeJudge::default() }; 2];
    let (outcome, _) = run_all(Numbers::new(1_000_000), judges, Collect::default());
    assert!(matches!(outcome.error, Some(RunError::Model(_))));
    assert_balanced(&outcome);
}

#[test]
fn a_request_to_stop_drains() {
    let stop = Arc::new(AtomicBool::new(true));
    let judges = vec![FakeJudge::default(); 2];
    let (outcome, sink) = run_watched(Numbers::new(1_000_000), judges, Collect::default(), stop);
    assert!(outcome.interrupted && sink.finished && outcome.read < 100);
    assert_balanced(&outcome);
}

#[test]
fn a_request_to_stop_does_not_wait_for_a_silent_source() {
    let source = Numbers { stall_at: Some(25), ..Numbers::new(100) };
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        asked.store(true, Ordering::SeqCst);
    });
    let judges = vec![FakeJudge::default(); 2];
    let (outcome, sink) = run_watched(source, judges, Collect::default(), stop);
    assert_eq!(sink.keys, (0..25).collect::<Vec<_>>());
    assert!(outcome.interrupted && sink.finished);
    assert_balanced(&outcome);
}

/// What a first pass over `Numbers::new(count)` records.
fn recorded(count: u64) -> Vec<Result<OwnedRecord, RunError>> {
    let mut judge = FakeJudge::default();
    let mut record = |number: u64| {
        let key = number.to_string();
        let pair = PairRef { caption: Some(key.as_bytes()), ..PairRef::default() };
        let Decision { verdict, reason, facts } = judge.judge(&[pair]).unwrap()[0];
        let uid = Uid::default();
        let record = Record { uid, key: &key, shard: "numbers", verdict, reason, facts };
        Ok(OwnedRecord::from(record))
    };
    (0..count).map(&mut record).collect()
}

fn again(count: u64, records: Vec<Result<OwnedRecord, RunError>>) -> (Outcome, Collect) {
    let mut source = Numbers::new(count);
    let mut sink = Collect { in_flight: source.in_flight.clone(), ..Collect::default() };
    let policy = Policy { threshold: Some(0.5), ..Policy::default() };
    let stop = AtomicBool::new(false);
    let outcome = decide_again(&mut source, records, &policy, &mut sink, &stop, |_| ());
    (outcome, sink)
}

#[test]
fn the_second_pass_decides_on_what_the_first_recorded() {
    let mut records = recorded(30);
    for record in records.iter_mut().flatten() {
        // As the first pass leaves them: scored, without a threshold.
        record.reason = Reason::Passed;
        record.verdict = Verdict::Kept;
    }
    let (outcome, sink) = again(30, records);
    assert!(outcome.error.is_none() && sink.finished);
    assert_eq!(sink.keys, (0..30).collect::<Vec<_>>());
    assert_eq!(outcome.counts.total(Verdict::Kept), 10);
    assert_balanced(&outcome);
}

#[test]
fn an_input_that_changed_between_the_passes_is_an_error() {
    let renamed = || {
        let mut records = recorded(30);
        records[20].as_mut().unwrap().key = "other".into();
        records
    };
    let edited = || {
        let mut records = recorded(30);
        records[20].as_mut().unwrap().facts.content.0[0] = 1;
        records
    };
    for (count, records, decided) in
        [(30, renamed(), 20), (30, edited(), 20), (25, recorded(30), 25), (31, recorded(30), 30)]
    {
        let (outcome, sink) = again(count, records);
        assert!(matches!(outcome.error, Some(RunError::Source { .. })));
        assert_eq!(sink.keys.len(), decided);
        assert!(sink.finished, "what was taken must reach the disk");
        assert_balanced(&outcome);
    }
}
