//! Packed input, told by its first bytes and not by its name: gzip, zstd, bzip2 and xz, each of any
//! number of members, frames or streams one behind the other.
//!
//! What follows the last of them and begins no other is padding, as gzip, bzip2 and Python take it.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::builder::fill;

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;
/// Packed bytes that are unpacked at once.
const PACKED: usize = 8 << 10;
/// First bytes that are looked at.
const MAGIC: usize = 10;
/// Bytes that a packed stream may have its reader hold, so that it can refer back to them: what zstd
/// itself takes unasked, and twice what `xz -9` needs.
const MAX_WINDOW_BYTES: u64 = 128 << 20;
/// Zeros behind a member that are passed over in search of another one.
const MAX_PADDING_BYTES: u64 = 64 << 20;

/// A reader that unpacks what is packed and passes everything else through.
pub(super) enum Unpacked<R: Read> {
    /// Not opened yet: the first read finds out.
    Fresh(BufReader<R>),
    /// Not packed, with the bytes that were looked at in front.
    Plain(Replay<R>),
    /// In a member.
    Packed(Box<Member<R>>),
    /// At the end, or given up.
    Ended,
}

/// A buffered reader with the bytes that were looked at in front.
type Replay<R> = io::Chain<io::Cursor<Vec<u8>>, BufReader<R>>;
/// The same in pieces of [`PACKED`] bytes.
type Pieces<R> = BufReader<Steady<Replay<R>>>;

/// A reader that gives all that is asked for, until the end. How much of a damaged member is unpacked
/// before the damage shows depends on how much the decoder is given at once: it must not depend on how
/// fast the bytes come.
pub(super) struct Steady<R> {
    reader: R,
    failure: Failure,
}

/// What the reader itself failed by. Decoders wrap it, and it must be told from damage.
type Failure = Arc<Mutex<Option<io::Error>>>;

/// How something is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// One member that is being unpacked.
pub(super) struct Member<R: Read> {
    decoder: Decoder<R>,
    failure: Failure,
}

enum Decoder<R: Read> {
    Gzip(GzDecoder<Pieces<R>>),
    Zstd(Box<ZstdFrame<Pieces<R>>>),
    Bzip2(BzDecoder<Pieces<R>>),
    Xz(Box<XzReader<Pieces<R>>>),
}

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(&mut self.reader, buffer).inspect_err(|why| {
            let kind = why.kind().into();
            let told = why.raw_os_error().map_or(kind, io::Error::from_raw_os_error);
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        })
    }
}

impl<R: Read> Unpacked<R> {
    /// Unpacks `reader` where needed.
    pub fn new(reader: R) -> Self {
        Self::Fresh(BufReader::with_capacity(BUFFER, reader))
    }

    fn sniff(mut reader: BufReader<R>) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(MAGIC);
        (&mut reader).take(MAGIC as u64).read_to_end(&mut magic)?;
        let packing = Packing::of(&magic);
        let replay = io::Cursor::new(magic).chain(reader);
        let Some(packing) = packing else { return Ok(Self::Plain(replay)) };
        let failure = Failure::default();
        let steady = Steady { reader: replay, failure: failure.clone() };
        Member::open(packing, BufReader::with_capacity(PACKED, steady), failure)
    }

    fn read_member(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Plain(reader) => return reader.read(buffer),
                Self::Packed(member) => {
                    let n = member.decoder.read(buffer)?;
                    if n > 0 || buffer.is_empty() {
                        return Ok(n);
                    }
                }
                Self::Ended => return Ok(0),
                Self::Fresh(_) => {}
            }
            *self = match std::mem::replace(self, Self::Ended) {
                Self::Fresh(reader) => Self::sniff(reader)?,
                Self::Packed(member) => member.next()?,
                other => other,
            };
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    /// An error is given once; behind it is the end, as no decoder can be asked again.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failure = match self {
            Self::Packed(member) => Some(member.failure.clone()),
            _ => None,
        };
        self.read_member(buffer).map_err(|why| {
            if !matches!(self, Self::Plain(_)) {
                *self = Self::Ended;
            }
            let told = failure
                .and_then(|failure| failure.lock().unwrap_or_else(PoisonError::into_inner).take());
            told.unwrap_or(why)
        })
    }
}

impl<R: Read> std::fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fresh(_) => "Fresh",
            Self::Plain(_) => "Plain",
            Self::Packed(_) => "Packed",
            Self::Ended => "Ended",
        })
    }
}

