//! What examines and decides is changed while pairs are in flight: the same journal for any number of
//! workers, wherever the change falls, and nothing lost.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use pairgate::decide::{Decider, Fixed, Tracker};
use pairgate::disk::{Disk, IoError};
use pairgate::gate::{Evidence, Examine, ExamineError};
use pairgate::journal::{Entry, Header, ModelName, Reader, Terms};
use pairgate::pipeline::{Generation, Outcome, Reloads, Run, RunError, Signals};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate::store::{StoreOptions, StoreSink};
use pairgate_core::config::{PipelineConfig, StorageConfig};
use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::{Digest, PairRef, Position};
use pairgate_core::policy::{Policy, TrackerRule};
use tempfile::tempdir;

const RULE: TrackerRule = TrackerRule { keep: 0.25, warm_up: 20, window: 2000, every: 5 };

fn config(batch: usize, queue: usize) -> PipelineConfig {
    PipelineConfig { workers: 0, batch, queue, max_bytes_in_flight: 1 << 20 }
}

/// What decides in generation `number`: models differ, and with them the threshold.
fn terms(number: u64) -> Terms {
    let model = ModelName { name: format!("model {number}"), digest: Digest([number as u8; 32]) };
    Terms::new(model, Digest([0; 32]), Vec::new(), Some(threshold(number)), None)
}

fn threshold(number: u64) -> f32 {
    0.25 + 0.125 * number as f32
}

fn policy(threshold: f32) -> Policy {
    Policy { threshold: Some(threshold), ..Policy::default() }
}

/// Numbers between 0 and 1 that look random, exact in few digits.
fn noise(number: u64) -> f32 {
    (number.wrapping_mul(2_654_435_761) >> 7 & 0x3FF) as f32 / 1024.0
}

/// Examines pairs of one generation, and says of which one in the size of the image.
struct Marked {
    generation: u64,
    /// Numbers of the pairs that are its generation's.
    first: u64,
    end: u64,
    _alive: Arc<()>,
}

impl Examine for Marked {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        let number = |pair: &PairRef<'_>| -> u64 {
            std::str::from_utf8(pair.caption.unwrap()).unwrap().parse().unwrap()
        };
        let examine = |pair| {
            let number = number(pair);
            assert!((self.first..self.end).contains(&number), "{number} is another generation's");
            if number.is_multiple_of(13) {
                thread::sleep(Duration::from_millis(1));
            }
            let size = pairgate_core::pair::Size::new(self.generation as u32 + 1, 1);
            let facts = Facts { score: Some(noise(number)), size, ..Facts::default() };
            Evidence::new(Reason::Passed, facts)
        };
        Ok(pairs.iter().map(examine).collect())
    }
}

/// What is offered, and before which pair.
struct Offer {
    at: u64,
    next: Generation<Marked>,
}

/// Samples with the keys 0, 1, ...; each offer is made before its pair is given.
struct Numbers {
    next: u64,
    count: u64,
    reloads: Reloads<Marked>,
    offers: Vec<Offer>,
}

impl Source for Numbers {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        if self.next == self.count {
            return Ok(None);
        }
        if let Some(offer) = self.offers.pop_if(|offer| offer.at == self.next) {
            let (mut next, began) = (offer.next, Instant::now());
            // Handed back while the change before it is under way.
            while let Err(back) = self.reloads.offer(next) {
                assert!(began.elapsed() < Duration::from_secs(60), "the change before it hangs");
                next = *back;
                thread::sleep(Duration::from_millis(1));
            }
        }
        let key = self.next.to_string();
        self.next += 1;
        let member = |extension: &str| Member {
            extension: extension.into(),
            data: key.clone().into_bytes(),
        };
        let members = vec![member("jpg"), member("txt")];
        Ok(Some(Sample { shard: "numbers".into(), key, members, fault: None }))
    }

    fn position(&self) -> Position {
        Position { input: 0, item: self.next - 1 }
    }
}

