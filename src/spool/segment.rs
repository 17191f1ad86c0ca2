//! A segment's file: its name, and reading its frames, damaged ones between them.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::frame::{Found, HEADER_BYTES, MAGIC};
use crate::disk::IoError;

const ENDING: &str = ".spool";
/// Digits of the first sequence number in a segment's name: so names sort as numbers do.
const DIGITS: usize = 20;
/// Bytes that are looked at together for the next frame behind damage.
const WINDOW: usize = 64 << 10;

/// One file.
#[derive(Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    /// The first sequence number that it may hold.
    pub first: u64,
    /// The one behind the last that it holds.
    pub next: u64,
    pub bytes: u64,
    /// Whether it is to be kept when it is done with.
    pub is_damaged: bool,
}

impl Segment {
    /// One in which nothing is yet.
    pub fn new(path: PathBuf, first: u64) -> Self {
        Self { path, first, next: first, bytes: 0, is_damaged: false }
    }
}

/// The path of the segment whose first pair has this number.
pub(super) fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:0DIGITS$}{ENDING}"))
}

/// The segments' paths by their first sequence numbers, in their order.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        found.extend(number_of(&path).map(|first| (first, path)));
    }
    found.sort();
    Ok(found)
}

fn number_of(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
    let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// The spool's number in the first frame of a segment, where that is whole.
pub(super) fn spool_of(path: &Path) -> Option<u32> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(HEADER_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Found::at(&bytes).map(|found| found.header.spool)
}

/// What is next in a segment.
#[derive(Debug)]
pub(super) enum Item {
    /// A whole frame.
    Frame { sequence: u64, payload: Vec<u8> },
    /// What is no frame; reading goes on behind it.
    Damage,
    /// Nothing, or a frame that was being written when the process or the power ended.
    End,
}

/// Reads a segment's frames in order.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: BufReader<File>,
    from: String,
    first: u64,
    spool: u32,
    /// Where the next frame is looked for.
    offset: u64,
    /// The lowest sequence number that the next frame may have.
    lowest: u64,
}

impl SegmentReader {
    /// Reads `segment` from its begin; frames of another spool than `spool` are none.
    pub fn open(segment: &Segment, spool: u32) -> Result<Self, IoError> {
        let from = segment.path.display().to_string();
        let file =
            File::open(&segment.path).map_err(|why| IoError::Read { from: from.clone(), why })?;
        let file = BufReader::with_capacity(WINDOW, file);
        let first = segment.first;
        Ok(Self { file, from, first, spool, offset: 0, lowest: first })
    }

    /// The first sequence number that the segment may hold.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number behind the last frame that was come upon.
    pub fn reached(&self) -> u64 {
        self.lowest
    }

    /// The next frame from number `wanted` on, in the file's first `end` bytes.
    pub fn next(&mut self, wanted: u64, end: u64) -> Result<Item, IoError> {
        loop {
            match self.step(wanted, end) {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(why) => return Err(IoError::Read { from: self.from.clone(), why }),
            }
        }
    }

    /// One frame; `None` for one before the wanted one.
    fn step(&mut self, wanted: u64, end: u64) -> io::Result<Option<Item>> {
        if self.offset >= end {
            return Ok(Some(Item::End));
        }
        let Some(found) = self.header(end)? else {
            return self.pass_damage(end).map(Some);
        };
        let next = self.offset + (HEADER_BYTES + found.length) as u64;
        let sequence = found.header.sequence;
        if sequence < wanted {
            (self.offset, self.lowest) = (next, sequence + 1);
            return Ok(None);
        }
        let mut payload = Vec::new();
        self.seek(self.offset + HEADER_BYTES as u64)?;
        (&mut self.file).take(found.length as u64).read_to_end(&mut payload)?;
        if !found.is_of(&payload) {
            return self.pass_damage(end).map(Some);
        }
        (self.offset, self.lowest) = (next, sequence + 1);
        Ok(Some(Item::Frame { sequence, payload }))
    }

