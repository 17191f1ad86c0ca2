//! `bundle.toml`: what a bundle says about its model, and the ranges that it must keep to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ModelError;
use crate::model::onnx::survey::Activation;
use crate::prepare::{Crop, Interpolation, Preparation, Resize, default_rescale};
use crate::text::clean::Step;
use crate::text::tokenize::Framing;

/// The manifest format that this version reads.
pub const FORMAT: u32 = 1;

/// What `bundle.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format; see [`FORMAT`].
    pub format: u32,
    /// Name of the model.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// Licence of the weights.
    pub licence: String,
    /// Values in an embedding, both towers'.
    pub embedding_size: usize,
    /// What cosines were multiplied with in training, after exponentiation; `None` if it is not
    /// known. Scores are cosines: it is recorded for those who want probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_scale: Option<f32>,
    /// What was added to the scaled cosines in training (SigLIP); 0 elsewhere.
    #[serde(default)]
    pub logit_bias: f32,
    /// A threshold that suits the model where the user names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended_threshold: Option<f32>,
    /// Scores of a calibration set at 0 %, 1 %, ... 100 %, ascending; empty if not calibrated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub score_quantiles: Vec<f32>,
    /// The image tower.
    pub image: ImageManifest,
    /// The text tower.
    pub text: TextManifest,
    /// What the towers must say of some pairs, checked at load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<GoldenManifest>,
    /// The bundles whose weights these are the mean of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blended_from: Vec<BlendedFrom>,
    /// SHA-256 of each file, by name.
    pub digests: BTreeMap<String, String>,
}

/// The image tower and how pictures are prepared for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageManifest {
    /// The graph: `[N, 3, size, size]` f32 to `[N, embedding_size]` f32.
    pub file: String,
    /// The graph's output, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The nonlinearity; the graph must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Side of the square input in pixels.
    pub size: u32,
    /// How an image of any shape is scaled.
    pub resize: Resize,
    /// What sides are scaled to where it is not `size`, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize_to: Option<u32>,
    /// The resampling filter.
    pub interpolation: Interpolation,
    /// How many pixels an odd margin leaves before the crop.
    #[serde(default)]
    pub crop: Crop,
    /// Red, green and blue of what an image does not cover.
    #[serde(default)]
    pub fill: [u8; 3],
    /// What levels from 0 to 255 are multiplied with before mean and std.
    #[serde(default = "default_rescale")]
    pub rescale: f64,
    /// Subtracted from each channel after `rescale`.
    pub mean: [f32; 3],
    /// Divides each channel after the mean.
    pub std: [f32; 3],
}

impl ImageManifest {
    /// The part that the preparation needs.
    pub fn preparation(&self) -> Preparation {
        Preparation {
            size: self.size,
            resize: self.resize,
            resize_to: self.resize_to,
            interpolation: self.interpolation,
            crop: self.crop,
            fill: self.fill,
            rescale: self.rescale,
            mean: self.mean,
            std: self.std,
        }
    }
}

/// How the text tower attends, and so whether a caption may run at its own length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// Padding is masked in the graph.
    Masked,
    /// A token sees only those before it.
    Causal,
    /// Every token sees every other, padding too: captions run at the context length.
    Full,
}

/// Which of a caption's tokens gives its embedding. The graph does it; it is recorded because two
/// poolings of the same weights give different scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The token with the greatest id: end of text, in CLIP's vocabulary.
    Argmax,
    /// The first end of text.
    #[serde(alias = "eos")]
    Eot,
    /// The first token.
    First,
    /// The last token, padding included.
    Last,
    /// The mean of all tokens.
    #[serde(alias = "MeanPooler")]
    Mean,
    /// A learnt attention over all tokens.
    Attention,
}

/// The text tower and how captions are prepared for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextManifest {
    /// The graph: `[N, L]` token ids to `[N, embedding_size]` f32.
    pub file: String,
    /// The graph's output, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The nonlinearity; the graph must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// The tokenizer's file.
    pub tokenizer: String,
    /// Most tokens, start and end of text included.
    pub context_length: usize,
    /// Fills what is shorter.
    pub pad_id: u32,
    /// Start of text, if the model has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sot_id: Option<u32>,
    /// End of text, if the model has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eot_id: Option<u32>,
    /// Whether captions may run at their own length.
    pub attention: Attention,
    /// Which token gives the embedding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Cleaning steps, in order.
    pub cleaning: Vec<Step>,
}

impl TextManifest {
    /// What the tokenizer must know of the model.
    pub fn framing(&self) -> Framing {
        let Self { context_length, sot_id, eot_id, cleaning, .. } = self.clone();
        Framing { cleaning, context_length, sot_id, eot_id }
    }
}

