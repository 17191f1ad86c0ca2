//! The two towers of a folder: found, cut out of a combined graph or completed by a projection,
//! and written to the bundle.

use std::fs;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::{Sources, logits, probe, transformers, weights};
use crate::model::ModelError;
use crate::model::bundle::new_bundle::NewBundle;
use crate::model::file::MAX_ONNX_BYTES;
use crate::model::onnx::Graph;
use crate::model::onnx::survey::facts;
use crate::model::tower::{self, Side};

/// The ONNX files of a folder.
pub(super) enum Towers {
    Split { image: PathBuf, text: PathBuf },
    Combined(PathBuf),
}

impl Towers {
    /// Finds the towers of a folder, in the form that `variant` names.
    ///
    /// # Errors
    /// A text that says what is there in their place.
    pub(super) fn find(folder: &Path, variant: Option<&str>) -> Result<Self, String> {
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

    /// Writes `image.onnx` and `text.onnx` to `work`, and tells what the graphs say.
    ///
    /// # Errors
    /// [`ModelError`] if a graph cannot be read or does not run.
    pub(super) fn write(
        &self,
        sources: &Sources<'_>,
        draft: &mut Draft,
        bundle: &NewBundle,
    ) -> Result<(), ModelError> {
        match self {
            Self::Split { image, text } => {
                for (side, path) in [(Side::Image, image), (Side::Text, text)] {
                    let mut graph = Graph::open(path)?;
                    let output = output(&graph, side, draft)?;
                    let plain = graph.outputs().len() == 1;
                    graph.select(&[&output])?;
                    let projected = project(sources, &mut graph, side, &output)?;
                    if projected {
                        write_graph(&graph, side, bundle)?;
                    } else {
                        copy_graph(path, &graph, side, bundle)?;
                        if !plain {
                            draft.tell(&format!("{side}.output"), output, &graph_name(path));
                        }
                    }
                    tell_graph(graph, side, draft)?;
                }
            }
            Self::Combined(path) => {
                let whole = Graph::open(path)?;
                logits::of_combined(&whole.clone().lowered()?, draft)?;
                for side in [Side::Image, Side::Text] {
                    let mut graph = whole.clone();
                    let output = output(&graph, side, draft)?;
                    graph.select(&[&output])?;
                    write_graph(&graph, side, bundle)?;
                    tell_graph(graph, side, draft)?;
                }
            }
        }
        Ok(())
    }
}

fn onnx_files(folders: &[PathBuf]) -> Vec<String> {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".onnx")).collect();
    names.sort();
    names
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
    let refused =
        |why: String| ModelError::Import { folder: sources.folder.display().to_string(), why };
    match weights::tensor(sources.folder, name).map_err(refused)? {
        Some(weight) => graph.project(output, weight).map(|()| true),
        None if transformers::has_projections(sources.folder).map_err(refused)? => {
            let file = graph.file();
            let weights = weights::WEIGHTS;
            Err(refused(format!(
                "{file} ends in {output}, which is no embedding yet: its projection, {name} of {weights}, is missing"
            )))
        }
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

/// Writes a graph with all its weights in it.
fn write_graph(graph: &Graph, side: Side, bundle: &NewBundle) -> Result<(), ModelError> {
    let bytes = graph.to_bytes();
    if bytes.len() as u64 > MAX_ONNX_BYTES {
        let why = format!(
            "its {side} tower has {} bytes, and an ONNX file holds {MAX_ONNX_BYTES}: export the towers by themselves",
            bytes.len()
        );
        return Err(ModelError::Graph { file: graph.file().to_owned(), why });
    }
    bundle.save(&format!("{side}.onnx"), &bytes)
}

/// Copies a graph and the files beside it that hold its weights, under their own names.
fn copy_graph(
    from: &Path,
    graph: &Graph,
    side: Side,
    bundle: &NewBundle,
) -> Result<(), ModelError> {
    bundle.copy(from, &format!("{side}.onnx"))?;
    let folder = from.parent().unwrap_or(Path::new(""));
    for name in graph.weight_files() {
        bundle.copy(&folder.join(name), name)?;
    }
    Ok(())
}
