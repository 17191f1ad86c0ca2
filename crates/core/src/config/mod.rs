//! What can be set for a run: limits, rules, workers, memory, model, policy, storage, capture.
//!
//! All of it can be written in a TOML file; `firmware-config/default.toml` shows every key with its
//! unit, range and default, and the files beside it suit boards. `pairgate::config`
//! reads them in layers and names the line of what is wrong; [`packed`] is the form that firmware reads.

mod agent;
mod board;
pub(crate) mod in_files;
mod limits;
mod memory;
pub mod packed;
mod run;
mod select;
mod serve;
mod spool;
mod storage;
mod tracker;
mod units;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::rules::Rules;

pub use agent::AgentConfig;
pub use board::{CaptureConfig, OnFull, ThermalConfig};
pub use limits::{DecodeMode, ImageLimits, SampleLimits};
pub use memory::{LONG_CAPTION_BYTES, Need};
pub use run::{MemoryConfig, ModelConfig, PipelineConfig, PolicyConfig};
pub use select::SelectConfig;
pub use serve::ServeConfig;
pub use spool::{SpoolConfig, SpoolSync};
pub use storage::{OnFullDisk, StorageConfig};
pub use tracker::TrackerConfig;

/// Everything that can be set for a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the process may use.
    pub memory: MemoryConfig,
    /// Bounds on an image.
    pub image: ImageLimits,
    /// Bounds on a sample.
    pub sample: SampleLimits,
    /// The cheap rules that answer before the model.
    pub rules: Rules,
    /// How the work is spread.
    pub pipeline: PipelineConfig,
    /// The model that is asked.
    pub model: ModelConfig,
    /// What passes.
    pub policy: PolicyConfig,
    /// How kept pairs reach the disk.
    pub storage: StorageConfig,
    /// How frames become pairs.
    pub capture: CaptureConfig,
    /// When to back off.
    pub thermal: ThermalConfig,
    /// Whether a share's threshold follows the scores. Not in a packed config.
    #[serde(rename = "follow", with = "in_files")]
    pub tracker: TrackerConfig,
    /// What the service takes at once. Not in a packed config.
    #[serde(with = "in_files")]
    pub serve: ServeConfig,
    /// Where pairs wait on disk. Not in a packed config.
    #[serde(with = "in_files")]
    pub spool: SpoolConfig,
    /// What is told of a run that goes on and on. Not in a packed config.
    #[serde(with = "in_files")]
    pub agent: AgentConfig,
    /// What selects among pairs that pass. Not in a packed config.
    #[serde(with = "in_files")]
    pub select: SelectConfig,
}

