//! What a gate decides by.

use pairgate_core::config::{CaptureConfig, Config, ImageLimits, PolicyConfig, SampleLimits};
use pairgate_core::pair::Digest;
use pairgate_core::policy::{Policy, TrackerRule};
use pairgate_core::rules::Rules;

/// What a broken rule does to the rest of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screening {
    /// The pair is rejected at once, so that the model is not asked.
    #[default]
    Stop,
    /// The pair is scored all the same and carries the rule's reason.
    Note,
}

/// The rules in front of a camera's gate; what they find becomes the pair's reason.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FrameSettings {
    /// As [`CaptureConfig::min_change`]: levels, 0 to 255; 0: off.
    pub min_change: f32,
    /// As [`CaptureConfig::min_sharpness`]: levels squared; 0: off.
    pub min_sharpness: f32,
}

/// All that a decision depends on beside the pair and the model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GateSettings {
    /// Bounds on an image.
    pub image: ImageLimits,
    /// Bounds on a sample.
    pub sample: SampleLimits,
    /// The cheap rules.
    pub rules: Rules,
    /// Threshold, and what becomes of faulty pairs.
    pub policy: Policy,
    /// What a broken rule does.
    pub screening: Screening,
    /// How the threshold follows the scores, where it does; the policy's is then the first one. See
    /// [`Tracker`](crate::decide::Tracker).
    pub tracker: Option<TrackerRule>,
    /// What a camera's frames are left out for.
    pub frames: FrameSettings,
    /// The digest of the frozen state that selects among what passes, where one does; it is for the
    /// caller to load.
    pub selection: Option<Digest>,
}

impl GateSettings {
    /// The limits and rules of a config; all other keys change no decision, or are for the caller to
    /// resolve to a threshold.
    pub fn of(config: &Config) -> Self {
        // Every table is named, so that a new one is thought about.
        let Config {
            image,
            sample,
            rules,
            policy: PolicyConfig { on_error, threshold: _, keep: _ },
            capture:
                CaptureConfig {
                    min_change,
                    min_sharpness,
                    interval_ms: _,
                    places: _,
                    on_full: _,
                    caption: _,
                    place: _,
                    sensor: _,
                    max_silence_ms: _,
                },
            memory: _,
            pipeline: _,
            model: _,
            storage: _,
            thermal: _,
            tracker: _,
            serve: _,
            spool: _,
            agent: _,
            select: _,
        } = config;
        Self {
            image: *image,
            sample: *sample,
            rules: *rules,
            policy: Policy { threshold: None, on_error: *on_error },
            screening: Screening::Stop,
            tracker: None,
            selection: None,
            frames: FrameSettings { min_change: *min_change, min_sharpness: *min_sharpness },
        }
    }
}
