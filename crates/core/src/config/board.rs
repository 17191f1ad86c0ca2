//! What a board with a camera needs beside.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::units;

/// What becomes of a frame that finds the ring full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// The frame is shed, and counted: a camera cannot wait.
    #[default]
    DropNewest,
    /// The frame that waits longest is shed, and counted.
    DropOldest,
    /// The producer waits: for a pipe from a program that can.
    Block,
    /// Frames wait on disk, all of them, so that a restart finds them. In a packed config it is
    /// `DropNewest`.
    Spool,
}

/// Milliseconds without a picture after which a camera counts as broken, by default.
const MAX_SILENCE_MS: u64 = 600_000;

/// How frames become pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureConfig {
    /// Shortest time between two frames that are taken; 0: every frame.
    #[serde(with = "units::milliseconds")]
    pub interval_ms: u64,
    /// Frames that wait between the camera and the gate.
    pub places: u32,
    /// What becomes of a frame that finds no place.
    pub on_full: OnFull,
    /// Mean difference to the last frame taken, in levels 0 to 255, below which nothing has
    /// changed; 0: off.
    pub min_change: f32,
    /// Sharpness (variance of the Laplacian of the grey picture) below which a frame is blurred;
    /// 0: off.
    pub min_sharpness: f32,
    /// The caption, with `{label}`, `{time}`, `{place}`, `{sensor}` and `{number}` filled in.
    pub caption: String<256>,
    /// What `{place}` stands for.
    pub place: String<64>,
    /// What `{sensor}` stands for.
    pub sensor: String<64>,
    /// Longest time without a picture that can be read, after which the camera counts as broken; 0:
    /// as long as it takes. Not in a packed config.
    #[serde(with = "silence")]
    pub max_silence_ms: u64,
}

impl Default for CaptureConfig {
    /// Every frame, 8 places, the newest shed, no rule, the caption that comes with the frame, ten
    /// minutes without a picture.
    fn default() -> Self {
        Self {
            interval_ms: 0,
            places: 8,
            on_full: OnFull::DropNewest,
            min_change: 0.0,
            min_sharpness: 0.0,
            // It fits: the longest is 256 bytes.
            caption: String::try_from("{label}").unwrap_or_default(),
            place: String::new(),
            sensor: String::new(),
            max_silence_ms: MAX_SILENCE_MS,
        }
    }
}

/// A time that takes no bytes in a packed config.
mod silence {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::super::units::milliseconds;

    pub fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            milliseconds::serialize(value, to)
        } else {
            to.serialize_unit()
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        if from.is_human_readable() {
            milliseconds::deserialize(from)
        } else {
            <()>::deserialize(from).map(|()| super::MAX_SILENCE_MS)
        }
    }
}

/// When to back off. Warm: frames are taken at half the rate, one pair at a time. Hot or low: none
/// are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThermalConfig {
    /// Folder of a thermal zone, such as `/sys/class/thermal/thermal_zone0`; empty: off.
    pub zone: String<128>,
    /// Degrees Celsius from which it is warm.
    pub warm_c: f32,
    /// Degrees Celsius from which it is hot, until it is no longer warm.
    pub hot_c: f32,
    /// Folder of a battery, such as `/sys/class/power_supply/BAT0`; empty: none.
    pub battery: String<128>,
    /// Percent of charge below which it is low, unless it is being charged.
    pub low_percent: f32,
}

impl Default for ThermalConfig {
    /// Off; warm from 70, hot from 80 degrees; low below 15 %.
    fn default() -> Self {
        Self {
            zone: String::new(),
            warm_c: 70.0,
            hot_c: 80.0,
            battery: String::new(),
            low_percent: 15.0,
        }
    }
}
