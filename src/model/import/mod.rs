//! Bundles from the folders that people have.
//!
//! Two kinds of folder are read: `transformers` (a hub repository with ONNX files, as `optimum`,
//! transformers.js and `models/export/transformers_export.py` write it) and `open_clip` (as
//! `models/export/open_clip_export.py` writes it). Everything in the manifest is read from the
//! folder's files or found by running the graphs; what cannot be is asked for by name.

mod draft;
mod json;
mod logits;
mod open_clip;
mod pairs;
mod preparation;
mod probe;
mod towers;
mod transformers;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use draft::Draft;
use tokenizers::Tokenizer;
use towers::Towers;

use crate::text::tokenize::read_tokenizer;

use super::bundle::new_bundle::NewBundle;
use super::bundle::{Bundle, MANIFEST, read_text};
use super::{Arithmetic, Model};
use crate::model::ModelError;

pub use draft::Finding;

/// What to import and how.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// The folder.
    pub folder: PathBuf,
    /// Which of several forms of the towers, such as `quantized` of `vision_model_quantized.onnx`;
    /// `None` is the plain one.
    pub variant: Option<String>,
    /// What the user says of the manifest, as `KEY=VALUE`.
    pub settings: Vec<String>,
    /// A golden file, in place of the folder's own.
    pub golden: Option<PathBuf>,
}

/// What an import came to.
#[derive(Debug)]
pub struct Imported {
    /// The manifest's values and where each comes from.
    pub told: Vec<Finding>,
    /// The golden file that the towers were checked against; `None` if there was none, and the
    /// bundle holds what its towers say here and now.
    pub checked_against: Option<String>,
    /// The loaded model.
    pub model: Arc<Model>,
}

/// What the readers of a folder share.
struct Sources<'a> {
    folder: &'a Path,
}

impl Sources<'_> {
    fn tokenizer(&self) -> Result<Tokenizer, String> {
        let path = self.folder.join(TOKENIZER);
        let json = read_text(&path).map_err(|why| why.to_string())?;
        read_tokenizer(&json).map_err(|why| format!("{TOKENIZER}: {why}"))
    }
}

const TOKENIZER: &str = "tokenizer.json";
const GOLDEN: &str = "golden.json";

/// Imports a folder to the new bundle `to`; `progress` is told what is being done.
///
/// # Errors
/// [`ModelError`] that names file, key and value of what does not fit. Nothing is left at `to`.
pub fn import(
    import: &Import,
    to: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Imported, ModelError> {
    let refused =
        |why: String| ModelError::Import { folder: import.folder.display().to_string(), why };
    if !import.folder.is_dir() {
        return Err(refused("it is no folder".to_owned()));
    }
    let bundle = NewBundle::create(to, "importing")?;
    let mut draft = Draft::of_settings(&import.settings).map_err(refused)?;
    progress("reading the configs");
    let sources = Sources { folder: &import.folder };
    read_configs(&sources, &mut draft).map_err(refused)?;
    draft.check_lengths().map_err(refused)?;
    let towers = Towers::find(&import.folder, import.variant.as_deref()).map_err(refused)?;
    write(import, &sources, &towers, draft, bundle, progress)
}

fn read_configs(sources: &Sources<'_>, draft: &mut Draft) -> Result<(), String> {
    draft.tell("format", i64::from(super::bundle::manifest::FORMAT), "this version");
    if sources.folder.join(open_clip::CONFIG).exists() {
        open_clip::read(sources, draft)?;
    } else if sources.folder.join(transformers::CONFIG).exists() {
        transformers::read(sources, draft)?;
    } else {
        return Err(format!(
            "neither {} (open_clip) nor {} (transformers, optimum) is there",
            open_clip::CONFIG,
            transformers::CONFIG
        ));
    }
    common(sources, draft)
}

/// What both kinds of folder may say, or leave to the user.
fn common(sources: &Sources<'_>, draft: &mut Draft) -> Result<(), String> {
    if let Some(licence) = readme_licence(sources.folder)? {
        draft.tell("licence", licence, "README.md license");
    }
    draft.miss("licence", "no README.md with a license, and no export.json");
    if let Some(scale) = weights::tensor(sources.folder, "logit_scale")? {
        // The parameter is the scale's logarithm.
        let scale = scale.data.first().map(|scale| f64::from(*scale).exp());
        draft.tell_or_miss("logit_scale", scale, weights::WEIGHTS);
    }
    if let Some(bias) = weights::tensor(sources.folder, "logit_bias")? {
        let bias = bias.data.first().map(|bias| f64::from(*bias));
        draft.tell_or_miss("logit_bias", bias, weights::WEIGHTS);
    }
    draft.miss("logit_scale", "no export.json, model.safetensors or combined graph says it (scores do not need it: VALUE may be unknown)");
    let name = sources.folder.canonicalize().ok();
    let name = name.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    draft.tell_or_miss("name", name, "the folder's name");
    draft.tell("text.tokenizer", TOKENIZER, "the folder");
    Ok(())
}

/// The licence in the front matter of a hub repository's README.
fn readme_licence(folder: &Path) -> Result<Option<String>, String> {
    let path = folder.join("README.md");
    if !path.exists() {
        return Ok(None);
    }
    let text = read_text(&path).map_err(|why| why.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let front = text.strip_prefix("---").and_then(|text| text.split("\n---").next()).unwrap_or("");
    let value = |key: &str| {
        let line = front.lines().find_map(|line| line.strip_prefix(key))?;
        let value = line.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    // "other" stands for the name on the next line.
    Ok(value("license_name:").or_else(|| value("license:")))
}

/// Writes the bundle, loads it and checks it before it gets its name.
fn write(
    import: &Import,
    sources: &Sources<'_>,
    towers: &Towers,
    mut draft: Draft,
    mut bundle: NewBundle,
    progress: &mut dyn FnMut(&str),
) -> Result<Imported, ModelError> {
    progress("reading the graphs");
    towers.write(sources, &mut draft, &bundle)?;
    let refused =
        |why: String| ModelError::Import { folder: import.folder.display().to_string(), why };
    draft.complete().map_err(refused)?;
    bundle.copy(&import.folder.join(TOKENIZER), TOKENIZER)?;
    // Both kinds of folder give the image tower this name.
    let version = bundle.digests()?.get("image.onnx").map_or("", |digest| &digest[..12]).to_owned();
    draft.tell("version", version, "the image tower's digest");
    progress("loading the towers");
    let checked_against = {
        // One model in memory at a time: it may be big.
        let loaded = finish(&draft, &mut bundle)?;
        let model = Arc::new(Model::unchecked(&loaded, Arithmetic::Float)?);
        progress("checking the golden pairs");
        pairs::write(import, &model, &mut draft, &bundle)?
    };
    let model = Arc::new(Model::load(&finish(&draft, &mut bundle)?, Arithmetic::Float)?);
    bundle.publish()?;
    Ok(Imported { told: draft.told().cloned().collect(), checked_against, model })
}

/// Writes the manifest, and reads the bundle back.
fn finish(draft: &Draft, bundle: &mut NewBundle) -> Result<Bundle, ModelError> {
    let digests = toml::to_string(bundle.digests()?);
    let digests = digests.map_err(|why| ModelError::Manifest { why: why.to_string() })?;
    bundle.save(MANIFEST, draft.to_toml_with(&digests)?.as_bytes())?;
    Bundle::load(bundle.folder())
}
