//! JPEG pictures one after the other in a stream, as cameras' programs write them to a pipe.
//!
//! A picture is followed from marker to marker, so that a thumbnail within it does not end it. Bytes
//! between pictures, such as the headers of a multipart stream, are passed over. Pictures keep their
//! bytes; Huffman tables, which many cameras leave out, are put in.
//!
//! A picture that is damaged costs itself alone: where another one starts, it ends (`segment.rs`).

mod marker;
mod segment;
mod window;

use std::io::{self, BufRead};
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::tables::TYPICAL;
use crate::disk::IoError;
use crate::source::{Member, Sample, Source};
use segment::Extent;
use window::Window;

/// Reads pictures from a stream.
#[derive(Debug)]
pub struct MjpegSource<R> {
    stream: Window<R>,
    from: Arc<str>,
    limits: SampleLimits,
    pictures: u64,
    passed_over: u64,
}

/// How a picture ended.
enum Ending {
    Whole,
    /// The stream ended, or the next picture began, before its end.
    Cut,
}

/// What follows entropy-coded data, at the front of the stream.
enum Next {
    /// A marker that does not stand alone, by its code.
    Marker(u8),
    /// The next picture.
    Start,
    /// Nothing.
    Over,
}

impl<R: BufRead> MjpegSource<R> {
    /// Pictures from `reader`; `from` is what samples and errors call it.
    pub fn new(reader: R, from: &str, limits: SampleLimits) -> Self {
        let (stream, from) = (Window::new(reader), from.into());
        Self { stream, from, limits, pictures: 0, passed_over: 0 }
    }

    fn read_picture(&mut self) -> io::Result<Option<Sample>> {
        if !self.find_start()? {
            if self.pictures == 0 && self.passed_over > 0 {
                let why = format!("no JPEG in its {} bytes", self.passed_over);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            return Ok(None);
        }
        self.pictures += 1;
        let mut picture = Picture::new(self.limits.max_sample_bytes);
        if let Ending::Cut = self.read_on(&mut picture)? {
            log::debug!("{}: picture {} is cut", self.from, self.pictures);
        }
        Ok(Some(self.sample(picture)))
    }

    /// A picture that is cut goes on as it is: the gate will say so.
    fn sample(&self, picture: Picture) -> Sample {
        let too_large = picture.total > picture.most;
        let data = if too_large { Vec::new() } else { picture.bytes };
        Sample {
            shard: self.from.clone(),
            key: String::new(),
            members: vec![Member { extension: "jpg".into(), data }],
            fault: too_large.then_some(Reason::SampleTooLarge),
        }
    }

    /// Passes over everything up to a picture's start, and takes its marker; false at the stream's
    /// end.
    fn find_start(&mut self) -> io::Result<bool> {
        loop {
            let Some(before) = self.until_ff()? else { return Ok(false) };
            self.pass_over(before);
            let looks_like_one = self.stream.look(2)?.starts_with(&[0xFF, marker::START]);
            if looks_like_one && marker::starts(self.stream.look(marker::LOOK)?) {
                self.stream.take(2);
                return Ok(true);
            }
            let is_ff = self.stream.look(1)?.starts_with(&[0xFF]);
            self.pass_over(usize::from(is_ff));
        }
    }

    /// How many bytes are seen in front of the next `FF`; `None` at the stream's end.
    fn until_ff(&mut self) -> io::Result<Option<usize>> {
        let bytes = self.stream.look(1)?;
        let found = bytes.iter().position(|byte| *byte == 0xFF);
        Ok((!bytes.is_empty()).then(|| found.unwrap_or(bytes.len())))
    }

    fn pass_over(&mut self, count: usize) {
        self.stream.take(count);
        self.passed_over += count as u64;
    }

    /// Takes a picture from behind its start marker to its end. Huffman tables that it leaves out are
    /// put in, so that every reader can read it.
    fn read_on(&mut self, picture: &mut Picture) -> io::Result<Ending> {
        let (mut baseline, mut tables, mut in_front) = (false, false, true);
        loop {
            let code = match self.next_marker(picture)? {
                Next::Marker(code) => code,
                // A start that comes twice is one.
                Next::Start if picture.is_bare() => {
                    self.stream.take(2);
                    *picture = Picture::new(picture.most);
                    continue;
                }
                Next::Start | Next::Over => return Ok(Ending::Cut),
            };
            if code == marker::END {
                self.take(2, picture);
                return Ok(Ending::Whole);
            }
            baseline |= code == marker::BASELINE;
            tables |= code == marker::HUFFMAN;
            if code == marker::SCAN && baseline && !tables {
                tables = true;
                picture.push(&TYPICAL);
            }
            in_front &= code != marker::SCAN;
            if let Ending::Cut = self.segment(in_front, picture)? {
                return Ok(Ending::Cut);
            }
        }
    }

    /// Takes entropy-coded data, if any, up to the next marker that is no part of it, or to the next
    /// picture. In such data `FF` is followed by 0, by a restart's code or by more `FF`; all else that
    /// has no length is damage, and taken as it is.
    fn next_marker(&mut self, picture: &mut Picture) -> io::Result<Next> {
        loop {
            let Some(before) = self.until_ff()? else { return Ok(Next::Over) };
            self.take(before, picture);
            match *self.stream.look(2)? {
                [0xFF, marker::START, ..] => {
                    if marker::starts(self.stream.look(marker::LOOK)?) {
                        return Ok(Next::Start);
                    }
                    self.take(2, picture);
                }
                [0xFF, code, ..] if code == marker::END || marker::has_length(code) => {
                    return Ok(Next::Marker(code));
                }
                // Fill bytes, and what the stream ends with.
                [0xFF, 0xFF, ..] | [0xFF] => self.take(1, picture),
                [0xFF, _, ..] => self.take(2, picture),
                _ => {}
            }
        }
    }

    /// Takes a segment, or what of it is in front of the next picture.
    fn segment(&mut self, in_front: bool, picture: &mut Picture) -> io::Result<Ending> {
        let mut wanted = 4;
        loop {
            let bytes = self.stream.look(wanted)?;
            let is_over = bytes.len() < wanted;
            match segment::extent(bytes, in_front, is_over) {
                Extent::Needs(more) => wanted = more,
                Extent::Whole(count) => {
                    self.take(count, picture);
                    return Ok(Ending::Whole);
                }
                Extent::Cut(count) => {
                    self.take(count, picture);
                    return Ok(Ending::Cut);
                }
            }
        }
    }

    fn take(&mut self, count: usize, picture: &mut Picture) {
        // It was seen before.
        if let Ok(bytes) = self.stream.look(0) {
            picture.push(&bytes[..count.min(bytes.len())]);
        }
        self.stream.take(count);
    }
}

impl<R: BufRead + Send> Source for MjpegSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        let from = self.from.to_string();
        self.read_picture().map_err(|why| IoError::Read { from, why })
    }
}

/// A picture's bytes, of which no more than a limit are held.
struct Picture {
    bytes: Vec<u8>,
    most: u64,
    total: u64,
}

impl Picture {
    /// One of which the start marker is there.
    fn new(most: u64) -> Self {
        let mut picture = Self { bytes: Vec::new(), most, total: 0 };
        picture.push(&[0xFF, marker::START]);
        picture
    }

    /// Whether there is nothing behind the start marker but fill bytes.
    fn is_bare(&self) -> bool {
        self.total <= self.most && self.bytes.iter().skip(2).all(|byte| *byte == 0xFF)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if self.total <= self.most {
            self.bytes.extend_from_slice(bytes);
        }
    }
}
