//! Limits and sizes that bound a run, with their ranges.
//!
//! Everything here changes what a run may use or what it decides, and can be written in a TOML
//! file; `firmware-config/default.toml` shows every key with its unit, range and default.

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::rules::Rules;

/// Bounds on an image, checked on its header before any pixel is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageLimits {
    /// Longest side in pixels.
    pub max_side: u32,
    /// Width times height in pixels.
    pub max_pixels: u64,
    /// Bytes that decoding one image may allocate.
    pub max_decode_bytes: u64,
}

impl Default for ImageLimits {
    /// 16,384 px a side, 40 million pixels, 160 MiB: a 40-megapixel camera's photo still passes,
    /// and one worker stays below 300 MB in all.
    fn default() -> Self {
        Self { max_side: 16_384, max_pixels: 40_000_000, max_decode_bytes: 160 << 20 }
    }
}

/// Bounds on a sample as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleLimits {
    /// Bytes of all the members of one sample together.
    pub max_sample_bytes: u64,
    /// Bytes of the caption.
    pub max_caption_bytes: u64,
}

impl Default for SampleLimits {
    /// 32 MiB a sample, 64 KiB a caption.
    fn default() -> Self {
        Self { max_sample_bytes: 32 << 20, max_caption_bytes: 64 << 10 }
    }
}

/// How the work is spread. None of it changes a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// Worker threads; 0 means one for each core.
    pub workers: usize,
    /// Pairs that a worker takes at once.
    pub batch: usize,
    /// Pairs that wait in front of the workers.
    pub queue: usize,
    /// Bytes of all samples between source and sink together.
    pub max_bytes_in_flight: u64,
}

impl Default for PipelineConfig {
    /// One worker a core, 8 pairs at once, 64 waiting, 64 MiB in flight.
    fn default() -> Self {
        Self { workers: 0, batch: 8, queue: 64, max_bytes_in_flight: 64 << 20 }
    }
}

/// Everything that can be set for a run, apart from the model and the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bounds on an image.
    pub image: ImageLimits,
    /// Bounds on a sample.
    pub sample: SampleLimits,
    /// The cheap rules that answer before the model.
    pub rules: Rules,
    /// How the work is spread.
    pub pipeline: PipelineConfig,
}

impl Config {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for the first key whose value is outside its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rows: [(&'static str, f64, f64, f64); 12] = [
            ("image.max_side", self.image.max_side.into(), 1.0, 65_535.0),
            ("image.max_pixels", self.image.max_pixels as f64, 1.0, 4e9),
            ("image.max_decode_bytes", self.image.max_decode_bytes as f64, 65_536.0, 16e9),
            ("sample.max_sample_bytes", self.sample.max_sample_bytes as f64, 1024.0, 4e9),
            ("sample.max_caption_bytes", self.sample.max_caption_bytes as f64, 1.0, 1e9),
            ("rules.min_words", self.rules.min_words.into(), 0.0, 1e6),
            ("rules.min_chars", self.rules.min_chars.into(), 0.0, 1e6),
            ("rules.min_side", self.rules.min_side.into(), 0.0, 65_535.0),
            ("rules.max_aspect", self.rules.max_aspect, 1.0, 1e9),
            ("pipeline.workers", self.pipeline.workers as f64, 0.0, 1024.0),
            ("pipeline.batch", self.pipeline.batch as f64, 1.0, 4096.0),
            ("pipeline.queue", self.pipeline.queue as f64, 1.0, 1e6),
        ];
        for (key, value, min, max) in rows {
            // Written so that NaN fails.
            if !(value >= min && value <= max) {
                return Err(ConfigError::OutOfRange { key, value, min, max });
            }
        }
        let in_flight = self.pipeline.max_bytes_in_flight as f64;
        let min = self.sample.max_sample_bytes as f64;
        if in_flight < min {
            let key = "pipeline.max_bytes_in_flight";
            return Err(ConfigError::OutOfRange { key, value: in_flight, min, max: 1e12 });
        }
        Ok(())
    }
}
