//! Pairs that a microcontroller sends in frames, as [`wire::pairs`](pairgate_core::wire::pairs) specifies:
//! from a serial line, a pipe or a file.
//!
//! The key is the node's name and the pair's number in 9 digits, `node/000000017`. The members are
//! the image (`jpg`; raw pixels become a lossless `png`), the caption (`txt`) where there is one, and
//! what else is known of the pair (`json`): node, number, format, width, height, and where known
//! `unix_ms` or `boot_ms`, `place`, `sensor`.
//!
//! A pair is given as sound only if its start, all bytes of its image in order and its end arrived
//! undamaged. Everything else is a sample with a fault:
//!
//! | what happened | what is given |
//! |---|---|
//! | a frame of the pair is missing, damaged, there twice, or none that a sender may write | the pair, `frame_torn` |
//! | another pair begins, or the stream ends, before the pair's end | the pair, `frame_torn` |
//! | numbers are missing between two pairs | each of them, `frame_torn`; where they are more than 256, one for all |
//! | damaged frames at the end, behind the last pair or in place of any | one sample, `frame_torn` |
//! | the pair is of another version | the pair, `frame_version` |
//! | it has more bytes than the limit | the pair, `sample_too_large`; its data are passed over |
//! | its image cannot have the size and format that its start says | the pair, `metadata_invalid` |
//!
//! Damage elsewhere, such as the first bytes of a line that is picked up in the middle of a frame, is
//! only logged: it hit no pair that was sent. Memory is bounded: one frame, and one sample within the
//! limits.

mod picture;
mod receiver;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use pairgate_core::config::SampleLimits;
use pairgate_core::wire::pairs::{Frame, MAX_STUFFED};
use receiver::Receiver;

use super::{Sample, Source};
use crate::disk::IoError;

/// Reads the pairs of one stream of frames.
#[derive(Debug)]
pub struct FramesSource<R> {
    stream: BufReader<R>,
    /// The frame that is being read, stuffed.
    frame: Vec<u8>,
    receiver: Receiver,
    ended: bool,
    /// What ended it, until it was told.
    failure: Option<io::Error>,
}

impl FramesSource<File> {
    /// Opens the file, the pipe or the device at `path`. A serial line is read as it is set up: raw
    /// and at the node's speed, by `stty -F PATH raw 115200`.
    ///
    /// # Errors
    /// The system's, if it cannot be opened.
    pub fn open(path: &Path, limits: SampleLimits) -> io::Result<Self> {
        Ok(Self::new(File::open(path)?, &path.to_string_lossy(), limits))
    }
}

impl<R: Read> FramesSource<R> {
    /// Reads frames from `reader`; `shard` is what its samples and the log call it.
    pub fn new(reader: R, shard: &str, limits: SampleLimits) -> Self {
        let receiver = Receiver::new(shard, limits);
        let stream = BufReader::new(reader);
        Self { stream, frame: Vec::new(), receiver, ended: false, failure: None }
    }

    /// Takes what is in front of the next zero, or of the end.
    fn step(&mut self) -> io::Result<()> {
        self.frame.clear();
        let most = MAX_STUFFED as u64 + 1;
        if (&mut self.stream).take(most).read_until(0, &mut self.frame)? == 0 {
            self.ended = true;
            self.receiver.end();
            return Ok(());
        }
        if self.frame.pop_if(|byte| *byte == 0).is_none() && self.frame.len() as u64 == most {
            self.stream.skip_until(0)?;
            self.receiver.damage();
        } else if !self.frame.is_empty() {
            // Without a zero behind it, at the end, its checksum alone says whether it is whole.
            match Frame::read(&mut self.frame) {
                Some(frame) => self.receiver.accept(&frame),
                None => self.receiver.damage(),
            }
        }
        Ok(())
    }
}

impl<R: Read + Send> Source for FramesSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            if let Some(sample) = self.receiver.ready() {
                return Ok(Some(sample));
            }
            if let Some(why) = self.failure.take() {
                return Err(IoError::Read { from: self.receiver.shard().to_owned(), why });
            }
            if self.ended {
                return Ok(None);
            }
            if let Err(why) = self.step() {
                // A pair of which a part has arrived is counted before the error is told.
                (self.ended, self.failure) = (true, Some(why));
                self.receiver.end();
            }
        }
    }
}
