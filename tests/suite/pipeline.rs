//! The pipeline's promises: order, nothing lost, no hang whichever part fails. Every test would
//! hang or miscount if its promise broke; a watchdog turns a hang into a failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use pairgate::decide::{Decider, Fixed, Recorded};
use pairgate::disk::IoError;
use pairgate::gate::{DigestOnly, Evidence, Examine, ExamineError};
use pairgate::journal::Record;
use pairgate::pipeline::RunError;
use pairgate::pipeline::{Outcome, Run, Signals};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate_core::config::PipelineConfig;
use pairgate_core::decision::{Decision, Facts, Reason, ReasonSet, Verdict};
use pairgate_core::pair::{PairRef, Position, Uid};
use pairgate_core::policy::{OnError, Policy};
use pairgate_core::stats::Counts;

const POLICY: Policy = Policy { threshold: Some(0.5), on_error: OnError::Drop };
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
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        if self.fail_at == Some(self.next) {
            let why = std::io::Error::other("the disk is gone");
            return Err(IoError::Read { from: "numbers".into(), why });
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

impl Examine for FakeJudge {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        let number = |pair: &PairRef<'_>| -> u64 {
            std::str::from_utf8(pair.caption.unwrap()).unwrap().parse().unwrap()
        };
        for pair in pairs {
            assert_ne!(self.panic_at, Some(number(pair)), "told to panic");
            if self.fail_at == Some(number(pair)) {
                return Err(ExamineError::new("told to fail"));
            }
            if self.slow_at == Some(number(pair)) {
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        let score = |pair| if number(pair).is_multiple_of(3) { 0.9 } else { 0.1 };
        let facts = |pair| Facts { score: Some(score(pair)), ..Facts::default() };
        Ok(pairs.iter().map(|pair| Evidence::new(Reason::Passed, facts(pair))).collect())
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
    finished: Option<RunEnd>,
    in_flight: Arc<AtomicUsize>,
}

impl Sink for Collect {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        if self.fail_at == Some(self.keys.len()) {
            return Err(full());
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.keys.push(judged.sample.key.parse().unwrap());
        self.decisions.push(judged.decision);
        Ok(())
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        self.finished = Some(end);
        if self.fail_at_finish { Err(full()) } else { Ok(()) }
    }

    fn lost(&self) -> Counts {
        let mut lost = Counts::default();
        let kept = |decision: &&Decision| self.loses && decision.verdict == Verdict::Kept;
        self.decisions.iter().filter(kept).for_each(|decision| lost.add(decision));
        lost
    }
}

fn full() -> IoError {
    let why = std::io::Error::from(std::io::ErrorKind::StorageFull);
    IoError::Write { to: "kept".into(), why }
}

fn run(
    source: Numbers,
    examiners: Vec<FakeJudge>,
    decider: &mut dyn Decider,
    sink: &mut dyn Sink,
    signals: &Signals,
) -> Outcome {
    let source = Box::new(source);
    let run = Run { source, decider, sink, config: &CONFIG, signals, first_ticket: 0 };
    run.through(examiners, |_| ())
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
        let mut decider = Fixed(POLICY);
        let outcome = run(source, judges, &mut decider, &mut sink, &signals);
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
    assert_eq!(sink.finished, Some(RunEnd::Complete));
    assert!(outcome.error.is_none() && !outcome.interrupted);
}

#[test]
fn an_empty_source_ends() {
    let (outcome, sink) = run_all(Numbers::new(0), vec![FakeJudge::default()], Collect::default());
    assert_eq!((outcome.read, sink.finished), (0, Some(RunEnd::Complete)));
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
    assert!(matches!(outcome.error, Some(RunError::Io(IoError::Read { .. }))));
    assert_eq!(sink.keys, (0..50).collect::<Vec<_>>());
    assert_balanced(&outcome);
    assert_eq!(sink.finished, Some(RunEnd::Failed));
}

#[test]
fn a_failing_sink_ends_the_run_and_what_it_missed_is_counted() {
    let sink = Collect { fail_at: Some(20), ..Collect::default() };
    let (outcome, sink) = run_all(Numbers::new(1_000_000), vec![FakeJudge::default(); 2], sink);
    assert!(matches!(outcome.error, Some(RunError::Io(IoError::Write { .. }))));
    assert_eq!(sink.keys.len(), 20);
    assert!(outcome.unstored > 0 && outcome.read < 1000);
    assert_balanced(&outcome);
    assert_eq!(sink.finished, Some(RunEnd::Failed), "other sinks must reach the disk");
}

#[test]
fn a_sink_that_fails_at_its_end_is_an_error() {
    let sink = Collect { fail_at_finish: true, ..Collect::default() };
    let (outcome, _) = run_all(Numbers::new(10), vec![FakeJudge::default()], sink);
    assert!(matches!(outcome.error, Some(RunError::Io(IoError::Write { .. }))));
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
    assert!(matches!(outcome.error, Some(RunError::Examine(_))));
    assert_balanced(&outcome);
}

#[test]
fn a_request_to_stop_drains() {
    let stop = Arc::new(AtomicBool::new(true));
    let judges = vec![FakeJudge::default(); 2];
    let (outcome, sink) = run_watched(Numbers::new(1_000_000), judges, Collect::default(), stop);
    assert!(outcome.interrupted && outcome.read < 100);
    assert_eq!(sink.finished, Some(RunEnd::Interrupted));
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
    assert!(outcome.interrupted);
    assert_eq!(sink.finished, Some(RunEnd::Interrupted));
    assert_balanced(&outcome);
}

/// What a first pass over `Numbers::new(count)` records: scored, without a threshold.
fn recorded(count: u64) -> Vec<Result<Record, IoError>> {
    let mut judge = FakeJudge::default();
    let mut record = |number: u64| {
        let key = number.to_string();
        let pair = PairRef { caption: Some(key.as_bytes()), ..PairRef::default() };
        let facts = judge.examine(&[pair]).unwrap()[0].facts;
        Ok(Record {
            ticket: number,
            uid: Uid::default(),
            key,
            shard: "numbers".into(),
            position: Position::default(),
            verdict: Verdict::Kept,
            reason: Reason::Passed,
            facts,
            image_bytes: 0,
            broken: ReasonSet::default(),
            stored: None,
            threshold: None,
            recovered: false,
            spooled: None,
            choice: None,
            group: None,
        })
    };
    (0..count).map(&mut record).collect()
}

/// A second pass: nothing is examined but digests.
fn again(count: u64, records: Vec<Result<Record, IoError>>) -> (Outcome, Collect) {
    let source = Numbers::new(count);
    let mut sink = Collect { in_flight: source.in_flight.clone(), ..Collect::default() };
    let mut decider = Recorded::new(records.into_iter(), POLICY);
    let signals = Signals::default();
    let run = Run {
        source: Box::new(source),
        decider: &mut decider,
        sink: &mut sink,
        config: &CONFIG,
        signals: &signals,
        first_ticket: 0,
    };
    let outcome = run.through(vec![DigestOnly; 2], |_| ());
    (outcome, sink)
}

#[test]
fn the_second_pass_decides_on_what_the_first_recorded() {
    let (outcome, sink) = again(30, recorded(30));
    assert!(outcome.error.is_none());
    assert_eq!(sink.finished, Some(RunEnd::Complete));
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
        assert!(matches!(outcome.error, Some(RunError::Io(IoError::Read { .. }))));
        assert_eq!(sink.keys.len(), decided);
        assert_eq!(sink.finished, Some(RunEnd::Failed), "what was taken must reach the disk");
        assert_balanced(&outcome);
    }
}

#[test]
fn a_source_that_ends_when_it_is_stopped_is_complete_then() {
    let stop = Arc::new(AtomicBool::new(true));
    let signals = Signals { stop, ends_by_stop: true, ..Signals::default() };
    let source = Numbers::new(1_000_000);
    let mut sink = Collect { in_flight: source.in_flight.clone(), ..Collect::default() };
    let outcome = run(source, vec![FakeJudge::default()], &mut Fixed(POLICY), &mut sink, &signals);
    assert!(outcome.interrupted);
    assert_eq!(sink.finished, Some(RunEnd::Complete));
}

#[test]
fn tickets_and_positions_reach_the_sink() {
    struct Placed(Numbers);
    impl Source for Placed {
        fn next(&mut self) -> Result<Option<Sample>, IoError> {
            self.0.next()
        }

        fn position(&self) -> Position {
            Position { input: 7, item: self.0.next - 1 }
        }
    }
    #[derive(Default)]
    struct Places(Vec<(u64, Position)>);
    impl Sink for Places {
        fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
            self.0.push((judged.ticket, judged.position));
            Ok(())
        }

        fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
            Ok(())
        }
    }
    let (mut sink, mut decider) = (Places::default(), Fixed(POLICY));
    let run = Run {
        source: Box::new(Placed(Numbers::new(20))),
        decider: &mut decider,
        sink: &mut sink,
        config: &CONFIG,
        signals: &Signals::default(),
        first_ticket: 100,
    };
    run.through(vec![FakeJudge::default(); 3], |_| ());
    let wanted = (0..20).map(|item| (100 + item, Position { input: 7, item }));
    assert_eq!(sink.0, wanted.collect::<Vec<_>>());
}