/// Pairs whose embeddings are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenManifest {
    /// The golden file; see [`golden`](crate::model::check::golden).
    pub file: String,
    /// Smallest cosine of a golden embedding and the towers' own, 0 to 1.
    pub min_cosine: f64,
}

/// A bundle that has gone into another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlendedFrom {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its digest, as journals name it.
    pub digest: String,
    /// Its share of the mean, 0 to 1.
    pub weight: f64,
}

impl Manifest {
    /// Reads and checks the bytes of a `bundle.toml`.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] with line and key, [`ModelError::OutOfRange`].
    pub fn parse(toml: &[u8]) -> Result<Self, ModelError> {
        let refused = |why: String| ModelError::Manifest { why };
        let text = std::str::from_utf8(toml).map_err(|why| refused(why.to_string()))?;
        let manifest: Self = toml::from_str(text).map_err(|why| refused(why.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The score that a calibrated bundle expects the best `fraction` of pairs to reach, between
    /// the stored quantiles on a straight line; `None` if it is not calibrated.
    pub fn calibrated_threshold(&self, fraction: f64) -> Option<f32> {
        let last = self.score_quantiles.len().checked_sub(1)?;
        let place = (1.0 - fraction).clamp(0.0, 1.0) * last as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        let (low, high) = (self.score_quantiles[below], self.score_quantiles[above]);
        Some(low + (high - low) * place.fract() as f32)
    }

    /// The share of a calibrated bundle's pairs, in percent, that score at most `score`, between the
    /// stored quantiles on a straight line: 0 below the lowest, 100 from the highest on. `None` if it
    /// is not calibrated, or `score` is no number.
    pub fn percentile(&self, score: f32) -> Option<f64> {
        let quantiles = &self.score_quantiles;
        let last = quantiles.len().checked_sub(1).filter(|_| !score.is_nan())?;
        let above = quantiles.partition_point(|quantile| *quantile <= score);
        let place = match (above.checked_sub(1), quantiles.get(above)) {
            (None, _) => 0.0,
            (Some(below), None) => below as f64,
            (Some(below), Some(high)) => {
                let low = f64::from(quantiles[below]);
                below as f64 + (f64::from(score) - low) / (f64::from(*high) - low)
            }
        };
        Some(100.0 * place / last.max(1) as f64)
    }

    /// Names of the files that the manifest reads by itself: towers, tokenizer, golden pairs.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let golden = self.golden.iter().map(|golden| golden.file.as_str());
        [&self.image.file, &self.text.file, &self.text.tokenizer]
            .into_iter()
            .map(String::as_str)
            .chain(golden)
    }

    fn check(&self) -> Result<(), ModelError> {
        let within = |key: &'static str, value: f64, min: f64, max: f64| {
            let fits = value >= min && value <= max;
            fits.then_some(()).ok_or(ModelError::OutOfRange { key, value, min, max })
        };
        within("format", self.format.into(), FORMAT.into(), FORMAT.into())?;
        within("embedding_size", self.embedding_size as f64, 1.0, 65_536.0)?;
        within("logit_scale", self.logit_scale.unwrap_or(1.0).into(), 0.0, 1e6)?;
        within("logit_bias", self.logit_bias.into(), -1e6, 1e6)?;
        within("image.size", self.image.size.into(), 1.0, 4096.0)?;
        within("image.resize_to", self.image.resize_to.unwrap_or(1).into(), 1.0, 8192.0)?;
        within("image.rescale", self.image.rescale, 1e-6, 1e3)?;
        within("text.context_length", self.text.context_length as f64, 2.0, 4096.0)?;
        for channel in 0..3 {
            within("image.mean", self.image.mean[channel].into(), -1e3, 1e3)?;
            within("image.std", self.image.std[channel].into(), 1e-6, 1e3)?;
        }
        for quantiles in self.score_quantiles.windows(2) {
            within("score_quantiles", quantiles[1].into(), quantiles[0].into(), 1.0)?;
        }
        if let Some(golden) = &self.golden {
            within("golden.min_cosine", golden.min_cosine, 0.0, 1.0)?;
        }
        for name in self.files().chain(self.digests.keys().map(String::as_str)) {
            let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
            if !plain {
                return Err(ModelError::Manifest { why: format!("{name:?} is not a file name") });
            }
        }
        let known = |name: &&str| !self.digests.contains_key(*name);
        match self.files().find(known) {
            Some(name) => Err(ModelError::Manifest { why: format!("no digest of {name:?}") }),
            None => Ok(()),
        }
    }
}
