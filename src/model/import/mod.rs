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
mod preparation;
mod probe;
mod transformers;
mod weights;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokenizers::Tokenizer;

use super::bundle::{Bundle, MANIFEST, file_digest, read_text};
use super::golden::{FORMAT as GOLDEN_FORMAT, Golden, GoldenPair, Picture};
use super::graph::Graph;
use super::graph::survey::facts;
use super::tower::{self, Side};
use super::{Model, Precision, Scorer};
use crate::decode::Rgb8;
use crate::error::ModelError;
use crate::prepare::Preparer;
use draft::Draft;
pub use draft::Told;

/// Most bytes of a protobuf file.
const MAX_ONNX_BYTES: usize = i32::MAX as usize;
/// Pairs that a bundle keeps for its self-check.
const GOLDEN_PAIRS: usize = 8;
/// Smallest cosine of an embedding and that in the golden file. For floats it is so close to 1
/// because a GELU in place of a quick one stays above 0.9999 in some towers.
fn least_cosine(precision: Precision) -> f64 {
    match precision {
        Precision::Float => 0.999_999,
        Precision::Half => 0.9999,
        Precision::Codes => 0.99,
    }
}

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
    pub told: Vec<Told>,
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
        Tokenizer::from_bytes(json).map_err(|why| format!("{TOKENIZER}: {why}"))
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
    if to.exists() {
        return Err(refused(format!("{} is there already", to.display())));
    }
    let mut draft = Draft::of_settings(&import.settings).map_err(refused)?;
    progress("reading the configs");
    let sources = Sources { folder: &import.folder };
    read_configs(&sources, &mut draft).map_err(refused)?;
    let towers = Towers::find(&import.folder, import.variant.as_deref()).map_err(refused)?;
    let work = to.with_extension("importing");
    if work.exists() {
        fs::remove_dir_all(&work).map_err(|why| written(&work, why))?;
    }
    let done = write(import, &sources, &towers, draft, &work, progress);
    match done {
        Ok(imported) => {
            fs::rename(&work, to).map_err(|why| written(to, why))?;
            Ok(imported)
        }
        Err(error) => {
            // The error of the import is the one to tell.
            let _ = fs::remove_dir_all(&work);
            Err(error)
        }
    }
}

fn read_configs(sources: &Sources<'_>, draft: &mut Draft) -> Result<(), String> {
    draft.tell("format", i64::from(super::manifest::FORMAT), "this version");
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

/// The ONNX files of a folder.
enum Towers {
    Split { image: PathBuf, text: PathBuf },
    Combined(PathBuf),
}

impl Towers {
    fn find(folder: &Path, variant: Option<&str>) -> Result<Self, String> {
        let suffix = variant.map_or(String::new(), |variant| format!("_{variant}"));
        let named = |folder: &Path, stem: &str| folder.join(format!("{stem}{suffix}.onnx"));
        let folders = [folder.to_owned(), folder.join("onnx")];
        for folder in &folders {
            for (image, text) in [("image", "text"), ("vision_model", "text_model")] {
                let (image, text) = (named(folder, image), named(folder, text));
                if image.exists() && text.exists() {
                    return Ok(Self::Split { image, text });
                }
            }
        }
        let combined =
            folders.iter().map(|folder| named(folder, "model")).find(|path| path.exists());
        combined.map(Self::Combined).ok_or_else(|| {
            let found = onnx_files(&folders);
            let found = if found.is_empty() { "no ONNX file is there".into() } else { format!("these are there: {}", found.join(", ")) };
            format!("no vision_model{suffix}.onnx with text_model{suffix}.onnx, no image{suffix}.onnx with text{suffix}.onnx and no model{suffix}.onnx; {found} (--variant picks vision_model_VARIANT.onnx)")
        })
    }
}

fn onnx_files(folders: &[PathBuf]) -> Vec<String> {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".onnx")).collect();
    names.sort();
    names
}

