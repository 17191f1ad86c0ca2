//! Pairs on a wire: how a microcontroller sends pictures and their captions to a host.
//!
//! A picture is larger than what a UART takes at once, and bytes get lost on wires. So a pair is
//! sent in frames that are found again after any damage, and that show whether all of it arrived.
//!
//! # Bytes
//! ```text
//! stream = (00* COBS(frame) 00)*                    a reader takes up again behind any 00
//! frame  = version: u8, number: u32 LE, body, crc: u32 LE
//! body   = the postcard encoding of Body
//! crc    = CRC-32C (Castagnoli) of all before it in the frame
//! pair   = frame(Start) frame(Data)* frame(End)     all of one number, without others between
//! ```
//! - A frame has at most [`MAX_FRAME`] bytes before it is stuffed, whatever the version. Where
//!   version, number and crc are, and how frames are found, is the same in all versions: a reader
//!   can count the pairs of a version that it does not read.
//! - Numbers tell pairs apart. A node counts up by one with each pair that it sends, so that a
//!   reader sees how many it missed; from 0 again after it starts anew or past 2^32 - 1.
//! - `Data` hold the image's bytes in order, each with the offset of its first one.
//! - `End` holds the CRC-32C of the `Start`'s body and the image, one after the other: an image is
//!   never taken for that of another start.
//!
//! What a reader makes of a stream, byte for byte, is in `source::frames`, with feature `std`.
//!
//! # Raw pixels
//! Rows follow each other from the top, without gaps. `Grey8` has one byte a pixel, `Rgb565` two
//! (a little-endian word: 5 bits of red at the top, 6 of green, 5 of blue), `Rgb8` three.

use crc::{Digest, Table};
use serde::{Deserialize, Serialize};

use super::CRC32C;
use super::cobs;
use crate::pair::Size;

/// The version written, and the only one that is read.
pub const VERSION: u8 = 1;
/// Bytes of the longest frame, before it is stuffed.
pub const MAX_FRAME: usize = 1 << 16;
/// Bytes of the longest frame, stuffed, without the zero behind it.
pub const MAX_STUFFED: usize = cobs::max_stuffed(MAX_FRAME);

/// Bytes in front of a frame's body: version and number.
pub(super) const HEAD: usize = 5;
/// Bytes behind a frame's body: its checksum.
pub(super) const TAIL: usize = 4;

/// What an image's bytes are. Codes are append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// A JPEG file.
    Jpeg,
    /// Raw, 8 bits a pixel.
    Grey8,
    /// Raw, 16 bits a pixel.
    Rgb565,
    /// Raw, 24 bits a pixel: red, green, blue.
    Rgb8,
}

impl Format {
    /// Bytes of a raw pixel; `None` for a file.
    pub const fn pixel_bytes(self) -> Option<u64> {
        match self {
            Self::Jpeg => None,
            Self::Grey8 => Some(1),
            Self::Rgb565 => Some(2),
            Self::Rgb8 => Some(3),
        }
    }

    /// Whether an image of `size` may have so many bytes: raw ones are not empty, and are full.
    pub const fn fits(self, size: Size, bytes: u32) -> bool {
        match self.pixel_bytes() {
            // The product of two u32 and 3 can pass u64.
            Some(each) => bytes > 0 && size.pixels() as u128 * each as u128 == bytes as u128,
            None => true,
        }
    }

    /// The name in metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Grey8 => "grey8",
            Self::Rgb565 => "rgb565",
            Self::Rgb8 => "rgb8",
        }
    }
}

/// When a picture was taken. Codes are append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Time {
    /// The node has no clock.
    #[default]
    Unknown,
    /// Milliseconds since the node started.
    SinceBoot(u64),
    /// Milliseconds since 1970-01-01 00:00 UTC.
    Unix(u64),
}

/// What is known of a pair before its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start<'a> {
    /// The node's name: the first part of the pair's key; may be empty.
    pub node: &'a str,
    /// What the image's bytes are.
    pub format: Format,
    /// The picture's size; may be zero for a file, which has its own.
    pub size: Size,
    /// Bytes of the image.
    pub bytes: u32,
    /// When the picture was taken.
    pub time: Time,
    /// Where; empty if that is not known.
    pub place: &'a str,
    /// By what; empty if that is not known.
    pub sensor: &'a str,
    /// The caption; `None` where the node has none.
    pub caption: Option<&'a str>,
}

/// What a frame says of its pair. Codes are append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body<'a> {
    /// The pair begins.
    Start(Start<'a>),
    /// A part of the image.
    Data {
        /// Where in the image it starts.
        offset: u32,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The pair is complete.
    End {
        /// CRC-32C of the start's body and the image.
        crc: u32,
    },
}

/// A frame that arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The version that its body is written in.
    pub version: u8,
    /// The pair that it belongs to.
    pub number: u32,
    /// The body's bytes.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that `stuffed`, the bytes between two zeros, stands for, unstuffed in place.
    /// `None` if it is damaged.
    pub fn read(stuffed: &'a mut [u8]) -> Option<Self> {
        if stuffed.len() > MAX_STUFFED {
            return None;
        }
        let (checked, crc) = cobs::unstuff(stuffed)?.split_last_chunk::<TAIL>()?;
        if CRC32C.checksum(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (head, payload) = checked.split_first_chunk::<HEAD>()?;
        let [version, number @ ..] = *head;
        Some(Self { version, number: u32::from_le_bytes(number), payload })
    }

    /// What the frame says; `None` where it is of another version, or not what it should be.
    pub fn body(&self) -> Option<Body<'a>> {
        if self.version != VERSION {
            return None;
        }
        let (body, behind) = postcard::take_from_bytes(self.payload).ok()?;
        behind.is_empty().then_some(body)
    }
}

/// The running checksum of a pair: its start's body, then its image.
#[derive(Clone)]
pub struct PairCrc(Digest<'static, u32, Table<1>>);

impl PairCrc {
    /// That of a pair which `start`, its start's body, begins.
    pub fn of(start: &[u8]) -> Self {
        let mut digest = CRC32C.digest();
        digest.update(start);
        Self(digest)
    }

    /// Takes the image's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// What the pair's end says.
    pub fn value(self) -> u32 {
        self.0.finalize()
    }
}
