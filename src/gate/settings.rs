//! What a gate decides by, and the digest that tells it from another.

use sha2::{Digest as _, Sha256};

use crate::config::{Config, ImageLimits, SampleLimits};
use crate::model::Arithmetic;
use crate::pair::Digest;
use crate::policy::{FollowRule, OnError, Policy};
use crate::rules::Rules;

/// What a broken rule does to the rest of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screening {
    /// The pair is rejected at once, so that the model is not asked.
    #[default]
    Stop,
    /// The pair is scored all the same and carries the rule's reason.
    Note,
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
    /// How the threshold follows the scores, where it does. A gate decides by the first one; see
    /// [`follow`](crate::follow).
    pub follow: Option<FollowRule>,
}

impl GateSettings {
    /// The limits and rules of a config; all other keys change no decision, or are for the caller to
    /// resolve to a threshold.
    pub fn of(config: &Config) -> Self {
        let policy = Policy { threshold: None, on_error: config.policy.on_error };
        let Config { image, sample, rules, .. } = *config;
        Self { image, sample, rules, policy, screening: Screening::Stop, follow: None }
    }

    /// SHA-256 of every setting that a decision depends on, in a fixed order and encoding.
    /// `arithmetic` is the model's.
    pub fn digest(&self, arithmetic: Arithmetic) -> Digest {
        let Self { image, sample, rules, .. } = self;
        let mut hash = Sha256::new();
        hash.update(image.max_side.to_le_bytes());
        hash.update(image.max_pixels.to_le_bytes());
        hash.update(image.max_decode_bytes.to_le_bytes());
        hash.update(sample.max_sample_bytes.to_le_bytes());
        hash.update(sample.max_caption_bytes.to_le_bytes());
        hash.update(rules.min_words.to_le_bytes());
        hash.update(rules.min_chars.to_le_bytes());
        hash.update(rules.min_side.to_le_bytes());
        hash.update(rules.max_aspect.to_le_bytes());
        // NaN stands for no threshold: it cannot be one.
        hash.update(self.policy.threshold.unwrap_or(f32::NAN).to_le_bytes());
        hash.update([(self.policy.on_error == OnError::Keep) as u8]);
        hash.update([(self.screening == Screening::Note) as u8]);
        // Scores are the same on every instruction set.
        hash.update([matches!(arithmetic, Arithmetic::Int8(_)) as u8]);
        if let Some(FollowRule { keep, warm_up, window, every }) = self.follow {
            hash.update(keep.to_le_bytes());
            for scores in [warm_up, window, every] {
                hash.update(scores.to_le_bytes());
            }
        }
        Digest(hash.finalize().into())
    }
}