/// A key, its value and its range.
type Row = (&'static str, f64, f64, f64);

impl Config {
    /// Checks every value against its range, and the values against each other.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for the first key whose value is outside its range,
    /// [`ConfigError::Exclusive`] for a threshold beside a share, [`ConfigError::Needs`] where a
    /// threshold is to follow no share, [`ConfigError::Ceiling`] where images and queues alone may
    /// pass the memory ceiling.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_rows(&self.limit_rows())?;
        check_rows(&self.run_rows())?;
        check_rows(&self.board_rows())?;
        check_rows(&self.tracker_rows())?;
        check_rows(&self.serve_rows())?;
        check_rows(&self.agent_rows())?;
        if self.policy.threshold.is_some() && self.policy.keep.is_some() {
            return Err(ConfigError::Exclusive { key: "policy.keep", other: "policy.threshold" });
        }
        if self.tracker.enabled && self.policy.keep.is_none() {
            return Err(ConfigError::Needs { key: "follow.enabled", other: "policy.keep" });
        }
        // What a camera waits with is for `capture` to add.
        self.need(0).without_capture().check(self.memory.ceiling_bytes)
    }

    fn limit_rows(&self) -> [Row; 11] {
        let Self { memory, image, sample, rules, .. } = self;
        let least_words = if rules.max_words == 0 { 0.0 } else { rules.min_words.into() };
        [
            ("memory.ceiling_bytes", memory.ceiling_bytes as f64, 0.0, 1e13),
            ("image.max_side", image.max_side.into(), 1.0, 65_535.0),
            ("image.max_pixels", image.max_pixels as f64, 1.0, 4e9),
            ("image.max_decode_bytes", image.max_decode_bytes as f64, 65_536.0, 16e9),
            ("sample.max_sample_bytes", sample.max_sample_bytes as f64, 1024.0, 4e9),
            ("sample.max_caption_bytes", sample.max_caption_bytes as f64, 1.0, 1e9),
            ("rules.min_words", rules.min_words.into(), 0.0, 1e6),
            ("rules.min_chars", rules.min_chars.into(), 0.0, 1e6),
            ("rules.min_side", rules.min_side.into(), 0.0, 65_535.0),
            ("rules.max_aspect", rules.max_aspect, 1.0, 1e9),
            // Not below the fewest: no caption would pass.
            ("rules.max_words", rules.max_words.into(), least_words, 1e6),
        ]
    }

    fn run_rows(&self) -> [Row; 14] {
        let Self { sample, pipeline, model, policy, storage, .. } = self;
        let in_flight = pipeline.max_bytes_in_flight as f64;
        [
            ("pipeline.workers", pipeline.workers as f64, 0.0, 1024.0),
            ("pipeline.batch", pipeline.batch as f64, 1.0, 4096.0),
            ("pipeline.queue", pipeline.queue as f64, 1.0, 1e6),
            // The largest sample must pass.
            ("pipeline.max_bytes_in_flight", in_flight, sample.max_sample_bytes as f64, 1e12),
            ("model.threads", model.threads.into(), 1.0, 1024.0),
            ("policy.threshold", policy.threshold.unwrap_or(0.0).into(), -1.0, 1.0),
            ("policy.keep", policy.keep.unwrap_or(1.0), f64::MIN_POSITIVE, 1.0),
            ("storage.shard_pairs", storage.shard_pairs as f64, 1.0, 9_999_999.0),
            ("storage.shard_age_ms", storage.shard_age_ms as f64, 0.0, 1e12),
            ("storage.sync_pairs", storage.sync_pairs as f64, 0.0, 9_999_999.0),
            ("storage.sync_ms", storage.sync_ms as f64, 0.0, 1e9),
            ("storage.max_bytes", storage.max_bytes as f64, 0.0, 1e15),
            ("storage.min_free", storage.min_free as f64, 0.0, 1e15),
            ("storage.keep_days", storage.keep_days.into(), 0.0, 36_500.0),
        ]
    }

    fn tracker_rows(&self) -> [Row; 5] {
        let TrackerConfig { first_threshold, warm_up, window, every, drift_alarm, .. } =
            self.tracker;
        let most = window as f64;
        [
            ("follow.first_threshold", first_threshold.unwrap_or(0.0).into(), -1.0, 1.0),
            ("follow.window", most, 100.0, 1e12),
            ("follow.warm_up", warm_up as f64, 1.0, most),
            ("follow.every", every as f64, 1.0, most),
            ("follow.drift_alarm", drift_alarm, 0.0, 100.0),
        ]
    }

    fn agent_rows(&self) -> [Row; 2] {
        let AgentConfig { thumbnails, max_stall_ms } = self.agent;
        [
            ("agent.thumbnails", thumbnails.into(), 0.0, 256.0),
            ("agent.max_stall_ms", max_stall_ms as f64, 1000.0, 1e9),
        ]
    }

    fn board_rows(&self) -> [Row; 10] {
        let Self { capture, thermal, spool, .. } = self;
        [
            ("capture.interval_ms", capture.interval_ms as f64, 0.0, 1e12),
            ("capture.places", capture.places.into(), 1.0, 255.0),
            ("capture.min_change", capture.min_change.into(), 0.0, 255.0),
            ("capture.min_sharpness", capture.min_sharpness.into(), 0.0, 65_025.0),
            ("capture.max_silence_ms", capture.max_silence_ms as f64, 0.0, 1e12),
            ("thermal.warm_c", thermal.warm_c.into(), -40.0, 150.0),
            // Not below warm: a board would stop before it slows down.
            ("thermal.hot_c", thermal.hot_c.into(), thermal.warm_c.into(), 150.0),
            ("thermal.low_percent", thermal.low_percent.into(), 0.0, 100.0),
            // The least holds a picture.
            ("spool.max_bytes", spool.max_bytes as f64, 1e6, 1e15),
            ("spool.sync_ms", spool.sync_ms as f64, 1.0, 1e9),
        ]
    }
}

impl Config {
    fn serve_rows(&self) -> [Row; 10] {
        let ServeConfig { queue, max_connections, max_bytes, max_streams, .. } = self.serve;
        let ServeConfig { uid_window, sync_ms, header_ms, body_ms, idle_ms, drain_ms, .. } =
            self.serve;
        [
            ("serve.queue", queue as f64, 1.0, 1e6),
            ("serve.max_connections", max_connections as f64, 1.0, 65_535.0),
            ("serve.max_bytes", max_bytes as f64, 65_536.0, 1e12),
            ("serve.max_streams", max_streams as f64, 0.0, 1024.0),
            ("serve.uid_window", uid_window as f64, 0.0, 1e8),
            ("serve.sync_ms", sync_ms as f64, 0.0, 1e9),
            ("serve.header_ms", header_ms as f64, 1.0, 1e9),
            ("serve.body_ms", body_ms as f64, 1.0, 1e9),
            ("serve.idle_ms", idle_ms as f64, 1.0, 1e9),
            ("serve.drain_ms", drain_ms as f64, 0.0, 1e9),
        ]
    }
}

fn check_rows(rows: &[Row]) -> Result<(), ConfigError> {
    for &(key, value, min, max) in rows {
        // Written so that NaN fails.
        if !(value >= min && value <= max) {
            return Err(ConfigError::OutOfRange { key, value, min, max });
        }
    }
    Ok(())
}
