//! The digest of what a gate decides by, which tells it from another.

use std::fmt::Debug;

use pairgate_core::config::{ImageLimits, SampleLimits, TrackerConfig};
use pairgate_core::pair::Digest;
use pairgate_core::policy::{OnError, Policy, TrackerRule};
use pairgate_core::rules::Rules;
use sha2::{Digest as _, Sha256};

use super::{FrameSettings, GateSettings, Screening};
use crate::digest::sha256;
use crate::model::Arithmetic;

impl GateSettings {
    /// Each setting that is not the default, by its name in a config file and its value, sorted by
    /// name; a setting that is no key of a config is `screening` or `arithmetic`, which is the
    /// model's. Floats have the fewest digits that give the same value again.
    pub fn named(&self, arithmetic: Arithmetic) -> Vec<(String, String)> {
        let Self { image, sample, rules, policy, screening, tracker, frames, selection } = *self;
        let mut named = Named::default();
        named.limits(image, sample);
        named.rules(rules, frames);
        named.policy(policy);
        if let Some(rule) = tracker {
            named.tracker(rule);
        }
        if let Some(state) = selection {
            named.word("select.state", &state.to_string(), "");
        }
        let screening = match screening {
            Screening::Stop => "stop",
            Screening::Note => "note",
        };
        named.word("screening", screening, "stop");
        // Scores are the same on every instruction set.
        let arithmetic = match arithmetic {
            Arithmetic::Int8(_) => "int8",
            Arithmetic::Float => "float",
        };
        named.word("arithmetic", arithmetic, "int8");
        named.0.sort();
        named.0
    }

    /// SHA-256 over a line `name=value` for each setting that is not the default, in the order of
    /// [`named`](Self::named): a new key changes nothing where it has its default. `arithmetic` is
    /// the model's.
    pub fn digest(&self, arithmetic: Arithmetic) -> Digest {
        let lines =
            self.named(arithmetic).into_iter().map(|(name, value)| name + "=" + &value + "\n");
        sha256(lines.collect::<String>().as_bytes())
    }

    /// The digest that journals of format 1 and 2 hold: SHA-256 of the settings that there were
    /// then, in a fixed order and encoding. `arithmetic` is the model's.
    pub fn earlier_digest(&self, arithmetic: Arithmetic) -> Digest {
        // There was no selection then.
        let Self { image, sample, rules, policy, screening, tracker, frames: _, selection: _ } =
            self;
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
        hash.update(policy.threshold.unwrap_or(f32::NAN).to_le_bytes());
        hash.update([(policy.on_error == OnError::Keep) as u8]);
        hash.update([(*screening == Screening::Note) as u8]);
        hash.update([matches!(arithmetic, Arithmetic::Int8(_)) as u8]);
        if let Some(TrackerRule { keep, warm_up, window, every }) = tracker {
            hash.update(keep.to_le_bytes());
            for scores in [warm_up, window, every] {
                hash.update(scores.to_le_bytes());
            }
        }
        Digest(hash.finalize().into())
    }
}

/// Settings that are not the default, as they are found. Every struct is taken apart whole, so that a
/// new field is thought about.
#[derive(Default)]
struct Named(Vec<(String, String)>);

impl Named {
    fn limits(&mut self, image: ImageLimits, sample: SampleLimits) {
        let ImageLimits { max_side, max_pixels, max_decode_bytes, decode } = image;
        let usual = ImageLimits::default();
        self.value("image.max_side", max_side, usual.max_side);
        self.value("image.max_pixels", max_pixels, usual.max_pixels);
        self.value("image.max_decode_bytes", max_decode_bytes, usual.max_decode_bytes);
        self.value("image.decode", decode.name(), usual.decode.name());
        let SampleLimits { max_sample_bytes, max_caption_bytes } = sample;
        let usual = SampleLimits::default();
        self.value("sample.max_sample_bytes", max_sample_bytes, usual.max_sample_bytes);
        self.value("sample.max_caption_bytes", max_caption_bytes, usual.max_caption_bytes);
    }

    fn rules(&mut self, rules: Rules, frames: FrameSettings) {
        let Rules { min_words, min_chars, min_side, max_aspect, max_words, languages } = rules;
        let usual = Rules::default();
        self.value("rules.min_words", min_words, usual.min_words);
        self.value("rules.min_chars", min_chars, usual.min_chars);
        self.value("rules.min_side", min_side, usual.min_side);
        self.value("rules.max_aspect", max_aspect, usual.max_aspect);
        self.value("rules.max_words", max_words, usual.max_words);
        self.value("rules.languages", languages, usual.languages);
        let FrameSettings { min_change, min_sharpness } = frames;
        let usual = FrameSettings::default();
        self.value("capture.min_change", min_change, usual.min_change);
        self.value("capture.min_sharpness", min_sharpness, usual.min_sharpness);
    }

    fn policy(&mut self, policy: Policy) {
        let Policy { threshold, on_error } = policy;
        if let Some(threshold) = threshold {
            self.add("policy.threshold", threshold);
        }
        let on_error = match on_error {
            OnError::Drop => "drop",
            OnError::Keep => "keep",
        };
        self.word("policy.on_error", on_error, "drop");
    }

    fn tracker(&mut self, rule: TrackerRule) {
        let TrackerRule { keep, warm_up, window, every } = rule;
        let usual = TrackerConfig::default();
        self.add("follow.enabled", true);
        self.add("policy.keep", keep);
        self.value("follow.warm_up", warm_up, usual.warm_up);
        self.value("follow.window", window, usual.window);
        self.value("follow.every", every, usual.every);
    }

    fn value<T: Debug + PartialEq>(&mut self, name: &str, value: T, usual: T) {
        if value != usual {
            self.add(name, value);
        }
    }

    fn word(&mut self, name: &str, value: &str, usual: &str) {
        if value != usual {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    fn add(&mut self, name: &str, value: impl Debug) {
        // Debug keeps a float's point, as TOML has it.
        self.0.push((name.to_owned(), format!("{value:?}")));
    }
}
