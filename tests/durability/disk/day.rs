//! A day of a camera on a board, in fast time: a small card that is full most of the day, restarts of all
//! kinds, and what it all came to, hour by hour.
//!
//! ```sh
//! cargo test --release --no-default-features --test durability -- --ignored --nocapture a_day_hour_by_hour
//! ```
//! prints the table of docs/figures.md.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pairgate::capture::mjpeg::MjpegSource;
use pairgate::decide::Fixed;
use pairgate::disk::{Disk, FileSystem, IoError};
use pairgate::gate::{Evidence, Examine, ExamineError};
use pairgate::journal::{Header, ModelName, Terms};
use pairgate::pipeline::{Run, Signals};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate::store::{Gone, StoreOptions, StoreSink};
use pairgate_core::config::{OnFullDisk, PipelineConfig, SampleLimits, StorageConfig};
use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, PairRef};
use pairgate_core::policy::{OnError, Policy};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::clock::TestClock;
use super::full::{SmallDisk, bytes_in};
use super::power_cut::{KINDS, State};
use super::quick::{QuickFiles, scratch};
use super::random::Random;
use super::recorder::Recorder;

const HOURS: u64 = 24;
/// Says how many seconds lie between two frames: 1 in the table, more where it must be quick.
const SECONDS: &str = "PAIRGATE_DAY_SECONDS";

/// Where it is set the power is never cut: memory is then that of the run alone.
const NO_CUTS: &str = "PAIRGATE_DAY_NO_CUTS";

/// A recording that begins again at its end.
struct Loop {
    bytes: Arc<Vec<u8>>,
    at: usize,
}

impl Read for Loop {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at = (self.at + count) % self.bytes.len();
        Ok(count)
    }
}

fn recording() -> Arc<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden/files");
    let names = ["baseline-420.jpg", "baseline-422.jpg", "baseline-444.jpg", "grey.jpg"];
    Arc::new(names.iter().flat_map(|name| fs::read(folder.join(name)).unwrap()).collect())
}

/// A camera that gives so many frames, each of which takes its time.
struct Camera {
    stream: MjpegSource<BufReader<Loop>>,
    clock: TestClock,
    interval: Duration,
    number: u64,
    left: u64,
}

impl Source for Camera {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.clock.advance(self.interval);
        let mut sample = self.stream.next()?.expect("a recording without an end");
        let caption = format!("frame {} of a door", self.number).into_bytes();
        sample.key = format!("f{:08}", self.number);
        sample.members.push(Member { extension: "txt".into(), data: caption });
        self.number += 1;
        Ok(Some(sample))
    }
}

/// Scores a pair by its digest, and finds some pictures damaged.
struct ByHash;

impl Examine for ByHash {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        let of = |pair: &PairRef<'_>| {
            let content = Digest(Sha256::digest(pair.image.unwrap_or_default()).into());
            let hash = Sha256::digest(pair.caption.unwrap_or_default());
            let score = Some(f32::from(hash[0]) / 255.0);
            let found = if hash[1] < 5 { Reason::Undecodable } else { Reason::Passed };
            Evidence::new(found, Facts { score, content, ..Facts::default() })
        };
        Ok(pairs.iter().map(of).collect())
    }
}

/// How an hour ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As when it is asked to stop.
    Stopped,
    /// The process is gone, at once.
    Killed,
    /// The power is.
    PowerCut,
}

/// Looks at the folder after every pair, and ends as it is told.
struct Watched {
    store: StoreSink,
    recorder: Option<Recorder>,
    folder: std::path::PathBuf,
    end: End,
    most: u64,
}

impl Sink for Watched {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.store.accept(judged)?;
        if let Some(recorder) = &self.recorder {
            recorder.mark(self.store.durable().unwrap());
        }
        if judged.decision.verdict == Verdict::Kept {
            let bytes = bytes_of_shards(&self.folder);
            assert!(bytes <= self.most, "{bytes} of {}", self.most);
        }
        Ok(())
    }

    fn wants_checkpoint(&self) -> bool {
        self.store.wants_checkpoint()
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        self.store.checkpoint(decider)
    }

    fn idle(&mut self) -> Result<(), IoError> {
        self.store.idle()
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        if self.end == End::Stopped { self.store.finish(end) } else { Ok(()) }
    }

    fn durable(&self) -> Option<u64> {
        self.store.durable()
    }
}

