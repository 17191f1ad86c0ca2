//! The latest kept and rejected pairs, with a small picture each.
//!
//! While nobody looks, the newest pair of each kind is held as it came, four times a second at most,
//! and no picture is decoded. Once somebody has looked, a thread of its own makes pictures small until
//! a minute after the last look. It takes the newest pair that is there, so that a fast run never waits
//! for it.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pairgate_core::config::{Config, DecodeMode, ImageLimits};
use pairgate_core::decision::Verdict;
use serde::Serialize;

use super::lock;
use crate::report::thumbnail;
use crate::store::Judged;

/// How long after the last look pictures are made.
const ATTENDED: Duration = Duration::from_secs(60);
/// Shortest time between two pairs of a kind that are looked at.
const APART: Duration = Duration::from_millis(250);
/// Largest picture that is held, in bytes as it came; a larger one is shown without.
const MAX_PICTURE: usize = 4 << 20;
/// Most bytes that decoding a picture may take; JPEGs are decoded at a part of their size.
const MAX_DECODE: u64 = 24 << 20;
/// Longest caption that is shown, in characters; longest key.
const MAX_TEXT: usize = 400;
/// Bytes of a pair that is shown, at most: the picture, as a data URL, and the texts.
const SHOWN_BYTES: u64 = 48 << 10;

/// A pair as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Grows from pair to pair.
    pub id: u64,
    verdict: &'static str,
    reason: &'static str,
    score: Option<f32>,
    key: String,
    caption: String,
    width: u32,
    height: u32,
    /// When it was decided, in milliseconds since 1970.
    time_ms: u64,
    /// A JPEG, as a data URL.
    thumbnail: Option<String>,
}

/// A pair that may be shown.
#[derive(Debug)]
struct Candidate {
    shown: Shown,
    picture: Vec<u8>,
}

/// The newest candidate of each kind: kept, rejected.
#[derive(Debug, Default)]
struct Slots {
    newest: [Option<Candidate>; 2],
    is_closed: bool,
}

