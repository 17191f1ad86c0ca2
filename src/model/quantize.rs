//! A bundle made small: its weights in int8, a quarter of the bytes of f32, read in less time and
//! memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::bundle::{Bundle, MANIFEST, TowerFile, file_digest};
use super::golden::Golden;
use super::selfcheck;
use super::{Arithmetic, Model};
use crate::error::ModelError;

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
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| taken(to, "it has no name"))?;
    let work = to.with_file_name(format!("{name}.quantizing"));
    for path in [to, &work] {
        if path.exists() {
            return Err(taken(path, "it is there already"));
        }
    }
    match write(bundle, &work, progress) {
        Ok(quantized) => {
            fs::rename(&work, to).map_err(|why| written(to, why))?;
            Ok(quantized)
        }
        Err(error) => {
            // The error of the rounding is the one to tell.
            let _ = fs::remove_dir_all(&work);
            Err(error)
        }
    }
}

fn write(
    bundle: &Bundle,
    work: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Quantized, ModelError> {
    fs::create_dir_all(work).map_err(|why| written(work, why))?;
    let mut manifest = bundle.manifest.clone();
    progress("rounding the image tower");
    let (image_bytes, image_weights) = round(&bundle.image, &manifest.image.file, work)?;
    progress("rounding the text tower");
    let (text_bytes, text_weights) = round(&bundle.text, &manifest.text.file, work)?;
    let save = |name: &str, bytes: &[u8]| {
        let path = work.join(name);
        fs::write(&path, bytes).map_err(|why| written(&path, why))
    };
    save(&manifest.text.tokenizer, &bundle.tokenizer)?;
    if let (Some(golden), Some(json)) = (&manifest.golden, &bundle.golden) {
        save(&golden.file, json)?;
        copy_pictures(&Golden::parse(&golden.file, json)?, &bundle.folder, work)?;
    }
    manifest.version.push_str("+int8");
    manifest.digests = digests(work)?;
    let save_manifest = |manifest: &super::manifest::Manifest| {
        let text = toml::to_string(manifest);
        let text = text.map_err(|why| ModelError::Manifest { why: why.to_string() })?;
        save(MANIFEST, text.as_bytes())
    };
    save_manifest(&manifest)?;
    let mut min_cosine = None;
    if let (Some(golden), Some(json)) = (&mut manifest.golden, &bundle.golden) {
        progress("checking the golden pairs");
        let least = least_cosine(work, &Golden::parse(&golden.file, json)?)?;
        golden.min_cosine = golden.min_cosine.min(least - SLACK);
        min_cosine = Some(least);
        save_manifest(&manifest)?;
    }
    let fixed = bundle.tokenizer.len() as u64;
    Ok(Quantized {
        bytes_before: image_bytes + text_bytes + fixed,
        bytes: folder_bytes(work)?,
        weights: image_weights + text_weights,
        min_cosine,
    })
}

/// Rounds a tower; its bytes before, and how many weights were rounded.
fn round(tower: &TowerFile, name: &str, work: &Path) -> Result<(u64, usize), ModelError> {
    let mut graph = tower.graph()?;
    let before = super::graph::survey::survey(&graph).stored_bytes;
    let weights = graph.round_weights()?;
    graph.write(&work.join(name), &format!("{name}.data"))?;
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

fn copy_pictures(golden: &Golden, from: &Path, to: &Path) -> Result<(), ModelError> {
    for file in golden.pairs.iter().filter_map(|pair| pair.picture.file()) {
        let target = to.join(file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|why| written(folder, why))?;
        }
        fs::copy(from.join(file), &target).map_err(|why| written(&target, why))?;
    }
    Ok(())
}

fn digests(folder: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let mut digests = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|why| written(folder, why))? {
        let path = entry.map_err(|why| written(folder, why))?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            let digest = file_digest(&path)?.to_string();
            digests.insert(name.to_string_lossy().into_owned(), digest);
        }
    }
    Ok(digests)
}

fn folder_bytes(folder: &Path) -> Result<u64, ModelError> {
    let failed = |why| written(folder, why);
    let mut sum = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        sum += entry.and_then(|entry| entry.metadata()).map_err(failed)?.len();
    }
    Ok(sum)
}

fn taken(path: &Path, why: &str) -> ModelError {
    written(path, std::io::Error::new(std::io::ErrorKind::AlreadyExists, why))
}

fn written(path: &Path, why: std::io::Error) -> ModelError {
    ModelError::Write { file: path.display().to_string(), why }
}