/// One generation after the other, each from its pair on.
fn generations(workers: usize, starts: &[u64], alive: &Arc<()>) -> (Vec<Marked>, Vec<Offer>) {
    let ends: Vec<u64> = starts.iter().copied().chain([u64::MAX]).collect();
    let examiners = |generation: usize, first: u64| -> Vec<Marked> {
        let marked = |_| Marked {
            generation: generation as u64,
            first,
            end: ends[generation],
            _alive: alive.clone(),
        };
        (0..workers).map(marked).collect()
    };
    let offer = |(index, at): (usize, &u64)| {
        let number = index as u64 + 1;
        let decider: Box<dyn Decider> = Box::new(Fixed(policy(threshold(number))));
        let (examiners, terms) = (examiners(index + 1, *at), terms(number));
        Offer { at: *at, next: Generation { examiners, decider, terms, learns_on: false } }
    };
    let mut offers: Vec<_> = starts.iter().enumerate().map(offer).collect();
    offers.reverse();
    (examiners(0, 0), offers)
}

/// Runs `count` pairs into a folder, with a change before each of `starts`.
fn run_into(folder: &Path, count: u64, starts: &[u64], workers: usize, config: PipelineConfig) {
    let alive = Arc::new(());
    let (examiners, offers) = generations(workers, starts, &alive);
    let reloads = Reloads::new(workers);
    let storage = StorageConfig { shard_pairs: 9, sync_pairs: 4, ..StorageConfig::default() };
    let options = StoreOptions::new(storage, Header::new(terms(0), vec!["in".into()]));
    let (sink, _) = StoreSink::go_on(&Disk::system(), folder, options).unwrap();
    let mut sink = sink.with_segment_bytes(3000);
    let source = Box::new(Numbers { next: 0, count, reloads: reloads.clone(), offers });
    let (mut decider, signals) = (Fixed(policy(threshold(0))), Signals::default());
    let run = Run {
        source,
        decider: &mut decider,
        sink: &mut sink,
        config: &config,
        signals: &signals,
        first_ticket: 0,
    };
    let outcome = run.through_generations(examiners, &reloads, crossbeam_channel::never(), |_| ());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!((outcome.read, outcome.counts.decided()), (count, count));
    assert_eq!(Arc::strong_count(&alive), 1, "an examiner is left");
    let last = reloads.last();
    assert_eq!(last.map(|last| last.terms), starts.last().map(|_| terms(starts.len() as u64)));
}

/// All files of a journal, by their names.
fn journal(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder.join("journal")).unwrap();
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    let mut files: Vec<_> = entries.map(|entry| read(entry.unwrap().path())).collect();
    files.sort();
    files
}

/// Every record under the terms of the generation that examined and decided it; epochs where they were
/// asked for.
fn check(folder: &Path, count: u64, starts: &[u64]) {
    let mut journal = Reader::open(folder).unwrap();
    let (mut next, mut epochs) = (0, Vec::new());
    while let Some(entry) = journal.next_entry().unwrap() {
        match entry {
            Entry::Epoch(epoch) => epochs.push(epoch.first_ticket),
            Entry::Record(record) => {
                let number = starts.iter().filter(|start| **start <= record.ticket).count() as u64;
                assert_eq!((record.ticket, u64::from(record.facts.size.width)), (next, number + 1));
                assert_eq!(journal.terms(), &terms(number), "at {next}");
                let passes = noise(record.ticket) >= threshold(number);
                assert_eq!(record.reason == Reason::Passed, passes, "at {next}");
                next += 1;
            }
            _ => {}
        }
    }
    assert_eq!(next, count);
    assert_eq!(epochs, starts);
}

