//! The pair itself, and the small values that name it.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::decision::Reason;

/// Width and height of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Pixels in all; cannot overflow.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// A sample's identity over its whole life: 128 bits, written as 32 hex digits as in DataComp's
/// metadata.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Hash, PartialOrd, Ord)]
pub struct Uid(pub [u8; 16]);

macro_rules! hex_text {
    ($name:ident, $bytes:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                let mut bytes = [0; $bytes];
                parse_hex(text.as_bytes(), &mut bytes).ok_or(NotHex { digits: 2 * $bytes })?;
                Ok(Self(bytes))
            }
        }
    };
}
hex_text!(Digest, 32);
hex_text!(Uid, 16);

/// The text is not the hex form of a [`Digest`] or [`Uid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a string of {digits} hex digits")]
pub struct NotHex {
    /// Digits that were wanted.
    pub digits: usize,
}

fn parse_hex(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    if text.len() != 2 * bytes.len() {
        return None;
    }
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

/// A sample's place in a list of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// The input's place in the list, from 0.
    pub input: u32,
    /// The sample's place in its input, from 0.
    pub item: u64,
}

/// One image-text pair as its source delivered it; nothing in it has been checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct PairRef<'a> {
    /// The encoded image file; `None` where the sample has none.
    pub image: Option<&'a [u8]>,
    /// The caption's bytes, meant to be UTF-8; `None` where the sample has none.
    pub caption: Option<&'a [u8]>,
    /// The size before the image was scaled for storage, where the sample's metadata says it
    /// (img2dataset's `original_width` and `original_height`). The size rules use it in place of
    /// the header's size, as DataComp does.
    pub original_size: Option<Size>,
    /// What the source already found wrong with the sample.
    pub fault: Option<Reason>,
}