fn bytes_of_shards(folder: &Path) -> u64 {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let tars = names.filter(|entry| entry.file_name().to_str().unwrap().contains(".tar"));
    tars.map(|entry| entry.metadata().unwrap().len()).sum()
}

/// The board.
struct Board {
    card: TempDir,
    clock: TestClock,
    config: StorageConfig,
    interval: Duration,
    recording: Arc<Vec<u8>>,
    random: Random,
    /// Frames so far.
    frames: u64,
    /// What was durable when the last hour ended.
    durable: u64,
}

/// What an hour came to.
struct Hour {
    decided: [u64; 3],
    gone: Gone,
    stored: u64,
}

impl Board {
    fn new(seconds: u64) -> Self {
        // Two hours of a camera fit.
        let max_bytes = 2 * 3600 / seconds * 2_000;
        let config = StorageConfig {
            shard_age_ms: 600_000,
            sync_pairs: 32,
            sync_ms: 2_000,
            max_bytes,
            on_full: OnFullDisk::DropOldest,
            min_free: max_bytes / 8,
            keep_days: 1,
            drop_journal: true,
            ..StorageConfig::default()
        };
        Self {
            card: scratch(),
            clock: TestClock::still(),
            config,
            interval: Duration::from_secs(seconds),
            recording: recording(),
            random: Random::seeded(24),
            frames: 0,
            durable: 0,
        }
    }

    /// An hour; before a power cut the process is killed too, so that what is recorded for it is short.
    fn hour(&mut self, end: End, others: u64) -> Hour {
        let frames = 3600 / self.interval.as_secs();
        let recorded = frames / 6;
        if end != End::PowerCut {
            return self.session(end, others, frames);
        }
        self.session(End::Killed, others, frames - recorded);
        self.session(end, others, recorded)
    }

    fn session(&mut self, end: End, others: u64, frames: u64) -> Hour {
        let around = self.card.path().to_owned();
        let recorder =
            (end == End::PowerCut).then(|| Recorder::with(&around, Arc::new(QuickFiles)));
        let files: Arc<dyn FileSystem> = match &recorder {
            Some(recorder) => Arc::new(recorder.clone()),
            None => Arc::new(QuickFiles),
        };
        let small = SmallDisk::new(files, &around, self.config.max_bytes * 3 / 2);
        small.fill(others);
        let disk = Disk::new(Arc::new(small), Arc::new(self.clock.clone()));
        let out = around.join("out");
        let mut options = StoreOptions::new(self.config, header());
        options.again = false;
        let (store, resumed) = StoreSink::go_on(&disk, &out, options).unwrap();
        assert!(resumed.next_ticket >= self.durable, "{} of {}", resumed.next_ticket, self.durable);
        let segment_bytes = self.config.max_bytes / 16;
        let store = store.with_segment_bytes(segment_bytes);
        let first_ticket = resumed.next_ticket;
        let folder = out.clone();
        let most = self.config.max_bytes;
        let mut sink = Watched { store, recorder: recorder.clone(), folder, end, most };
        self.run(&mut sink, first_ticket, frames);
        self.durable = sink.store.durable().unwrap();
        let ledger = sink.store.ledger().clone();
        assert_eq!(ledger.counts.decided(), ledger.next_ticket, "each ticket has one ending");
        drop(sink);
        if let Some(recorder) = recorder {
            self.cut(&recorder);
        }
        let decided = Verdict::ALL.map(|verdict| ledger.counts.total(verdict));
        Hour { decided, gone: ledger.gone, stored: ledger.stored }
    }

    fn run(&mut self, sink: &mut Watched, first_ticket: u64, frames: u64) {
        let reader =
            BufReader::with_capacity(1 << 14, Loop { bytes: self.recording.clone(), at: 0 });
        let camera = Camera {
            stream: MjpegSource::new(reader, "camera", SampleLimits::default()),
            clock: self.clock.clone(),
            interval: self.interval,
            number: self.frames,
            left: frames,
        };
        self.frames += frames;
        let policy = Policy { threshold: Some(0.4), on_error: OnError::Drop };
        let signals = Signals { ends_by_stop: true, ..Signals::default() };
        let config = PipelineConfig { workers: 2, ..PipelineConfig::default() };
        let run = Run {
            source: Box::new(camera),
            decider: &mut Fixed(policy),
            sink,
            config: &config,
            signals: &signals,
            first_ticket,
        };
        let outcome = run.through(vec![ByHash, ByHash], |_| ());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(outcome.read, frames);
    }