    /// The header at the offset, where it is one of a frame that can be here.
    fn header(&mut self, end: u64) -> io::Result<Option<Found>> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        self.seek(self.offset)?;
        (&mut self.file).take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(Found::at(&bytes).filter(|found| self.can_be(found, self.offset, end)))
    }

    fn can_be(&self, found: &Found, offset: u64, end: u64) -> bool {
        let fits = offset + (HEADER_BYTES + found.length) as u64 <= end;
        fits && found.header.spool == self.spool && found.header.sequence >= self.lowest
    }

    /// Goes to the next whole frame behind the offset, at which there is none.
    fn pass_damage(&mut self, end: u64) -> io::Result<Item> {
        let from = self.offset;
        let (mut at, mut window) = (from + 1, Vec::with_capacity(WINDOW));
        while at + HEADER_BYTES as u64 <= end {
            window.clear();
            self.seek(at)?;
            (&mut self.file).take((end - at).min(WINDOW as u64)).read_to_end(&mut window)?;
            for candidate in memchr::memmem::find_iter(&window, MAGIC) {
                let offset = at + candidate as u64;
                let found = Found::at(&window[candidate..]);
                let found = found.filter(|found| self.can_be(found, offset, end));
                if let Some(found) = found
                    && self.is_whole(&found, offset)?
                {
                    self.offset = offset;
                    return Ok(Item::Damage);
                }
            }
            if window.len() < HEADER_BYTES {
                break;
            }
            // A header may lie across the window's end.
            at += (window.len() - HEADER_BYTES + 1) as u64;
        }
        self.offset = end;
        let is_cut = self.is_cut_frame(from, end)?;
        Ok(if is_cut { Item::End } else { Item::Damage })
    }

    /// Whether the payload behind the header at `offset` is right.
    fn is_whole(&mut self, found: &Found, offset: u64) -> io::Result<bool> {
        let mut payload = Vec::new();
        self.seek(offset + HEADER_BYTES as u64)?;
        (&mut self.file).take(found.length as u64).read_to_end(&mut payload)?;
        Ok(found.is_of(&payload))
    }

    /// Whether the bytes from `from` on are the begin of a frame with zeros behind it perhaps: what a
    /// killed process and a power cut leave at a file's end.
    fn is_cut_frame(&mut self, from: u64, end: u64) -> io::Result<bool> {
        self.seek(from)?;
        let mut header = Vec::new();
        (&mut self.file).take(HEADER_BYTES as u64).read_to_end(&mut header)?;
        let written = self.written(from, end)?;
        let start = &header[..header.len().min(written as usize).min(MAGIC.len())];
        Ok(match Found::at(&header) {
            Some(found) => {
                let is_own = found.header.spool == self.spool;
                is_own && written < (HEADER_BYTES + found.length) as u64
            }
            None => written < HEADER_BYTES as u64 && MAGIC.starts_with(start),
        })
    }

    /// Bytes from `from` on up to the last one that is not zero.
    fn written(&mut self, from: u64, end: u64) -> io::Result<u64> {
        self.seek(from)?;
        let (mut written, mut passed) = (0, 0);
        let mut window = vec![0; WINDOW];
        loop {
            let most = (end - from - passed).min(WINDOW as u64) as usize;
            let read = self.file.read(&mut window[..most])?;
            if read == 0 {
                return Ok(written);
            }
            if let Some(last) = window[..read].iter().rposition(|byte| *byte != 0) {
                written = passed + last as u64 + 1;
            }
            passed += read as u64;
        }
    }

    fn seek(&mut self, to: u64) -> io::Result<()> {
        let at = self.file.stream_position()?;
        match i64::try_from(i128::from(to) - i128::from(at)) {
            // Within what is buffered nothing is read again.
            Ok(by) => self.file.seek_relative(by),
            Err(_) => self.file.seek(SeekFrom::Start(to)).map(drop),
        }
    }
}
