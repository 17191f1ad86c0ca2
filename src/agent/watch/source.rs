//! The pairs of a watched folder, as they become whole.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pairgate_core::pair::Position;

use super::WatchOptions;
use super::after::Done;
use super::book::{Book, Files};
use super::events::{Event, Events};
use super::pair::{PairReader, Read};
use super::scan::{Scan, Step, is_hidden};
use super::shard::WatchedShard;
use super::signature::{INPUT, Signer};
use super::waiting::{Group, Waiting};
use crate::disk::IoError;
use crate::source::tar::TarSource;
use crate::source::{LooseKind, Sample, Source, ends_as_a_tar};

/// Time between two looks where nothing happens.
const NAP: Duration = Duration::from_millis(20);
/// How long a file must stand still that an event vouches for: what belongs to it may follow.
const MOMENT: Duration = Duration::from_millis(300);
/// Names that a scan goes through before events are looked at again.
const NAMES: usize = 256;
/// Gives the pairs of a folder, until it is stopped.
pub struct WatchSource {
    options: WatchOptions,
    reader: PairReader,
    signer: Signer,
    book: Book,
    done: Done,
    stop: Arc<AtomicBool>,
    events: Option<Events>,
    told: Vec<Event>,
    scan: Option<Scan>,
    next_scan: Instant,
    /// Whether the folder could not be read by the last scan.
    is_away: bool,
    waiting: Waiting,
    ready: VecDeque<(Sample, u64)>,
    tar: Option<WatchedShard>,
    at: u64,
}

