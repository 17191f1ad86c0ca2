//! Scores of a calibration set, written into a bundle.

use std::fs;
use std::path::Path;

use super::{Bundle, MANIFEST};
use crate::model::ModelError;

/// Writes quantiles of scores, at 0 %, 1 %, ... 100 %, and a threshold into the bundle in the folder
/// `path`. The files of the model stay as they are; the bundle's digest changes, as what it
/// recommends does.
///
/// # Errors
/// [`ModelError`] if it is no bundle in a folder, or cannot be written.
pub fn calibrate(path: &Path, quantiles: Vec<f32>, threshold: f32) -> Result<(), ModelError> {
    let mut manifest = Bundle::load(path)?.manifest;
    manifest.score_quantiles = quantiles;
    manifest.recommended_threshold = Some(threshold);
    let text = toml::to_string(&manifest);
    let text = text.map_err(|why| ModelError::Manifest { why: why.to_string() })?;
    let (to, scratch) = (path.join(MANIFEST), path.join(".bundle.toml.partial"));
    let written = fs::write(&scratch, text).and_then(|()| fs::rename(&scratch, &to));
    written.map_err(|why| ModelError::Write { file: to.display().to_string(), why })
}