    /// The card is what a power cut leaves of it, in the last minutes of the hour.
    fn cut(&mut self, recorder: &Recorder) {
        let log = recorder.log();
        let points: Vec<_> = log.points().collect();
        let last = points.len() / 8 + 1;
        let point = points[points.len() - 1 - self.random.below(last.min(points.len()))];
        // But for holes within what was not synced, which are damage.
        let kind = KINDS[self.random.below(KINDS.len() - 1)];
        let state = State::make(&log, point, kind, &mut self.random);
        let card = scratch();
        state.write_to(card.path());
        (self.card, self.durable) = (card, state.mark.unwrap_or(0));
    }
}

fn header() -> Header {
    let model = ModelName { name: "a hash".into(), digest: Digest([1; 32]) };
    let terms = Terms::new(model, Digest([2; 32]), Vec::new(), Some(0.4), None);
    Header::new(terms, vec!["camera".into()])
}

/// KiB of memory that the process holds; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4)
}

/// Samples in the finished shards of a folder, by their statistics.
fn samples_in(folder: &Path) -> u64 {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stats = names.filter(|path| path.to_str().unwrap().ends_with("_stats.json"));
    let told = |path| -> u64 {
        let text: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        text["successes"].as_u64().unwrap()
    };
    stats.map(told).sum()
}

#[test]
#[ignore = "a day takes a minute, and its memory is seen only where no other test runs"]
fn a_day_hour_by_hour() {
    let seconds = std::env::var(SECONDS).map_or(1, |text| text.parse().unwrap());
    let cuts = std::env::var_os(NO_CUTS).is_none();
    let mut board = Board::new(seconds);
    let mut memory = Vec::new();
    println!(
        "| hour | ended | pairs | kept | rejected | failed | removed | shards, KiB | journal, KiB | memory, MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut last = None;
    for number in 1..=HOURS {
        let end = match number {
            HOURS => End::Stopped,
            _ if number % 3 == 2 && cuts => End::PowerCut,
            _ => [End::Stopped, End::Killed][(number % 3).min(1) as usize],
        };
        // For some hours others take so much of the card that it is full itself.
        let others = if (12..15).contains(&number) { board.config.max_bytes } else { 0 };
        let hour = board.hour(end, others);
        let out = board.card.path().join("out");
        let resident = resident();
        memory.extend(resident);
        println!(
            "| {number} | {end:?} | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
            hour.decided.iter().sum::<u64>(),
            hour.decided[Verdict::Kept as usize],
            hour.decided[Verdict::Rejected as usize],
            hour.decided[Verdict::Failed as usize],
            hour.gone.pairs,
            bytes_of_shards(&out) >> 10,
            bytes_in(&out.join("journal")) >> 10,
            resident.unwrap_or(0) as f64 / 1024.0,
        );
        last = Some(hour);
    }
    let (hour, out) = (last.unwrap(), board.card.path().join("out"));
    assert_eq!(hour.stored, samples_in(&out) + hour.gone.pairs, "stored = there + removed");
    assert!(hour.gone.pairs > hour.stored / 2, "the bound was reached many times");
    let entries =
        fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> =
        entries.filter(|name| name.contains("dropped") || name.contains("damaged")).collect();
    assert!(left.is_empty(), "{left:?}");
    // What a recorder holds of an hour is given back to the allocator, not all of it to the system.
    let (early, late) = memory.split_at(memory.len() / 2);
    let most = |part: &[u64]| part.iter().max().copied().unwrap_or(0);
    assert!(most(late) <= most(early) + most(early) / 20 + 4096, "{memory:?}");
}

/// The same with a frame every 20 seconds, in a process of its own.
#[test]
fn a_day_on_a_board_stays_within_its_bounds() {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    child.args(["disk::day::a_day_hour_by_hour", "--exact", "--ignored", "--nocapture"]);
    let ended = child.env(SECONDS, "20").output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    let why = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}\n{why}");
}
