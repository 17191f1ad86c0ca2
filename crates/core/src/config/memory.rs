//! The memory that a config may take at worst.

use super::{CaptureConfig, Config};
use crate::error::ConfigError;

/// Bytes that a sink holds back before it writes them: the open shard's and the journal's buffers.
const SINK_BYTES: u64 = 2 << 20;
/// Bytes of the sketches of a threshold that follows the scores.
const TRACKER_BYTES: u64 = 2 << 20;
/// Bytes of a caption from which on it is long: of those, one at a time is tokenized.
pub const LONG_CAPTION_BYTES: u64 = 2 << 10;
/// Bytes that cleaning and tokenizing take for each byte of a caption. Of a BPE tokenizer, 380 were
/// measured where each character is a word (`a1a1a1`), 320 of mojibake, 200 of a single word.
const BYTES_PER_CAPTION_BYTE: u64 = 400;
/// Bytes of a pair between source and sink beside its members: names, facts, places in the queues.
const PAIR_BYTES: u64 = 1 << 10;
/// Bytes that the allocator keeps for a thread beside what is in use: gaps between pieces.
const THREAD_BYTES: u64 = 2 << 20;

/// Memory at worst, in bytes, by what takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The program and the loaded model, its activations for all workers included.
    pub model: u64,
    /// Images that are being decoded: one a worker.
    pub images: u64,
    /// Captions that are being tokenized: one long one, and a short one a worker.
    pub captions: u64,
    /// What the allocator keeps for each thread: workers, their teams, reader, captions, sink.
    pub threads: u64,
    /// Samples between source and sink, and the one that waits for its place there.
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
        let caption = self.sample.max_caption_bytes.min(self.sample.max_sample_bytes);
        let short = workers.saturating_mul(caption.min(LONG_CAPTION_BYTES));
        let threads = workers.saturating_mul(self.model.threads.max(1).into()).saturating_add(3);
        Need {
            model,
            images: workers.saturating_mul(image),
            captions: caption.saturating_add(short).saturating_mul(BYTES_PER_CAPTION_BYTE),
            threads: threads.saturating_mul(THREAD_BYTES),
            samples: self.samples_at_once(workers),
            frames: waiting.saturating_add(looks.saturating_mul(image)),
            sinks: SINK_BYTES + if self.tracker.enabled { TRACKER_BYTES } else { 0 },
        }
    }

    fn samples_at_once(&self, workers: u64) -> u64 {
        let pipeline = self.pipeline;
        let judged = workers.saturating_mul(pipeline.batch as u64).saturating_mul(2);
        let pairs = judged.saturating_add(pipeline.queue as u64).saturating_mul(PAIR_BYTES);
        let waiting = self.sample.max_sample_bytes;
        pipeline.max_bytes_in_flight.saturating_add(waiting).saturating_add(pairs)
    }
}

impl Need {
    /// All of it.
    pub fn total(&self) -> u64 {
        let Self { model, images, captions, threads, samples, frames, sinks } = *self;
        let parts = [model, images, captions, threads, samples, frames, sinks];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// The same for a run that captures nothing.
    pub fn without_capture(self) -> Self {
        Self { frames: 0, ..self }
    }

    /// The same for a run with another sink, which holds back `bytes`.
    pub fn with_sink(self, bytes: u64) -> Self {
        Self { sinks: self.sinks.saturating_add(bytes), ..self }
    }

    /// The same for a tokenizer that makes captions up to `growth` times longer first.
    pub fn with_growing_captions(self, growth: f64) -> Self {
        Self { captions: (self.captions as f64 * growth) as u64, ..self }
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
            (self.captions, "sample.max_caption_bytes"),
            (self.threads, "what each of the threads keeps for itself"),
            (self.samples, "pipeline.max_bytes_in_flight"),
            (self.frames, "capture.places x sample.max_sample_bytes"),
            (self.sinks, "what sinks hold back before it is written or sent"),
        ];
        let most = parts.iter().max_by_key(|(bytes, _)| *bytes).map_or("", |(_, what)| what);
        Err(ConfigError::Ceiling { key: "memory.ceiling_bytes", ceiling, needed, most })
    }
}
