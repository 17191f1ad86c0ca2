//! Bounds on what is read.

use serde::{Deserialize, Serialize};

use super::{in_files, units};

/// Bounds on an image, checked on its header before any pixel is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageLimits {
    /// Longest side in pixels.
    pub max_side: u32,
    /// Width times height in pixels.
    pub max_pixels: u64,
    /// Bytes that decoding one image may allocate.
    #[serde(with = "units::bytes")]
    pub max_decode_bytes: u64,
    /// At which resolution images are decoded. Not in a packed config: firmware decodes nothing.
    #[serde(with = "in_files")]
    pub decode: DecodeMode,
}

/// At which resolution images are decoded that are larger than a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecodeMode {
    /// At their own: every pixel as libjpeg-turbo decodes it.
    #[default]
    Exact,
    /// JPEGs at a half, a quarter or an eighth of it, by a reduced inverse transform, as long as the
    /// shorter side stays at least twice what the model's input needs. Scores move a little; a photo
    /// takes less time, and much less memory.
    Scaled,
}

impl DecodeMode {
    /// As configs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Scaled => "scaled",
        }
    }
}

impl ImageLimits {
    /// Bytes that a decoder may hold beside that for profiles, texts and rows: a quarter of
    /// `max_decode_bytes`, 256 KiB to 16 MiB.
    pub fn metadata_bytes(&self) -> u64 {
        (self.max_decode_bytes / 4).clamp(256 << 10, 16 << 20)
    }
}

impl Default for ImageLimits {
    /// 16,384 px a side, 40 million pixels, 160 MiB: a 40-megapixel camera's photo still passes,
    /// and one worker stays below 300 MB in all.
    fn default() -> Self {
        Self {
            max_side: 16_384,
            max_pixels: 40_000_000,
            max_decode_bytes: 160 << 20,
            decode: DecodeMode::Exact,
        }
    }
}

/// Bounds on a sample as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleLimits {
    /// Bytes of all the members of one sample together.
    #[serde(with = "units::bytes")]
    pub max_sample_bytes: u64,
    /// Bytes of the caption.
    #[serde(with = "units::bytes")]
    pub max_caption_bytes: u64,
}

impl Default for SampleLimits {
    /// 32 MiB a sample, 64 KiB a caption.
    fn default() -> Self {
        Self { max_sample_bytes: 32 << 20, max_caption_bytes: 64 << 10 }
    }
}
