//! What a command that runs on and on tells of itself.

use serde::{Deserialize, Serialize};

use super::units;

/// What is shown of a run, and when it counts as stuck. It is in files alone: firmware shows nothing,
/// and a packed config holds none of it. None of it changes a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// Latest kept pairs, and as many rejected ones, that the page shows with a small picture and the
    /// caption; 0: none.
    pub thumbnails: u32,
    /// Longest time without progress, after which a run counts as stuck: it is then unhealthy, and a
    /// service manager's watchdog hears nothing more.
    #[serde(with = "units::milliseconds")]
    pub max_stall_ms: u64,
}

impl Default for AgentConfig {
    /// 24 of each, one minute.
    fn default() -> Self {
        Self { thumbnails: 24, max_stall_ms: 60_000 }
    }
}
