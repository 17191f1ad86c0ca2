//! A model bundle: a manifest and the files it names, found whole before anything runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::ModelError;
use crate::pair::Digest;
use crate::prepare::{Interpolation, Preparation, Resize};
use crate::text::clean::Step;

/// Name of the manifest in a bundle.
pub const MANIFEST: &str = "bundle.toml";
/// The manifest format that this version reads.
pub const FORMAT: u32 = 1;
/// Largest file that is read from a bundle, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// Entries that are read from a bundle that is one tar.
const MAX_TAR_ENTRIES: usize = 256;

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
    /// What cosines were multiplied with in training, after exponentiation. Scores are cosines:
    /// it is recorded for those who want probabilities.
    pub logit_scale: f32,
    /// What was added to the scaled cosines in training (SigLIP); 0 elsewhere.
    #[serde(default)]
    pub logit_bias: f32,
    /// A threshold that suits the model where the user names none.
    #[serde(default)]
    pub recommended_threshold: Option<f32>,
    /// Scores of a calibration set at 0 %, 1 %, ... 100 %, ascending; empty if not calibrated.
    #[serde(default)]
    pub score_quantiles: Vec<f32>,
    /// The image tower.
    pub image: ImageManifest,
    /// The text tower.
    pub text: TextManifest,
    /// SHA-256 of each file, by name.
    pub digests: BTreeMap<String, String>,
}

/// The image tower and how pictures are prepared for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageManifest {
    /// The graph: `[N, 3, size, size]` f32 to `[N, embedding_size]` f32.
    pub file: String,
    /// Side of the square input in pixels.
    pub size: u32,
    /// Shortest side and crop, or squash.
    pub resize: Resize,
    /// The resampling filter.
    pub interpolation: Interpolation,
    /// Subtracted from each channel after scaling to 0..1.
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
            interpolation: self.interpolation,
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

/// The text tower and how captions are prepared for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextManifest {
    /// The graph: `[N, L]` i64 token ids to `[N, embedding_size]` f32.
    pub file: String,
    /// The tokenizer's file.
    pub tokenizer: String,
    /// Most tokens, start and end of text included.
    pub context_length: usize,
    /// Fills what is shorter.
    pub pad_id: u32,
    /// Start of text.
    pub sot_id: u32,
    /// End of text.
    pub eot_id: u32,
    /// Whether captions may run at their own length.
    pub attention: Attention,
    /// Cleaning steps, in order.
    pub cleaning: Vec<Step>,
}

/// A manifest and the bytes of its files, digests checked.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes; it holds the files' digests, so it names the whole model.
    pub digest: Digest,
    /// The image tower's ONNX file.
    pub image: Vec<u8>,
    /// The text tower's ONNX file.
    pub text: Vec<u8>,
    /// The tokenizer's JSON file.
    pub tokenizer: Vec<u8>,
}

impl Bundle {
    /// The model in the binary.
    ///
    /// # Errors
    /// As [`Bundle::load`]: the embedded bundle goes through the same checks as everyone's.
    pub fn embedded() -> Result<Self, ModelError> {
        const FILES: [(&str, &[u8]); 4] = [
            (MANIFEST, include_bytes!("../../models/default/bundle.toml")),
            ("image.onnx", include_bytes!("../../models/default/image.onnx")),
            ("text.onnx", include_bytes!("../../models/default/text.onnx")),
            ("tokenizer.json", include_bytes!("../../models/default/tokenizer.json")),
        ];
        Self::from_files(|name| {
            let found = FILES.iter().find(|(file, _)| *file == name);
            found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| missing(name))
        })
    }

    /// Reads a bundle from a folder or a tar.
    ///
    /// # Errors
    /// [`ModelError`] that names the file, key and value that cannot be used.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        if path.is_dir() {
            return Self::from_files(|name| read_bounded(&path.join(name)));
        }
        let mut files = read_tar(path)?;
        Self::from_files(|name| files.remove(name).ok_or_else(|| missing(name)))
    }

    fn from_files(
        mut read: impl FnMut(&str) -> Result<Vec<u8>, ModelError>,
    ) -> Result<Self, ModelError> {
        let manifest_bytes = read(MANIFEST)?;
        let text = std::str::from_utf8(&manifest_bytes)
            .map_err(|e| ModelError::Manifest { why: e.to_string() })?;
        let manifest: Manifest =
            toml::from_str(text).map_err(|e| ModelError::Manifest { why: e.to_string() })?;
        manifest.check()?;
        let mut verified = |name: &String| {
            let bytes = read(name)?;
            manifest.verify(name, &bytes)?;
            Ok(bytes)
        };
        Ok(Self {
            image: verified(&manifest.image.file)?,
            text: verified(&manifest.text.file)?,
            tokenizer: verified(&manifest.text.tokenizer)?,
            digest: sha256(&manifest_bytes),
            manifest,
        })
    }
}

