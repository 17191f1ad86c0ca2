//! Gzipped input, told by its first bytes and not by its name.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::builder::fill;

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;
/// Packed bytes that are unpacked at once.
const PACKED: usize = 8 << 10;

/// A reader that unpacks gzip and passes everything else through.
#[derive(Debug)]
pub(super) enum Unpacked<R> {
    /// Not opened yet: the first read finds out.
    Fresh(BufReader<R>),
    /// Not gzip, with the bytes that were looked at in front.
    Plain(Replay<R>),
    /// In a gzip member.
    Gzip(Box<GzDecoder<Packed<R>>>),
    /// At the end, or given up.
    Ended,
}

/// A buffered reader with the bytes that were looked at in front.
type Replay<R> = io::Chain<io::Cursor<Vec<u8>>, BufReader<R>>;
/// The same in pieces of [`PACKED`] bytes.
type Packed<R> = BufReader<Steady<Replay<R>>>;

/// A reader that gives all that is asked for, until the end. How much of a damaged member is unpacked
/// before the damage shows depends on how much the decoder is given at once: it must not depend on how
/// fast the bytes come.
#[derive(Debug)]
pub(super) struct Steady<R>(R);

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(&mut self.0, buffer)
    }
}

impl<R: Read> Unpacked<R> {
    /// Unpacks `reader` where needed.
    pub fn new(reader: R) -> Self {
        Self::Fresh(BufReader::with_capacity(BUFFER, reader))
    }

    fn sniff(mut reader: BufReader<R>) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(2);
        (&mut reader).take(2).read_to_end(&mut magic)?;
        let is_gzip = magic == [0x1f, 0x8b];
        let replay = io::Cursor::new(magic).chain(reader);
        if !is_gzip {
            return Ok(Self::Plain(replay));
        }
        let packed = BufReader::with_capacity(PACKED, Steady(replay));
        Ok(Self::Gzip(Box::new(GzDecoder::new(packed))))
    }

    /// What follows a finished gzip member: another one, or the end. Anything else there is
    /// padding, which gzip itself ignores too.
    fn after_member(decoder: GzDecoder<Packed<R>>) -> io::Result<Self> {
        let mut reader = decoder.into_inner();
        let another = reader.fill_buf()?.first() == Some(&0x1f);
        Ok(if another { Self::Gzip(Box::new(GzDecoder::new(reader))) } else { Self::Ended })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Plain(reader) => return reader.read(buffer),
                Self::Gzip(decoder) => {
                    let n = decoder.read(buffer)?;
                    if n > 0 || buffer.is_empty() {
                        return Ok(n);
                    }
                }
                Self::Ended => return Ok(0),
                Self::Fresh(_) => {}
            }
            *self = match std::mem::replace(self, Self::Ended) {
                Self::Fresh(reader) => Self::sniff(reader)?,
                Self::Gzip(decoder) => Self::after_member(*decoder)?,
                other => other,
            };
        }
    }
}