impl WatchSource {
    /// Watches a folder, until `stop` is set.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read.
    pub fn open(
        options: WatchOptions,
        book: Book,
        done: Done,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, IoError> {
        let folder = &options.folder;
        let read = |why| IoError::Read { from: folder.display().to_string(), why };
        fs::read_dir(folder).map_err(read)?;
        let signer = Signer::new(folder).map_err(read)?;
        let events = options.events.then(Events::new).and_then(|events| {
            let told = |why: &io::Error| {
                log::warn!("{}: no events ({why}); it is scanned", folder.display());
            };
            events.inspect_err(told).ok()
        });
        let shard = folder.to_string_lossy().into();
        let reader = PairReader { shard, signer: signer.clone(), limits: options.limits };
        let scan = Some(Scan::new(folder));
        Ok(Self {
            reader,
            signer,
            book,
            done,
            stop,
            events,
            told: Vec::new(),
            scan,
            next_scan: Instant::now() + options.scan,
            is_away: false,
            waiting: Waiting::default(),
            ready: VecDeque::new(),
            tar: None,
            at: 0,
            options,
        })
    }

    /// Groups that were found and are not read yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Hears what the system tells.
    fn hear(&mut self, now: Instant) {
        let Some(events) = &mut self.events else { return };
        if let Err(why) = events.drain(&mut self.told) {
            log::warn!("{}: no more events ({why}); it is scanned", self.reader.shard);
            self.events = None;
            self.rescan();
        }
        for event in std::mem::take(&mut self.told) {
            match event {
                Event::Lost => self.rescan(),
                Event::Folder(path) => {
                    if !path.file_name().is_some_and(is_hidden) {
                        match &mut self.scan {
                            Some(scan) => scan.add(path),
                            None => self.scan = Some(Scan::new(&path)),
                        }
                    }
                }
                Event::File(path) => self.found(&path, true, now),
            }
        }
    }

    /// Takes note of a file.
    fn found(&mut self, path: &Path, is_vouched: bool, now: Instant) {
        let kind = LooseKind::of(path);
        let hidden = path.file_name().is_some_and(is_hidden);
        if hidden || kind == LooseKind::Other {
            return;
        }
        if !self.waiting.add(path, kind, is_vouched, now) {
            self.rescan();
        }
    }

    fn rescan(&mut self) {
        self.next_scan = self.next_scan.min(Instant::now() + MOMENT);
    }

    /// Goes on with the scan, where one is due; whether there was anything to do.
    fn go_on_scanning(&mut self, now: Instant) -> bool {
        if self.scan.is_none() {
            if now < self.next_scan {
                return false;
            }
            self.scan = Some(Scan::new(&self.options.folder));
            self.next_scan = now + self.options.scan;
        }
        for _ in 0..NAMES {
            if self.waiting.is_full() {
                return false;
            }
            let Some(scan) = &mut self.scan else { return true };
            match scan.step() {
                Ok(Step::Folder(folder)) => self.enter(&folder),
                Ok(Step::File(path, kind)) => self.look_at(&path, kind, now),
                Ok(Step::Nothing) => {}
                Ok(Step::End) => {
                    self.scan = None;
                    self.next_scan = self.next_scan.min(now + self.options.scan);
                    return true;
                }
                Err((folder, why)) => log::warn!("{}: {why}", folder.display()),
            }
        }
        true
    }

    /// Enters a folder. It is listened to before its names are read: what comes in between is seen twice,
    /// and not missed.
    fn enter(&mut self, folder: &Path) {
        if let Some(events) = &mut self.events
            && let Err(why) = events.add(folder)
            && why.kind() != io::ErrorKind::NotFound
        {
            log::warn!("{}: no events ({why}); it is scanned", folder.display());
        }
        let entered = self.scan.as_mut().map_or(Ok(()), |scan| scan.enter(folder));
        let is_root = folder == self.options.folder;
        match entered {
            Ok(()) if is_root => self.is_away = false,
            Ok(()) => {}
            // It may come back: a disk that is not mounted.
            Err(why) if !(is_root && self.is_away) => {
                log::warn!("{}: {why}", folder.display());
                self.is_away |= is_root;
            }
            Err(_) => {}
        }
    }

    /// Looks at a file that a scan has found.
    fn look_at(&mut self, path: &Path, kind: LooseKind, now: Instant) {
        let Ok(Some(own)) = self.signer.at(path) else { return };
        let signature = if kind == LooseKind::Shard { WatchedShard::last_of(own) } else { own };
        if !self.book.has(signature) {
            self.waiting.add(path, kind, false, now);
            return;
        }
        let (was_before, was_failed, is_given) = {
            let pages = self.book.pages();
            let has = |set: &std::collections::HashSet<u64>| set.contains(&signature);
            (has(&pages.before), has(&pages.failed), has(&pages.given))
        };
        // A killed run has decided it and had not come to this.
        if was_before && !is_given && !self.done.keeps() {
            let texts = match kind {
                LooseKind::Shard => Vec::new(),
                _ => self.reader.texts_of(path),
            };
            let paths = std::iter::once(path.to_owned()).chain(texts).collect();
            self.done.finish_left(&Files { paths, signature: own }, was_failed);
        }
    }

    /// Looks at what waits; whether anything was due.
    fn look_at_waiting(&mut self, now: Instant) -> bool {
        let Some((stem, group)) = self.waiting.take_due(now) else { return false };
        match group.is_shard {
            true => self.look_at_shard(stem, group, now),
            false => self.look_at_pictures(stem, group, now),
        }
        true
    }

    /// Whether files have stood still long enough; `None` where they have not. Gives the time after which
    /// to look again.
    fn is_still(
        &self,
        group: &mut Group,
        files: &[PathBuf],
        now: Instant,
    ) -> Result<u64, Duration> {
        let mut all = 0u64;
        for path in files {
            // One that has just gone, or cannot be looked at, is as one that changes.
            let signature = self.signer.at(path).ok().flatten().unwrap_or_default();
            all = all.rotate_left(9) ^ signature;
        }
        let is_vouched = |path: &PathBuf| {
            path.file_name().is_some_and(|name| group.vouched.iter().any(|other| other == name))
        };
        let pause = match files.iter().all(is_vouched) {
            true => MOMENT,
            false => self.options.settle,
        };
        match group.look {
            Some((seen, since)) if seen == all => {
                let stood = now.saturating_duration_since(since);
                if stood >= pause { Ok(all) } else { Err(pause - stood) }
            }
            _ => {
                group.look = Some((all, now));
                Err(pause)
            }
        }
    }

    fn look_at_pictures(&mut self, stem: PathBuf, mut group: Group, now: Instant) {
        let folder = stem.parent().unwrap_or(Path::new("")).to_owned();
        let images: Vec<PathBuf> = group.names.iter().map(|name| folder.join(name)).collect();
        let is_new = |path: &PathBuf| matches!(self.signer.at(path), Ok(Some(signature)) if !self.book.has(signature));
        let images: Vec<PathBuf> = images.into_iter().filter(|path| is_new(path)).collect();
        let has_waited = now.saturating_duration_since(group.since) >= self.options.caption_wait;
        if images.is_empty() {
            // Captions alone wait for their picture for a while.
            if !group.names.is_empty() || has_waited {
                return;
            }
            return self.waiting.put_back(stem, group, now, self.options.settle);
        }
        let texts: Vec<Vec<PathBuf>> =
            images.iter().map(|image| self.reader.texts_of(image)).collect();
        let files: Vec<PathBuf> = images.iter().chain(texts.iter().flatten()).cloned().collect();
        let look = match self.is_still(&mut group, &files, now) {
            Ok(look) => look,
            Err(pause) => return self.waiting.put_back(stem, group, now, pause),
        };
        if group.incomplete == Some(look) && !has_waited {
            let left = self.options.caption_wait - now.saturating_duration_since(group.since);
            return self.waiting.put_back(stem, group, now, left.min(self.options.settle));
        }
        let mut samples = Vec::new();
        for (image, texts) in images.iter().zip(&texts) {
            match self.reader.read(image, texts, has_waited) {
                Read::Whole(sample, files) => samples.push((sample, files)),
                Read::NoCaption => {
                    group.incomplete = Some(look);
                    return self.waiting.put_back(stem, group, now, MOMENT);
                }
                Read::Changed => {
                    group.look = None;
                    return self.waiting.put_back(stem, group, now, self.options.settle);
                }
            }
        }
        self.give(samples);
    }

    /// Gives samples of one stem. Texts that several pictures share are done with behind the last one.
    fn give(&mut self, samples: Vec<(Sample, Files)>) {
        let count = samples.len();
        let mut shared = Vec::new();
        for (number, (sample, mut files)) in samples.into_iter().enumerate() {
            shared.extend(files.paths.drain(1..));
            if number + 1 == count {
                shared.sort();
                shared.dedup();
                files.paths.append(&mut shared);
            }
            let signature = files.signature;
            self.note_given(signature, Some(files));
            self.ready.push_back((sample, signature));
        }
    }

    fn note_given(&self, signature: u64, files: Option<Files>) {
        let mut pages = self.book.pages();
        pages.given.insert(signature);
        if let Some(files) = files.filter(|_| !self.done.keeps()) {
            pages.files.insert(signature, files);
        }
    }

    fn look_at_shard(&mut self, path: PathBuf, mut group: Group, now: Instant) {
        let Ok(Some(signature)) = self.signer.at(&path) else { return };
        if self.book.has(WatchedShard::last_of(signature)) {
            return;
        }
        let look = match self.is_still(&mut group, std::slice::from_ref(&path), now) {
            Ok(look) => look,
            Err(pause) => return self.waiting.put_back(path, group, now, pause),
        };
        if group.incomplete != Some(look) {
            match self.open_shard(&path, signature) {
                Ok(true) => return,
                Ok(false) => group.incomplete = Some(look),
                Err(error) => {
                    log::warn!("{error}");
                    group.look = None;
                }
            }
        } else if !group.is_told && now - group.since >= self.options.caption_wait {
            group.is_told = true;
            log::warn!("{}: it does not end as a tar; it waits for its end", path.display());
        }
        self.waiting.put_back(path, group, now, self.options.settle);
    }

    /// Begins with a shard; `false` where it has no end yet.
    fn open_shard(&mut self, path: &Path, signature: u64) -> Result<bool, IoError> {
        let read = |why| IoError::Read { from: path.display().to_string(), why };
        if !ends_as_a_tar(path).map_err(read)? {
            return Ok(false);
        }
        let source = TarSource::open(path, self.options.limits).map_err(read)?;
        let shard = WatchedShard::open(source, path.to_owned(), signature)?;
        if shard.is_empty() {
            log::warn!("{}: no pairs were found in it; it stays", path.display());
            self.note_given(WatchedShard::last_of(signature), None);
        } else {
            self.tar = Some(shard);
        }
        Ok(true)
    }

    /// The next sample of the shard that is being read which is not decided.
    fn next_of_shard(&mut self) -> Option<Sample> {
        while let Some(shard) = &mut self.tar {
            let (sample, signature, is_last) = match shard.next() {
                Ok(Some(next)) => next,
                Ok(None) => {
                    self.tar = None;
                    break;
                }
                Err(error) => {
                    // A later scan finds it again, and what is given already is passed over then.
                    log::warn!("{error}");
                    self.tar = None;
                    break;
                }
            };
            if self.book.has(signature) {
                continue;
            }
            let files = Files { paths: vec![shard.path.clone()], signature: shard.signature };
            if is_last {
                // The last one stands for all.
                let mut pages = self.book.pages();
                for earlier in shard.earlier() {
                    pages.given.remove(&earlier);
                }
            }
            self.note_given(signature, is_last.then_some(files));
            self.at = signature;
            return Some(sample);
        }
        None
    }
}

impl Source for WatchSource {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        while !self.stop.load(Ordering::SeqCst) {
            if let Some((sample, signature)) = self.ready.pop_front() {
                self.at = signature;
                return Ok(Some(sample));
            }
            if let Some(sample) = self.next_of_shard() {
                return Ok(Some(sample));
            }
            let now = Instant::now();
            self.hear(now);
            let has_looked = self.look_at_waiting(now);
            let has_scanned = !has_looked && self.go_on_scanning(now);
            if !has_looked && !has_scanned {
                thread::sleep(NAP);
            }
        }
        Ok(None)
    }

    fn position(&self) -> Position {
        Position { input: INPUT, item: self.at }
    }
}