#[derive(Debug)]
struct Shared {
    slots: Mutex<Slots>,
    news: Condvar,
    rings: [Mutex<VecDeque<Shown>>; 2],
    is_attended: AtomicBool,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Latest {
    places: usize,
    shared: Arc<Shared>,
    next: AtomicU64,
    /// When somebody looked last, in milliseconds.
    looked_ms: AtomicU64,
    /// When a pair of each kind was last taken, in milliseconds.
    taken_ms: [AtomicU64; 2],
}

impl Latest {
    /// Shows `places` pairs of each kind, none where that is 0.
    pub(super) fn new(places: usize, max_decode_bytes: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            slots: Mutex::default(),
            news: Condvar::new(),
            rings: Default::default(),
            is_attended: AtomicBool::new(false),
        });
        if places > 0 {
            let (shared, limits) = (shared.clone(), limits(max_decode_bytes));
            let make = move || shared.make(places, &limits);
            thread::Builder::new().name("thumbnails".into()).spawn(make)?;
        }
        let taken_ms = Default::default();
        Ok(Self { places, shared, next: AtomicU64::new(1), looked_ms: AtomicU64::new(0), taken_ms })
    }

    /// Bytes of memory that it takes at worst.
    pub(super) fn memory(config: &Config) -> u64 {
        let places = u64::from(config.agent.thumbnails);
        let decode = config.image.max_decode_bytes.min(MAX_DECODE);
        let made = decode + 3 * MAX_PICTURE as u64;
        if places == 0 { 0 } else { made + 2 * places * SHOWN_BYTES }
    }

    /// Takes a decided pair, where it is to be shown.
    pub(super) fn offer(&self, now: Duration, judged: &Judged) {
        let kind = match judged.decision.verdict {
            Verdict::Kept => 0,
            Verdict::Rejected => 1,
            Verdict::Failed => return,
        };
        // One more than it is: 0 is for never.
        let now_ms = 1 + now.as_millis() as u64;
        let last = self.taken_ms[kind].load(Ordering::Relaxed);
        if self.places == 0 || (last > 0 && now_ms < last + APART.as_millis() as u64) {
            return;
        }
        self.taken_ms[kind].store(now_ms, Ordering::Relaxed);
        let candidate = self.candidate(judged);
        let looked = self.looked_ms.load(Ordering::Relaxed);
        let is_attended = looked > 0 && now_ms < looked + ATTENDED.as_millis() as u64;
        self.shared.is_attended.store(is_attended, Ordering::Relaxed);
        self.shared.slots().newest[kind] = Some(candidate);
        if is_attended {
            self.shared.news.notify_one();
        }
    }

    /// The pairs that are shown and newer than `after`, oldest first. It counts as a look.
    pub(super) fn look(&self, now: Duration, after: u64) -> Vec<Shown> {
        self.looked_ms.store(1 + now.as_millis() as u64, Ordering::Relaxed);
        // Under the lock, so that the thread is not between its look at the flag and its wait.
        let slots = self.shared.slots();
        self.shared.is_attended.store(true, Ordering::Relaxed);
        drop(slots);
        self.shared.news.notify_one();
        let rings = self.shared.rings.iter();
        let mut shown: Vec<Shown> = rings
            .flat_map(|ring| {
                lock(ring).iter().filter(|s| s.id > after).cloned().collect::<Vec<_>>()
            })
            .collect();
        shown.sort_by_key(|shown| shown.id);
        shown
    }

    fn candidate(&self, judged: &Judged) -> Candidate {
        let Judged { sample, decision, .. } = judged;
        let metadata = sample.metadata();
        let caption = sample.pair(&metadata).caption.unwrap_or_default();
        let size = decision.facts.size;
        let shown = Shown {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            verdict: decision.verdict.name(),
            reason: decision.reason.name(),
            score: decision.facts.score,
            key: cut(&sample.key),
            // What is shown of it has at most four bytes a character.
            caption: cut(&String::from_utf8_lossy(&caption[..caption.len().min(4 * MAX_TEXT)])),
            width: size.width,
            height: size.height,
            time_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |t| t.as_millis() as u64),
            thumbnail: None,
        };
        let picture = sample.image().filter(|image| image.len() <= MAX_PICTURE);
        Candidate { shown, picture: picture.map(<[u8]>::to_vec).unwrap_or_default() }
    }
}

impl Drop for Latest {
    fn drop(&mut self) {
        self.shared.slots().is_closed = true;
        self.shared.news.notify_one();
    }
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }

    /// The thread: makes pictures small while somebody looks.
    fn make(&self, places: usize, limits: &ImageLimits) {
        while let Some((kind, candidate)) = self.next() {
            let Candidate { mut shown, picture } = candidate;
            shown.thumbnail = thumbnail(&picture, limits);
            let mut ring = lock(&self.rings[kind]);
            ring.push_back(shown);
            let over = ring.len().saturating_sub(places);
            ring.drain(..over);
        }
    }

    /// The older of the candidates that are there; waits for one, and for somebody who looks. `None`
    /// once it is closed.
    fn next(&self) -> Option<(usize, Candidate)> {
        let mut slots = self.slots();
        loop {
            if slots.is_closed {
                return None;
            }
            if self.is_attended.load(Ordering::Relaxed) {
                let id = |slot: &Option<Candidate>| slot.as_ref().map(|c| c.shown.id);
                let kinds = [0, 1].into_iter().filter(|kind| slots.newest[*kind].is_some());
                let kind = kinds.min_by_key(|kind| id(&slots.newest[*kind]));
                if let Some(kind) = kind {
                    return slots.newest[kind].take().map(|candidate| (kind, candidate));
                }
            }
            slots = self.news.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn limits(max_decode_bytes: u64) -> ImageLimits {
    let max_decode_bytes = max_decode_bytes.min(MAX_DECODE);
    ImageLimits { max_decode_bytes, decode: DecodeMode::Scaled, ..ImageLimits::default() }
}

fn cut(text: &str) -> String {
    text.trim().chars().take(MAX_TEXT).collect()
}