#[test]
fn the_journal_is_the_same_for_any_number_of_workers_wherever_the_change_falls() {
    for starts in [&[0][..], &[1], &[17], &[17, 18], &[1, 64, 65, 90], &[119]] {
        let mut first = None;
        for (workers, batch, queue) in [(1, 1, 1), (1, 8, 4), (3, 2, 8), (6, 5, 64)] {
            let folder = tempdir().unwrap();
            run_into(folder.path(), 120, starts, workers, config(batch, queue));
            check(folder.path(), 120, starts);
            let found = journal(folder.path());
            let first = first.get_or_insert_with(|| found.clone());
            assert!(*first == found, "{workers} workers, changes at {starts:?}");
        }
    }
}

/// Takes decisions and epochs as they come.
#[derive(Default, Clone)]
struct Told(Arc<Mutex<Vec<String>>>, Option<u64>);

impl Sink for Told {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let text = format!("{} by {}", judged.ticket, judged.decision.facts.size.width - 1);
        self.0.lock().unwrap().push(text);
        Ok(())
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        if self.1 == Some(first_ticket) {
            let why = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(IoError::Write { to: "kept".into(), why });
        }
        let name = &terms.models[0].name;
        self.0.lock().unwrap().push(format!("{name} from {first_ticket}"));
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

/// Stays silent from pair `silent_from` on until it is let go.
struct Silent {
    numbers: Numbers,
    silent_from: u64,
    go: Arc<AtomicBool>,
    given: Arc<AtomicU64>,
}

impl Source for Silent {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        while self.numbers.next == self.silent_from && !self.go.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        let sample = self.numbers.next();
        self.given.store(self.numbers.next, Ordering::SeqCst);
        sample
    }
}

/// A run on another thread, so that a hang fails the test.
struct Background {
    reloads: Reloads<Marked>,
    told: Told,
    go: Arc<AtomicBool>,
    given: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    outcome: mpsc::Receiver<Outcome>,
}

fn start(examiners: Vec<Marked>, told: Told, count: u64, silent_from: u64) -> Background {
    let reloads = Reloads::new(examiners.len());
    let (send, outcome) = mpsc::channel();
    let signals = Signals::default();
    let background = Background {
        reloads: reloads.clone(),
        told: told.clone(),
        go: Arc::default(),
        given: Arc::default(),
        stop: signals.stop.clone(),
        outcome,
    };
    let numbers = Numbers { next: 0, count, reloads: reloads.clone(), offers: Vec::new() };
    let (go, given) = (background.go.clone(), background.given.clone());
    thread::spawn(move || {
        let (mut sink, mut decider) = (told, Fixed(policy(0.5)));
        let run = Run {
            source: Box::new(Silent { numbers, silent_from, go, given }),
            decider: &mut decider,
            sink: &mut sink,
            config: &config(3, 4),
            signals: &signals,
            first_ticket: 0,
        };
        let _ = send.send(run.through_generations(
            examiners,
            &reloads,
            crossbeam_channel::never(),
            |_| (),
        ));
    });
    background
}

impl Background {
    /// As [`Reloads::wait`], where a hang fails the test.
    fn wait(&self) -> Option<u64> {
        let (send, changed) = mpsc::channel();
        let reloads = self.reloads.clone();
        thread::spawn(move || send.send(reloads.wait()));
        changed.recv_timeout(Duration::from_secs(60)).expect("the change hangs")
    }

    fn end(&self) -> Outcome {
        self.go.store(true, Ordering::SeqCst);
        self.outcome.recv_timeout(Duration::from_secs(60)).expect("the run hangs")
    }

