//! How a run is set up: memory, workers, model, policy.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::units;
use crate::policy::OnError;

/// What the process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Bytes of resident memory that a run never passes: it does not start where its worst case is
    /// more. 0: no ceiling.
    #[serde(with = "units::bytes")]
    pub ceiling_bytes: u64,
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
    #[serde(with = "units::bytes")]
    pub max_bytes_in_flight: u64,
}

impl Default for PipelineConfig {
    /// One worker a core, 8 pairs at once, 64 waiting, 64 MiB in flight.
    fn default() -> Self {
        Self { workers: 0, batch: 8, queue: 64, max_bytes_in_flight: 64 << 20 }
    }
}

/// The model that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Path of a bundle, a folder or a tar; empty: the model in the binary.
    pub bundle: String<256>,
    /// Threads that each worker splits the model's work over.
    pub threads: u32,
}

impl Default for ModelConfig {
    /// The model in the binary, on one thread a worker.
    fn default() -> Self {
        Self { bundle: String::new(), threads: 1 }
    }
}

/// What passes. Without a threshold and without a share, what the model recommends.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// Lowest score that passes, -1 to 1.
    pub threshold: Option<f32>,
    /// Share of the scored pairs that passes; not beside a threshold.
    #[serde(with = "units::share")]
    pub keep: Option<f64>,
    /// What becomes of pairs that could not be judged.
    pub on_error: OnError,
}
