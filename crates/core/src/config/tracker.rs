//! Whether the threshold of a share follows the scores.

use serde::{Deserialize, Serialize};

/// How the threshold of a share follows the scores of an input that is read once. It is in files
/// alone: a packed config is for firmware, which scores nothing, and holds none of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrackerConfig {
    /// Whether it does; `policy.keep` is the share.
    pub enabled: bool,
    /// The threshold to begin with, -1 to 1; without one, what the model's calibration gives.
    pub first_threshold: Option<f32>,
    /// Scored pairs that the first threshold decides on.
    pub warm_up: u64,
    /// Scored pairs, the last ones, that a threshold is taken from.
    pub window: u64,
    /// Scored pairs from one threshold to the next.
    pub every: u64,
    /// Population stability index, of the window against the model's calibration, above which the
    /// scores have drifted; 0: not looked at.
    pub drift_alarm: f64,
}

impl Default for TrackerConfig {
    /// Off; 1,000 pairs of warm-up, a window of 100,000, a threshold every 100, an alarm at 0.2.
    fn default() -> Self {
        Self {
            enabled: false,
            first_threshold: None,
            warm_up: 1000,
            window: 100_000,
            every: 100,
            drift_alarm: 0.2,
        }
    }
}
