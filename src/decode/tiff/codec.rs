//! The bytes of one strip or tile, decompressed as they are read.

use std::io::{Cursor, Error, ErrorKind, Read, Result as IoResult};

use flate2::read::ZlibDecoder;
use lzma_rust2::XzReader;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use ruzstd::decoding::StreamingDecoder;
use weezl::decode::Decoder;
use weezl::{BitOrder, LzwStatus};

use super::directory::Directory;
use super::fax::{self, Fax};
use super::plan::Plan;
use super::{jpeg, refused};

/// What a strip or tile is stored as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub bytes: &'a [u8],
    /// It is said to be longer than the file.
    pub cut: bool,
}

/// A reader of the samples; of JPEG they are decoded at once, `rows` of them.
///
/// # Errors
/// [`Reason::UnsupportedFormat`] for a compression that is not read, and what a decoder says of
/// damage that it sees at once.
pub(super) fn open<'a>(
    stored: Stored<'a>,
    rows: u32,
    page: &Directory<'a>,
    plan: &Plan,
    limits: &ImageLimits,
) -> Result<Box<dyn Read + 'a>, Reason> {
    let damaged = || if stored.cut { Reason::ImageTruncated } else { Reason::Undecodable };
    let raw: Box<dyn Read + 'a> = match page.fill_order {
        2 => Box::new(Mirrored(stored.bytes)),
        _ => Box::new(stored.bytes),
    };
    let kibibytes = u32::try_from(limits.metadata_bytes() >> 10).unwrap_or(u32::MAX);
    Ok(match page.compression {
        1 => raw,
        2 => Box::new(fax(stored, page, plan, fax::Kind::Rows { word_aligned: false })?),
        3 => {
            let two_dimensional = page.group3_options & 1 != 0;
            Box::new(fax(stored, page, plan, fax::Kind::Group3 { two_dimensional })?)
        }
        4 => Box::new(fax(stored, page, plan, fax::Kind::Group4)?),
        5 => Box::new(Lzw::new(raw, is_old_lzw(stored.bytes))),
        7 => Box::new(Cursor::new(jpeg::samples(stored, rows, page, plan, limits)?)),
        8 | 32946 => Box::new(ZlibDecoder::new(raw)),
        32771 => Box::new(fax(stored, page, plan, fax::Kind::Rows { word_aligned: true })?),
        32773 => Box::new(PackBits { source: raw, left: 0, repeated: None }),
        34925 => Box::new(XzReader::new_mem_limit(raw, true, kibibytes)),
        50000 => {
            let bytes = limits.metadata_bytes();
            let decoder = StreamingDecoder::new_with_max_window_size(raw, bytes);
            Box::new(decoder.map_err(|_| damaged())?)
        }
        other => return Err(refused(name(other))),
    })
}

/// What a compression that is not read is called.
fn name(compression: u64) -> &'static str {
    match compression {
        32766 => "NeXT compression",
        32809 => "ThunderScan compression",
        34676 | 34677 => "SGI Log compression",
        32908 | 32909 => "Pixar compression",
        9 | 10 | 34661 => "JBIG compression",
        34712 | 33003 | 33005 => "JPEG 2000 compression",
        34887 => "LERC compression",
        50001 => "WebP compression",
        50002 | 52546 => "JPEG XL compression",
        22610 | 34934 => "JPEG XR compression",
        _ => "an unknown compression",
    }
}

fn fax<'a>(
    stored: Stored<'a>,
    page: &Directory<'_>,
    plan: &Plan,
    kind: fax::Kind,
) -> Result<Fax<'a>, Reason> {
    if plan.bits != 1 || plan.together() != 1 {
        return Err(Reason::Undecodable);
    }
    Ok(Fax::new(stored.bytes, kind, plan.segment.width, page.fill_order == 2, stored.cut))
}

/// Bytes whose bits lie the other way round.
struct Mirrored<'a>(&'a [u8]);

impl Read for Mirrored<'_> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        let read = self.0.read(into)?;
        into[..read].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        Ok(read)
    }
}

/// Whether the codes have their bits the other way round, as those of the first writers.
fn is_old_lzw(bytes: &[u8]) -> bool {
    matches!(bytes, [0, second, ..] if second & 1 == 1)
}

struct Lzw<R> {
    source: R,
    decoder: Decoder,
    buffer: [u8; 4096],
    start: usize,
    end: usize,
}

impl<R: Read> Lzw<R> {
    fn new(source: R, old: bool) -> Self {
        let decoder = match old {
            true => Decoder::new(BitOrder::Lsb, 8),
            false => Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
        };
        Self { source, decoder, buffer: [0; 4096], start: 0, end: 0 }
    }
}

impl<R: Read> Read for Lzw<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        loop {
            if self.start == self.end {
                (self.start, self.end) = (0, self.source.read(&mut self.buffer)?);
            }
            let at_end = self.end == 0;
            let step = self.decoder.decode_bytes(&self.buffer[self.start..self.end], into);
            self.start += step.consumed_in;
            match step.status {
                _ if step.consumed_out > 0 => return Ok(step.consumed_out),
                Ok(LzwStatus::Done) => return Ok(0),
                Ok(_) if at_end || into.is_empty() => return Ok(0),
                Ok(_) if step.consumed_in > 0 => {}
                _ => return Err(Error::from(ErrorKind::InvalidData)),
            }
        }
    }
}

/// Runs: a byte that counts, then that many bytes, or one that is repeated.
struct PackBits<R> {
    source: R,
    left: usize,
    repeated: Option<u8>,
}

impl<R: Read> PackBits<R> {
    fn byte(&mut self) -> IoResult<u8> {
        let mut byte = [0];
        self.source.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn next_run(&mut self) -> IoResult<()> {
        match self.byte()? as i8 {
            // Does nothing.
            i8::MIN => {}
            count @ 0.. => (self.left, self.repeated) = (count as usize + 1, None),
            count => {
                (self.left, self.repeated) =
                    (usize::from(count.unsigned_abs()) + 1, Some(self.byte()?));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for PackBits<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        while self.left == 0 {
            self.next_run()?;
        }
        let wanted = self.left.min(into.len());
        let read = match self.repeated {
            Some(byte) => {
                into[..wanted].fill(byte);
                wanted
            }
            None => self.source.read(&mut into[..wanted])?,
        };
        self.left -= read;
        Ok(read)
    }
}
