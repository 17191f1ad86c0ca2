//! The memory that a config may take at worst.

use super::{CaptureConfig, Config};
use crate::error::ConfigError;

/// Bytes that a sink holds back before it writes them: the open shard's and the journal's buffers.
const SINK_BYTES: u64 = 2 << 20;
/// Bytes of the sketches of a threshold that follows the scores.
const FOLLOW_BYTES: u64 = 2 << 20;

/// Memory at worst, in bytes, by what takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The program and the loaded model, its activations for all workers included.
    pub model: u64,
    /// Images that are being decoded: one a worker.
    pub images: u64,
    /// Samples between source and sink.
    pub samples: u64,
    /// Frames that wait between camera and gate, and the one that the frame rules look at.
    pub frames: u64,
    /// Buffers of the sinks.
    pub sinks: u64,
}

impl Config {
    /// What a run takes at worst if program and model take `model` bytes. Workers given as 0 are
    /// counted as one: on more cores call it with their number set.
    pub fn need(&self, model: u64) -> Need {
        let workers = self.pipeline.workers.max(1) as u64;
        let CaptureConfig { places, min_change, min_sharpness, .. } = self.capture;
        let looks = u64::from(min_change > 0.0 || min_sharpness > 0.0);
        let image = self.image.max_decode_bytes.saturating_add(self.image.metadata_bytes());
        let waiting = u64::from(places).saturating_mul(self.sample.max_sample_bytes);
        Need {
            model,
            images: workers.saturating_mul(image),
            samples: self.pipeline.max_bytes_in_flight,
            frames: waiting.saturating_add(looks.saturating_mul(image)),
            sinks: SINK_BYTES + if self.follow.enabled { FOLLOW_BYTES } else { 0 },
        }
    }
}

impl Need {
    /// All of it.
    pub fn total(&self) -> u64 {
        let rest = self.samples.saturating_add(self.frames).saturating_add(self.sinks);
        self.model.saturating_add(self.images).saturating_add(rest)
    }

    /// The same for a run that captures nothing.
    pub fn without_capture(self) -> Self {
        Self { frames: 0, ..self }
    }

    /// The same for a run with another sink, which holds back `bytes`.
    pub fn with_sink(self, bytes: u64) -> Self {
        Self { sinks: self.sinks.saturating_add(bytes), ..self }
    }

    /// Holds it against a ceiling in bytes; 0 is none.
    ///
    /// # Errors
    /// [`ConfigError::Ceiling`] if it is more.
    pub fn check(&self, ceiling: u64) -> Result<(), ConfigError> {
        let needed = self.total();
        if ceiling == 0 || needed <= ceiling {
            return Ok(());
        }
        let parts = [
            (self.model, "the program and the model"),
            (self.images, "pipeline.workers x image.max_decode_bytes"),
            (self.samples, "pipeline.max_bytes_in_flight"),
            (self.frames, "capture.places x sample.max_sample_bytes"),
            (self.sinks, "what sinks hold back before it is written or sent"),
        ];
        let most = parts.iter().max_by_key(|(bytes, _)| *bytes).map_or("", |(_, what)| what);
        Err(ConfigError::Ceiling { key: "memory.ceiling_bytes", ceiling, needed, most })
    }
}
