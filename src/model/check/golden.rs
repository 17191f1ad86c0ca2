//! Golden files: what a model says in the software that it comes from.
//!
//! `models/export/golden.py` writes them; its docstring specifies the format.

use std::path::Path;

use pairgate_core::config::ImageLimits;
use pairgate_core::pair::Size;
use serde::{Deserialize, Serialize};

use crate::decode::{Rgb8, decode, probe};
use crate::model::ModelError;
use crate::model::file::{self, MAX_TEXT_BYTES};

/// The format that this version reads.
pub const FORMAT: u32 = 1;
/// Longest side of a made picture.
const MAX_SIDE: u32 = 8192;

/// A golden file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// Version of this format; see [`FORMAT`].
    pub format: u32,
    /// The software that made it, with versions.
    pub made_by: String,
    /// The pairs.
    pub pairs: Vec<GoldenPair>,
}

/// What a model says of one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenPair {
    /// The picture.
    pub picture: Picture,
    /// The caption, as it comes.
    pub caption: String,
    /// Its token ids at its own length, without padding.
    pub ids: Vec<i64>,
    /// The image's embedding, of unit length.
    pub image: Vec<f32>,
    /// The caption's embedding, of unit length.
    pub text: Vec<f32>,
}

/// Where a golden pair's picture comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Picture {
    /// Made by a formula, the same everywhere.
    Made {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Which of the many.
        seed: u64,
    },
    /// An image file beside the golden file.
    File {
        /// Its path from the golden file's folder.
        file: String,
    },
}

impl Golden {
    /// Reads a golden file.
    ///
    /// # Errors
    /// [`ModelError::Golden`] that says what is wrong with it.
    pub fn parse(file: &str, json: &[u8]) -> Result<Self, ModelError> {
        let golden: Self = serde_json::from_slice(json).map_err(|why| refused(file, why))?;
        if golden.format != FORMAT {
            return Err(refused(
                file,
                format!("format {}, this version reads {FORMAT}", golden.format),
            ));
        }
        if golden.pairs.is_empty() {
            return Err(refused(file, "it holds no pair"));
        }
        Ok(golden)
    }

    /// Reads a golden file from disk.
    ///
    /// # Errors
    /// As [`Golden::parse`], [`ModelError::Read`] and [`ModelError::TooBig`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::parse(&path.display().to_string(), &file::read(path, MAX_TEXT_BYTES)?)
    }
}

impl Picture {
    /// The path of a picture that is a file.
    pub(in crate::model) fn file(&self) -> Option<&str> {
        match self {
            Self::Made { .. } => None,
            Self::File { file } => Some(file),
        }
    }

    /// Makes or decodes the picture; files lie in `folder`.
    ///
    /// # Errors
    /// [`ModelError`] that names the file that cannot be read or decoded.
    pub fn load(&self, folder: &Path, rgb: &mut Rgb8) -> Result<(), ModelError> {
        match self {
            Self::Made { width, height, seed } => {
                if *width == 0 || *height == 0 || *width > MAX_SIDE || *height > MAX_SIDE {
                    let why =
                        format!("a made picture of {width} x {height}: sides are 1 to {MAX_SIDE}");
                    return Err(refused("golden file", why));
                }
                make(*width, *height, *seed, rgb);
                Ok(())
            }
            Self::File { file: picture } => {
                let path = folder.join(picture);
                let name = path.display().to_string();
                let bytes = file::read(&path, MAX_TEXT_BYTES)?;
                let limits = ImageLimits::default();
                let decoded =
                    probe(&bytes, &limits).and_then(|header| decode(&bytes, &header, &limits, rgb));
                decoded.map_err(|reason| refused(&name, reason))
            }
        }
    }
}

/// Soft triangle waves with inverted blocks, by integer arithmetic; as golden.py's `picture`.
fn make(width: u32, height: u32, seed: u64, rgb: &mut Rgb8) {
    rgb.size = Size::new(width, height);
    rgb.pixels.clear();
    for y in 0..u64::from(height) {
        for x in 0..u64::from(width) {
            let inverted = (x / 32 + y / 24 + seed).is_multiple_of(3);
            for colour in 0..3 {
                let wave =
                    (x * (3 + seed % 5) + y * (5 + seed % 3) + colour * 85 + seed * 29) & 255;
                let level = if wave < 128 { 2 * wave } else { 511 - 2 * wave };
                rgb.pixels.push(if inverted { 255 - level } else { level } as u8);
            }
        }
    }
}

fn refused(file: &str, why: impl std::fmt::Display) -> ModelError {
    ModelError::Golden { file: file.to_owned(), why: why.to_string() }
}