    fn wait_until_given(&self, count: u64) {
        for _ in 0..30_000 {
            if self.given.load(Ordering::SeqCst) >= count {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("the source is not read");
    }
}

/// No pair comes: all change over, and what was before is not held any more.
#[test]
fn a_silent_source_holds_no_change_up() {
    for silent_from in [0, 30] {
        let (old, new) = (Arc::new(()), Arc::new(()));
        let (examiners, _) = generations(4, &[silent_from], &old);
        let run = start(examiners, Told::default(), 50, silent_from);
        run.wait_until_given(silent_from);
        let (_, mut offers) = generations(4, &[silent_from], &new);
        assert!(run.reloads.offer(offers.pop().unwrap().next).is_ok());
        assert_eq!(run.wait(), Some(silent_from));
        assert_eq!(Arc::strong_count(&old), 1, "an examiner of the old generation is left");
        let outcome = run.end();
        assert_eq!((outcome.read, outcome.error.is_none()), (50, true));
        let told = run.told.0.lock().unwrap();
        let before = (0..silent_from).map(|number| format!("{number} by 0"));
        let epoch = [format!("model 1 from {silent_from}")];
        let after = (silent_from..50).map(|number| format!("{number} by 1"));
        assert_eq!(*told, before.chain(epoch).chain(after).collect::<Vec<_>>());
    }
}

#[test]
fn one_change_at_a_time_and_none_after_the_end() {
    let alive = Arc::new(());
    let (examiners, _) = generations(1, &[10], &alive);
    let run = start(examiners, Told::default(), 20, 10);
    run.wait_until_given(10);
    let next = |first: u64| {
        let (_, mut offers) = generations(1, &[first], &alive);
        offers.pop().unwrap().next
    };
    assert!(run.reloads.offer(next(10)).is_ok());
    // The first one may be over by now: then this one is taken, and ends like it.
    let second = run.reloads.offer(next(10)).err();
    assert_eq!(run.wait(), Some(10));
    if let Some(second) = second {
        assert!(run.reloads.offer(*second).is_ok(), "the change is over");
        assert_eq!(run.wait(), Some(10));
    }
    assert!(run.end().error.is_none());
    assert!(run.reloads.offer(next(20)).is_err(), "the run has ended");
}

/// Who waits for a change hears of the run's end.
#[test]
fn a_run_that_ends_before_a_change_says_so() {
    let alive = Arc::new(());
    let (examiners, _) = generations(2, &[u64::MAX], &alive);
    let run = start(examiners, Told::default(), 1_000_000, u64::MAX);
    run.wait_until_given(1);
    run.stop.store(true, Ordering::SeqCst);
    assert!(run.end().error.is_none());
    let (_, mut offers) = generations(2, &[5], &alive);
    assert!(run.reloads.offer(offers.pop().unwrap().next).is_err());
    assert_eq!(run.wait(), None);
}

#[test]
fn an_epoch_that_cannot_be_written_ends_the_run_and_all_is_counted() {
    let alive = Arc::new(());
    let (examiners, _) = generations(2, &[12], &alive);
    let told = Told(Arc::default(), Some(12));
    let run = start(examiners, told, 1_000_000, 12);
    run.wait_until_given(12);
    let (_, mut offers) = generations(2, &[12], &alive);
    assert!(run.reloads.offer(offers.pop().unwrap().next).is_ok());
    run.wait();
    let outcome = run.end();
    assert!(matches!(outcome.error, Some(RunError::Io(IoError::Write { .. }))));
    assert_eq!(outcome.counts.decided(), 12);
    assert_eq!(outcome.read, 12 + outcome.unstored);
}

// A threshold that follows the scores.

fn tracked(config: u8, model: u8, first: f32) -> Terms {
    let model = ModelName { name: "a model".into(), digest: Digest([model; 32]) };
    Terms::new(model, Digest([config; 32]), Vec::new(), Some(first), Some(RULE))
}

#[test]
fn a_threshold_goes_on_where_its_scores_and_its_rule_do() {
    let was = tracked(1, 1, 0.5);
    let with = |change: fn(&mut Terms)| {
        let mut now = was.clone();
        change(&mut now);
        was.learns_on(&now)
    };
    assert!(with(|now| now.config = Digest([2; 32])), "another rule on captions");
    assert!(with(|now| now.settings.push("rules.min_words=4".into())));
    assert!(!with(|now| now.settings.push("image.decode=\"scaled\"".into())));
    assert!(!with(|now| now.settings.push("arithmetic=float".into())));
    assert!(!with(|now| now.models[0].digest = Digest([9; 32])));
    assert!(!with(|now| now.threshold = Some(0.4)));
    assert!(!with(|now| now.tracker = None));
    assert!(!with(|now| now.tracker = Some(TrackerRule { every: 6, ..RULE })));
}

/// Runs from where the folder stands up to `end`; a change before pair `at` leads from `was` to `now`.
fn follow(folder: &Path, end: u64, at: u64, was: &Terms, now: &Terms) {
    let terms = |ticket: u64| if ticket < at { was } else { now };
    let tracker = |terms: &Terms| Tracker::new(RULE, policy(terms.threshold.unwrap()), None);
    let begin = Reader::open(folder).map_or(0, |reader| reader.count() as u64);
    let storage = StorageConfig { shard_pairs: 50, sync_pairs: 8, ..StorageConfig::default() };
    // A service that comes up again takes the config that there is then.
    let start = terms(begin.min(end - 1));
    let mut options = StoreOptions::new(storage, Header::new(start.clone(), vec!["in".into()]));
    options.new_decisions = true;
    let (sink, resumed) = StoreSink::go_on(&Disk::system(), folder, options).unwrap();
    assert_eq!(resumed.next_ticket, begin);
    let mut sink = sink.with_segment_bytes(200_000);
    let mut decider = tracker(start);
    decider.restore(&resumed.decider);
    decider.catch_up(resumed.past(start.clone()).unwrap()).unwrap();
    let alive = Arc::new(());
    let all = |_| Marked { generation: 0, first: 0, end: u64::MAX, _alive: alive.clone() };
    let (reloads, signals) = (Reloads::new(2), Signals::default());
    let offers = if begin < at && at < end {
        let decider = Box::new(tracker(now));
        let (examiners, terms) = ((0..2).map(all).collect(), now.clone());
        let next = Generation { examiners, decider, terms, learns_on: was.learns_on(now) };
        vec![Offer { at, next }]
    } else {
        Vec::new()
    };
    let source = Numbers { next: begin, count: end, reloads: reloads.clone(), offers };
    let run = Run {
        source: Box::new(source),
        decider: &mut decider,
        sink: &mut sink,
        config: &config(4, 8),
        signals: &signals,
        first_ticket: begin,
    };
    let outcome = run.through_generations(
        (0..2).map(all).collect(),
        &reloads,
        crossbeam_channel::never(),
        |_| (),
    );
    assert!(outcome.error.is_none());
}

fn thresholds(folder: &Path) -> Vec<f32> {
    Reader::open(folder).unwrap().map(|record| record.unwrap().threshold.unwrap()).collect()
}

/// Goes on or starts anew as it should, and a run that is cut in two follows as one that is not, wherever
/// the cut is.
#[test]
fn a_followed_threshold_goes_on_or_starts_anew_also_after_a_restart() {
    let was = tracked(1, 1, 0.5);
    for (now, goes_on) in [(tracked(2, 1, 0.5), true), (tracked(1, 2, 0.5), false)] {
        let unbroken = tempdir().unwrap();
        follow(unbroken.path(), 2000, 1500, &was, &now);
        let wanted = thresholds(unbroken.path());
        // The window has found what keeps a quarter; anew, the first threshold decides again.
        assert!((wanted[1499] - 0.75).abs() < 0.1, "{}", wanted[1499]);
        assert_eq!(wanted[1500] == 0.5, !goes_on);
        assert_eq!(wanted[1519] == 0.5, !goes_on);
        assert_ne!(wanted[1521], 0.5);
        for cut in [100, 1499, 1500, 1512] {
            let parted = tempdir().unwrap();
            follow(parted.path(), cut, 1500, &was, &now);
            follow(parted.path(), 2000, 1500, &was, &now);
            let found = thresholds(parted.path());
            let differs = (0..2000).find(|at| found[*at] != wanted[*at]);
            assert_eq!(differs, None, "cut at {cut}, goes on: {goes_on}");
        }
    }
}
