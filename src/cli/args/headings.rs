//! The groups that `--help` shows options in.

pub const INPUT: &str = "Input";
pub const OUTPUT: &str = "Output";
pub const PASSES: &str = "What passes";
pub const MODEL: &str = "Model";
pub const SPEED: &str = "Speed";
pub const ACCESS: &str = "Access";
pub const SETTINGS: &str = "Settings";
#[cfg(feature = "serve")]
pub const WATCHING: &str = "Watching";
#[cfg(feature = "mqtt")]
pub const MQTT: &str = "MQTT";
