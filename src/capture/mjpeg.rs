//! JPEG pictures one after the other in a stream, as cameras' programs write them to a pipe.
//!
//! A picture is followed from marker to marker, so that a thumbnail within it does not end it. Bytes
//! between pictures, such as the headers of a multipart stream, are passed over. Pictures keep their
//! bytes, but for fill bytes before a marker, which go, and Huffman tables, which many cameras leave
//! out.

use std::io::{self, BufRead};
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::tables::TYPICAL;
use crate::disk::IoError;
use crate::source::{Member, Sample, Source};

/// The second byte of a JPEG marker (ITU-T T.81, table B.1).
mod marker {
    pub const START: u8 = 0xD8;
    pub const END: u8 = 0xD9;
    pub const SCAN: u8 = 0xDA;
    pub const HUFFMAN: u8 = 0xC4;
    /// A baseline frame, the only one of motion JPEG.
    pub const BASELINE: u8 = 0xC0;
    /// Markers without a length: `TEM`, and the restarts `RST0` to `RST7`.
    pub fn stands_alone(code: u8) -> bool {
        code == 0x01 || (0xD0..=0xD7).contains(&code)
    }
}

/// Reads pictures from a stream.
#[derive(Debug)]
pub struct MjpegSource<R> {
    reader: R,
    from: Arc<str>,
    limits: SampleLimits,
    /// The start marker of the next picture has been read.
    started: bool,
    pictures: u64,
    passed_over: u64,
}

/// How a picture ended.
enum Ending {
    Whole,
    /// The stream ended, or the next picture began, before its end.
    Cut,
}

impl<R: BufRead> MjpegSource<R> {
    /// Pictures from `reader`; `from` is what samples and errors call it.
    pub fn new(reader: R, from: &str, limits: SampleLimits) -> Self {
        let from = from.into();
        Self { reader, from, limits, started: false, pictures: 0, passed_over: 0 }
    }

    fn read_picture(&mut self) -> io::Result<Option<Sample>> {
        if !self.started && !self.find_start()? {
            if self.pictures == 0 && self.passed_over > 0 {
                let why = format!("no JPEG in its {} bytes", self.passed_over);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            return Ok(None);
        }
        self.started = false;
        self.pictures += 1;
        let mut picture = Picture::new(self.limits.max_sample_bytes);
        picture.push(&[0xFF, marker::START]);
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

    /// Passes over everything up to a start marker; false at the stream's end.
    fn find_start(&mut self) -> io::Result<bool> {
        let mut after_ff = false;
        while let Some(byte) = self.byte()? {
            if after_ff && byte == marker::START {
                self.passed_over -= 1;
                return Ok(true);
            }
            self.passed_over += 1;
            after_ff = byte == 0xFF;
        }
        Ok(false)
    }

    /// Takes a picture from behind its start marker to its end. Huffman tables that it leaves out are
    /// put in, so that every reader can read it.
    fn read_on(&mut self, picture: &mut Picture) -> io::Result<Ending> {
        let (mut baseline, mut tables) = (false, false);
        loop {
            let Some(code) = self.marker(picture)? else { return Ok(Ending::Cut) };
            if code == marker::START {
                self.started = true;
                return Ok(Ending::Cut);
            }
            baseline |= code == marker::BASELINE;
            tables |= code == marker::HUFFMAN;
            if code == marker::SCAN && baseline && !tables {
                tables = true;
                picture.push(&TYPICAL);
            }
            picture.push(&[0xFF, code]);
            match code {
                marker::END => return Ok(Ending::Whole),
                code if marker::stands_alone(code) => {}
                _ => {
                    if !self.segment(picture)? {
                        return Ok(Ending::Cut);
                    }
                }
            }
        }
    }

    /// Entropy-coded data, if any, up to the next marker, whose code is given. In such data `FF` is
    /// followed by 0, by a restart's code or by more `FF`.
    fn marker(&mut self, picture: &mut Picture) -> io::Result<Option<u8>> {
        loop {
            if !self.until_ff(picture)? {
                return Ok(None);
            }
            let mut code = self.byte()?;
            while code == Some(0xFF) {
                code = self.byte()?;
            }
            match code {
                None => return Ok(None),
                Some(0) => picture.push(&[0xFF, 0]),
                Some(code) => return Ok(Some(code)),
            }
        }
    }

    /// Takes everything before the next `FF`, and passes over that; false at the stream's end.
    fn until_ff(&mut self, picture: &mut Picture) -> io::Result<bool> {
        loop {
            let buffer = fill(&mut self.reader)?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let found = buffer.iter().position(|byte| *byte == 0xFF);
            let before = found.unwrap_or(buffer.len());
            picture.push(&buffer[..before]);
            self.reader.consume(before + usize::from(found.is_some()));
            if found.is_some() {
                return Ok(true);
            }
        }
    }

    /// Takes a segment: a length of two bytes that counts itself, and what it counts.
    fn segment(&mut self, picture: &mut Picture) -> io::Result<bool> {
        let (Some(high), Some(low)) = (self.byte()?, self.byte()?) else { return Ok(false) };
        picture.push(&[high, low]);
        let mut left = usize::from(u16::from_be_bytes([high, low])).saturating_sub(2);
        while left > 0 {
            let buffer = fill(&mut self.reader)?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let taken = left.min(buffer.len());
            picture.push(&buffer[..taken]);
            self.reader.consume(taken);
            left -= taken;
        }
        Ok(true)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = fill(&mut self.reader)?.first().copied();
        self.reader.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
            // Asked again, as the borrow checker does not see that the buffer is still there.
            Ok(_) => return reader.fill_buf(),
        }
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
    fn new(most: u64) -> Self {
        Self { bytes: Vec::new(), most, total: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if self.total <= self.most {
            self.bytes.extend_from_slice(bytes);
        }
    }
}