/// Writes the bundle to `work`, loads it and checks it.
fn write(
    import: &Import,
    sources: &Sources<'_>,
    towers: &Towers,
    mut draft: Draft,
    work: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Imported, ModelError> {
    fs::create_dir_all(work).map_err(|why| written(work, why))?;
    progress("reading the graphs");
    write_towers(sources, towers, &mut draft, work)?;
    let refused =
        |why: String| ModelError::Import { folder: import.folder.display().to_string(), why };
    draft.complete().map_err(refused)?;
    copy(&import.folder.join(TOKENIZER), &work.join(TOKENIZER))?;
    let version = file_digest(&work.join("image.onnx"))?.to_string();
    draft.tell("version", &version[..12], "the image tower's digest");
    progress("loading the towers");
    let plain = finish(&draft, work)?;
    let model = Arc::new(Model::unchecked(&plain)?);
    progress("checking the golden pairs");
    let checked_against = write_golden(import, &model, &mut draft, work)?;
    let bundle = finish(&draft, work)?;
    let model = Arc::new(Model::load(&bundle)?);
    Ok(Imported { told: draft.told().cloned().collect(), checked_against, model })
}

/// Writes the manifest with the digests of all files in `work`, and reads the bundle back.
fn finish(draft: &Draft, work: &Path) -> Result<Bundle, ModelError> {
    let mut digests = toml::Table::new();
    let entries = fs::read_dir(work).map_err(|why| written(work, why))?;
    for entry in entries {
        let entry = entry.map_err(|why| written(work, why))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != MANIFEST {
            digests.insert(name, file_digest(&entry.path())?.to_string().into());
        }
    }
    let digests =
        toml::to_string(&digests).map_err(|why| ModelError::Manifest { why: why.to_string() })?;
    let text = draft.to_toml_with(&digests)?;
    let path = work.join(MANIFEST);
    fs::write(&path, text).map_err(|why| written(&path, why))?;
    Bundle::load(work)
}

fn write_towers(
    sources: &Sources<'_>,
    towers: &Towers,
    draft: &mut Draft,
    work: &Path,
) -> Result<(), ModelError> {
    match towers {
        Towers::Split { image, text } => {
            for (side, path) in [(Side::Image, image), (Side::Text, text)] {
                let mut graph = Graph::open(path)?;
                let output = output(&graph, side, draft)?;
                let plain = graph.outputs().len() == 1;
                graph.select(&[&output])?;
                let projected = project(sources, &mut graph, side, &output)?;
                if projected {
                    write_graph(&graph, side, work)?;
                } else {
                    copy_graph(path, &graph, side, work)?;
                    if !plain {
                        draft.tell(&format!("{side}.output"), output, &graph_name(path));
                    }
                }
                tell_graph(graph, side, draft)?;
            }
        }
        Towers::Combined(path) => {
            let whole = Graph::open(path)?;
            logits::of_combined(&whole.clone().lowered()?, draft)?;
            for side in [Side::Image, Side::Text] {
                let mut graph = whole.clone();
                let output = output(&graph, side, draft)?;
                graph.select(&[&output])?;
                write_graph(&graph, side, work)?;
                tell_graph(graph, side, draft)?;
            }
        }
    }
    Ok(())
}

fn graph_name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// The output that holds a tower's embeddings, by the ecosystem's names.
fn output(graph: &Graph, side: Side, draft: &Draft) -> Result<String, ModelError> {
    if let Some(named) = draft.text(&format!("{side}.output")) {
        return Ok(named.to_owned());
    }
    let outputs = graph.outputs();
    let names = match side {
        Side::Image => ["image_embeds", "image_embeddings", "pooler_output"],
        Side::Text => ["text_embeds", "text_embeddings", "pooler_output"],
    };
    let known = names.iter().find(|name| outputs.iter().any(|port| port.name == **name));
    if let Some(name) = known {
        return Ok((*name).to_owned());
    }
    match &outputs[..] {
        [only] => Ok(only.name.clone()),
        _ => {
            let found: Vec<_> = outputs.iter().map(|port| port.name.as_str()).collect();
            let why = format!(
                "none of its outputs ({}) is one of {names:?}; name it as --set {side}.output=NAME",
                found.join(", ")
            );
            Err(ModelError::Graph { file: graph.file().to_owned(), why })
        }
    }
}

/// Appends the projection to a CLIP tower that was exported without it; whether it did.
fn project(
    sources: &Sources<'_>,
    graph: &mut Graph,
    side: Side,
    output: &str,
) -> Result<bool, ModelError> {
    if output != "pooler_output" {
        return Ok(false);
    }
    let name = match side {
        Side::Image => "visual_projection.weight",
        Side::Text => "text_projection.weight",
    };
    let read = weights::tensor(sources.folder, name);
    let read = read
        .map_err(|why| ModelError::Import { folder: sources.folder.display().to_string(), why })?;
    match read {
        Some(weight) => graph.project(output, weight).map(|()| true),
        None => Ok(false),
    }
}

/// What the graph itself says.
fn tell_graph(graph: Graph, side: Side, draft: &mut Draft) -> Result<(), ModelError> {
    let graph = graph.lowered()?;
    let from = format!("the {side} graph");
    draft.tell(&format!("{side}.file"), format!("{side}.onnx"), "this version");
    if let Some(activation) = facts(&graph).activation {
        draft.tell(&format!("{side}.activation"), activation.to_string(), &from);
    }
    let shape = match side {
        Side::Image => draft.integer("image.size").map(|size| vec![1, 3, size, size]),
        Side::Text => draft.integer("text.context_length").map(|length| vec![1, length]),
    };
    if side == Side::Text {
        probe::attention(&graph, draft)?;
    }
    if let Some(shape) = shape {
        let size = tower::embedding_size(graph, side, &shape)?;
        draft.tell("embedding_size", size as i64, &from);
    }
    Ok(())
}

/// Golden pairs of the folder, or what the towers say now; the former's file name.
fn write_golden(
    import: &Import,
    model: &Arc<Model>,
    draft: &mut Draft,
    work: &Path,
) -> Result<Option<String>, ModelError> {
    let variant = import.variant.as_deref();
    let own = variant.map_or(GOLDEN.to_owned(), |variant| format!("golden_{variant}.json"));
    let own = import.folder.join(own);
    let given = import.golden.clone().or_else(|| own.exists().then_some(own));
    let made = |pair: &GoldenPair| matches!(pair.picture, Picture::Made { .. });
    let (golden, from) = match &given {
        Some(path) => {
            let mut golden = Golden::open(path)?;
            golden.pairs.retain(made);
            golden.pairs.truncate(GOLDEN_PAIRS);
            (golden, path.display().to_string())
        }
        None => (own_golden(model)?, "the towers, here and now".to_owned()),
    };
    if golden.pairs.is_empty() {
        return Ok(None);
    }
    let path = work.join(GOLDEN);
    let json = serde_json::to_vec(&golden)
        .map_err(|why| ModelError::Golden { file: from.clone(), why: why.to_string() })?;
    fs::write(&path, json).map_err(|why| written(&path, why))?;
    let min_cosine = least_cosine(model.precision());
    draft.tell("golden.file", GOLDEN, &from);
    draft.tell("golden.min_cosine", min_cosine, "this version");
    Ok(given.map(|_| from))
}

/// What the model says now: it shows later that nothing has changed since.
fn own_golden(model: &Arc<Model>) -> Result<Golden, ModelError> {
    const CAPTIONS: [&str; 2] = ["a dog on a beach", "two red chairs and a table in the snow"];
    let mut scorer = Scorer::new(model.clone())?;
    let mut preparer = Preparer::new(model.manifest().image.preparation());
    let side = model.manifest().image.size as usize;
    let (mut rgb, mut pixels) = (Rgb8::default(), vec![0.0; 3 * side * side]);
    let mut pairs = Vec::new();
    for (seed, caption) in (1..).zip(CAPTIONS) {
        let picture = Picture::Made { width: 320, height: 240, seed };
        picture.load(Path::new(""), &mut rgb)?;
        preparer.prepare(&rgb, &mut pixels);
        let ids = scorer.tokenize(caption)?;
        pairs.push(GoldenPair {
            picture,
            caption: caption.to_owned(),
            text: scorer.embed_tokens(&ids)?.to_vec(),
            ids,
            image: scorer.embed_image(&pixels)?.to_vec(),
        });
    }
    let made_by = format!("pairgate {} at import", env!("CARGO_PKG_VERSION"));
    Ok(Golden { format: GOLDEN_FORMAT, made_by, pairs })
}

/// Writes a graph with all its weights in it.
fn write_graph(graph: &Graph, side: Side, work: &Path) -> Result<(), ModelError> {
    let path = work.join(format!("{side}.onnx"));
    let bytes = graph.to_bytes();
    if bytes.len() > MAX_ONNX_BYTES {
        let why = format!(
            "its {side} tower has {} bytes, and an ONNX file holds {MAX_ONNX_BYTES}: export the towers by themselves",
            bytes.len()
        );
        return Err(ModelError::Graph { file: graph.file().to_owned(), why });
    }
    fs::write(&path, bytes).map_err(|why| written(&path, why))
}

/// Copies a graph and the files beside it that hold its weights, under their own names.
fn copy_graph(from: &Path, graph: &Graph, side: Side, work: &Path) -> Result<(), ModelError> {
    copy(from, &work.join(format!("{side}.onnx")))?;
    let folder = from.parent().unwrap_or(Path::new(""));
    for name in graph.weight_files() {
        copy(&folder.join(name), &work.join(name))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), ModelError> {
    let failed = |why| ModelError::Read { file: from.display().to_string(), why };
    fs::copy(from, to).map(|_| ()).map_err(failed)
}

fn written(path: &Path, why: std::io::Error) -> ModelError {
    ModelError::Write { file: path.display().to_string(), why }
}