/// Gives two pairs, then the others once both workers are at work.
struct Gated {
    numbers: Numbers,
    at_work: Arc<AtomicUsize>,
}

impl Source for Gated {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        while self.numbers.next >= 2 && self.at_work.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        self.numbers.next()
    }
}

/// Is at work until all pairs were given out, and notes how many it gets at once.
struct Counting {
    at_work: Arc<AtomicUsize>,
    given: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Examine for Counting {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        while self.given.load(Ordering::SeqCst) < 6 {
            std::thread::yield_now();
        }
        self.most.fetch_max(pairs.len(), Ordering::SeqCst);
        Ok(vec![Evidence::new(Reason::Passed, Facts::default()); pairs.len()])
    }
}

/// A worker could take three of the four that wait; the other one has nothing then.
#[test]
fn workers_share_what_waits() {
    let (numbers, at_work, most) = (Numbers::new(6), Arc::default(), Arc::default());
    let (in_flight, given) = (numbers.in_flight.clone(), numbers.most.clone());
    let counting = || Counting {
        at_work: Arc::clone(&at_work),
        given: given.clone(),
        most: Arc::clone(&most),
    };
    let source = Box::new(Gated { numbers, at_work: at_work.clone() });
    let (mut decider, signals) = (Fixed(POLICY), Signals::default());
    let sink = &mut Collect { in_flight, ..Collect::default() };
    let decider = &mut decider;
    let run = Run { source, decider, sink, config: &CONFIG, signals: &signals, first_ticket: 0 };
    let outcome = run.through(vec![counting(), counting()], |_| ());
    assert_eq!((outcome.read, most.load(Ordering::SeqCst)), (6, 2));
}