impl Manifest {
    /// The score that a calibrated bundle expects the best `fraction` of pairs to reach, between
    /// the stored quantiles on a straight line; `None` if it is not calibrated.
    pub fn calibrated_threshold(&self, fraction: f64) -> Option<f32> {
        let last = self.score_quantiles.len().checked_sub(1)?;
        let place = (1.0 - fraction).clamp(0.0, 1.0) * last as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        let (low, high) = (self.score_quantiles[below], self.score_quantiles[above]);
        Some(low + (high - low) * place.fract() as f32)
    }

    fn check(&self) -> Result<(), ModelError> {
        let within = |key: &'static str, value: f64, min: f64, max: f64| {
            let fits = value >= min && value <= max;
            fits.then_some(()).ok_or(ModelError::OutOfRange { key, value, min, max })
        };
        within("format", self.format.into(), FORMAT.into(), FORMAT.into())?;
        within("embedding_size", self.embedding_size as f64, 1.0, 65_536.0)?;
        within("logit_scale", self.logit_scale.into(), 0.0, 1e6)?;
        within("image.size", self.image.size.into(), 1.0, 4096.0)?;
        within("text.context_length", self.text.context_length as f64, 2.0, 4096.0)?;
        for channel in 0..3 {
            within("image.mean", self.image.mean[channel].into(), -1e3, 1e3)?;
            within("image.std", self.image.std[channel].into(), 1e-6, 1e3)?;
        }
        for quantiles in self.score_quantiles.windows(2) {
            within("score_quantiles", quantiles[1].into(), quantiles[0].into(), 1.0)?;
        }
        for name in [&self.image.file, &self.text.file, &self.text.tokenizer] {
            let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
            if !plain {
                return Err(ModelError::Manifest { why: format!("{name:?} is not a file name") });
            }
        }
        Ok(())
    }

    fn verify(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        let file = name.to_owned();
        let Some(expected) = self.digests.get(name) else {
            return Err(ModelError::Manifest { why: format!("no digest of {name:?}") });
        };
        let found = sha256(bytes).to_string();
        if !expected.eq_ignore_ascii_case(&found) {
            return Err(ModelError::Digest { file, expected: expected.clone(), found });
        }
        Ok(())
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn missing(name: &str) -> ModelError {
    let why = std::io::Error::new(std::io::ErrorKind::NotFound, "it is not in the bundle");
    ModelError::Read { file: name.to_owned(), why }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ModelError> {
    let failed = |why| ModelError::Read { file: path.display().to_string(), why };
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn read_tar(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, ModelError> {
    let failed = |why| ModelError::Read { file: path.display().to_string(), why };
    let mut archive = tar::Archive::new(fs::File::open(path).map_err(failed)?);
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(failed)?.take(MAX_TAR_ENTRIES) {
        let entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.file_name().map(|n| n.to_string_lossy().into());
        let mut bytes = Vec::new();
        entry.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        files.extend(name.map(|name: String| (name, bytes)));
    }
    Ok(files)
}