impl Packing {
    fn of(magic: &[u8]) -> Option<Self> {
        Some(match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // A tar may begin with such a name; what follows is the block's own magic, or the end's.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90] => Self::Bzip2,
            _ => return None,
        })
    }

    /// Whether this may be the first byte of another member.
    fn may_begin(self, byte: u8) -> bool {
        match self {
            Self::Gzip => byte == 0x1f,
            Self::Zstd => byte == 0x28 || (0x50..=0x5f).contains(&byte),
            Self::Bzip2 => byte == b'B',
            Self::Xz => byte == 0xfd,
        }
    }
}

impl<R: Read> Member<R> {
    /// Begins with the member at which `reader` stands.
    fn open(packing: Packing, reader: Pieces<R>, failure: Failure) -> io::Result<Unpacked<R>> {
        let decoder = match packing {
            Packing::Gzip => Decoder::Gzip(GzDecoder::new(reader)),
            Packing::Bzip2 => Decoder::Bzip2(BzDecoder::new(reader)),
            Packing::Xz => {
                let kib = (MAX_WINDOW_BYTES >> 10) as u32;
                Decoder::Xz(Box::new(XzReader::new_mem_limit(reader, false, kib)))
            }
            Packing::Zstd => match open_zstd(reader)? {
                Some(decoder) => Decoder::Zstd(Box::new(decoder)),
                None => return Ok(Unpacked::Ended),
            },
        };
        Ok(Unpacked::Packed(Box::new(Self { decoder, failure })))
    }

    /// What follows this member, which has ended: another one, or the end.
    fn next(self) -> io::Result<Unpacked<R>> {
        let packing = self.decoder.packing();
        let mut reader = self.decoder.finish()?;
        let mut left = MAX_PADDING_BYTES;
        loop {
            let buffer = reader.fill_buf()?;
            let zeros = buffer.iter().take_while(|&&byte| byte == 0).count();
            match buffer.get(zeros) {
                Some(&byte) if packing.may_begin(byte) => reader.consume(zeros),
                None if zeros > 0 && left > 0 => {
                    left = left.saturating_sub(zeros as u64);
                    reader.consume(zeros);
                    continue;
                }
                _ => return Ok(Unpacked::Ended),
            }
            return Self::open(packing, reader, self.failure);
        }
    }
}

impl<R: Read> Decoder<R> {
    fn packing(&self) -> Packing {
        match self {
            Self::Gzip(_) => Packing::Gzip,
            Self::Zstd(_) => Packing::Zstd,
            Self::Bzip2(_) => Packing::Bzip2,
            Self::Xz(_) => Packing::Xz,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
        }
    }

    /// The reader behind what this has unpacked, whose checksum is looked at where that is left to
    /// us.
    fn finish(self) -> io::Result<Pieces<R>> {
        Ok(match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => {
                let ZstdFrame { frame, reader, .. } = *decoder;
                let told = frame.get_checksum_from_data();
                if told.is_some() && told != frame.get_calculated_checksum() {
                    return Err(damaged("a zstd frame has a wrong checksum"));
                }
                reader
            }
        })
    }
}

/// A zstd frame, and the reader that it comes from.
struct ZstdFrame<R> {
    frame: FrameDecoder,
    reader: R,
    broken: Option<io::Error>,
}

impl<R: Read> ZstdFrame<R> {
    /// Unpacks the next block. The decoder holds a whole window back until the frame ends, so at a
    /// damaged block it is told that the frame ends there: what is before it is whole.
    fn unpack(&mut self) -> io::Result<()> {
        /// An empty block, the last one of its frame, and room for a checksum.
        const END: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];
        let one = || BlockDecodingStrategy::UptoBlocks(1);
        let unpacked = self.frame.decode_blocks(&mut self.reader, one());
        let Err(why) = unpacked.map_err(|why| damaged(&why.to_string())) else { return Ok(()) };
        match self.frame.decode_blocks(&END[..], one()) {
            Ok(_) => self.broken = Some(why),
            Err(_) => return Err(why),
        }
        Ok(())
    }
}

impl<R: Read> Read for ZstdFrame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if self.frame.is_finished() {
                return self.broken.take().map_or(Ok(0), Err);
            }
            self.unpack()?;
        }
        self.frame.read(buffer)
    }
}

/// The next zstd frame with data in it; `None` at the end.
fn open_zstd<R: BufRead>(mut reader: R) -> io::Result<Option<ZstdFrame<R>>> {
    while !reader.fill_buf()?.is_empty() {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_WINDOW_BYTES);
        match frame.init(&mut reader) {
            Ok(()) => return Ok(Some(ZstdFrame { frame, reader, broken: None })),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                io::copy(&mut (&mut reader).take(u64::from(length)), &mut io::sink())?;
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                return Err(damaged(&format!(
                    "a zstd window of {requested} bytes is above {MAX_WINDOW_BYTES}; pack without \
                     --long or --ultra"
                )));
            }
            Err(why) => return Err(damaged(&why.to_string())),
        }
    }
    Ok(None)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
