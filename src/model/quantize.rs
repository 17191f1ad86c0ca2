//! A bundle made small: its weights in int8, a quarter of the bytes of f32, read in less time and
//! memory.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::bundle::manifest::Manifest;
use super::bundle::new_bundle::NewBundle;
use super::bundle::{Bundle, MANIFEST, TowerFile};
use super::check::golden::Golden;
use super::check::selfcheck;
use super::{Arithmetic, Model};
use crate::model::ModelError;

/// What a golden cosine may lack on another machine or in the other arithmetic.
const SLACK: f64 = 0.005;

/// What became of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quantized {
    /// Bytes of its files before.
    pub bytes_before: u64,
    /// Bytes of its files now.
    pub bytes: u64,
    /// Weights that were rounded, both towers'.
    pub weights: usize,
    /// Least cosine of the golden pairs' embeddings; `None` if the bundle has no golden pairs.
    pub min_cosine: Option<f64>,
}

/// Rounds the weights of a bundle to int8, each output channel by its own scale, and writes the new
/// bundle `to`. Weights that are quantized already stay as they are.
///
/// # Errors
/// [`ModelError`] that names what cannot be read, rounded or written. Nothing is left at `to`.
pub fn quantize(
    bundle: &Bundle,
    to: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Quantized, ModelError> {
    let mut new = NewBundle::create(to, "quantizing")?;
    let mut manifest = bundle.manifest.clone();
    progress("rounding the image tower");
    let (image_bytes, image_weights) = round(&bundle.image, &manifest.image.file, &new)?;
    progress("rounding the text tower");
    let (text_bytes, text_weights) = round(&bundle.text, &manifest.text.file, &new)?;
    new.save(&manifest.text.tokenizer, &bundle.tokenizer)?;
    if let (Some(golden), Some(json)) = (&manifest.golden, &bundle.golden) {
        new.save(&golden.file, json)?;
        copy_pictures(&Golden::parse(&golden.file, json)?, &bundle.folder, &new)?;
    }
    manifest.version.push_str("+int8");
    manifest.digests = new.digests()?.clone();
    save_manifest(&manifest, &new)?;
    let mut min_cosine = None;
    if let (Some(golden), Some(json)) = (&mut manifest.golden, &bundle.golden) {
        progress("checking the golden pairs");
        let least = least_cosine(new.folder(), &Golden::parse(&golden.file, json)?)?;
        golden.min_cosine = golden.min_cosine.min(least - SLACK);
        min_cosine = Some(least);
        save_manifest(&manifest, &new)?;
    }
    let quantized = Quantized {
        bytes_before: image_bytes + text_bytes + bundle.tokenizer.len() as u64,
        bytes: new.bytes()?,
        weights: image_weights + text_weights,
        min_cosine,
    };
    new.publish()?;
    Ok(quantized)
}

fn save_manifest(manifest: &Manifest, new: &NewBundle) -> Result<(), ModelError> {
    let text = toml::to_string(manifest);
    let text = text.map_err(|why| ModelError::Manifest { why: why.to_string() })?;
    new.save(MANIFEST, text.as_bytes())
}

/// Rounds a tower; its bytes before, and how many weights were rounded.
fn round(tower: &TowerFile, name: &str, new: &NewBundle) -> Result<(u64, usize), ModelError> {
    let mut graph = tower.graph()?;
    let before = super::onnx::survey::survey(&graph).stored_bytes;
    let weights = graph.round_weights()?;
    graph.write(&new.folder().join(name), &format!("{name}.data"))?;
    Ok((before, weights))
}

/// The least cosine of a golden pair's embeddings, in the arithmetic that is worse.
fn least_cosine(folder: &Path, golden: &Golden) -> Result<f64, ModelError> {
    let mut least = 1.0f64;
    for arithmetic in [Arithmetic::Float, Arithmetic::int8()] {
        let model = Arc::new(Model::unchecked(&Bundle::load(folder)?, arithmetic)?);
        least = least.min(selfcheck::least_cosine(model, golden, folder)?);
    }
    Ok(least)
}

fn copy_pictures(golden: &Golden, from: &Path, new: &NewBundle) -> Result<(), ModelError> {
    let mut files = golden.pairs.iter().filter_map(|pair| pair.picture.file());
    files.try_for_each(|file| new.copy(&from.join(file), file))
}
