//! What a bundle is made of, without running it.

use serde::Serialize;

use crate::model::bundle::{Bundle, TowerFile};
use crate::model::onnx::survey::{Facts, Survey, facts, survey};

use crate::model::ModelError;
pub use crate::model::int8::Kernels;
use crate::model::tower::{self, Side};

/// Length in tokens of a typical alt text, framed.
pub const TYPICAL_TOKENS: usize = 16;

/// What a bundle is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The image tower.
    pub image: TowerInspection,
    /// The text tower.
    pub text: TowerInspection,
}

/// What a tower is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TowerInspection {
    /// What is in its file.
    #[serde(flatten)]
    pub survey: Survey,
    /// What it comes to in the engine.
    #[serde(flatten)]
    pub facts: Facts,
    /// Multiplications with additions of one run, by input length: the image tower has one entry,
    /// the text tower one for a typical caption and one for the context length.
    pub multiply_adds: Vec<(usize, u64)>,
    /// What it comes to on our kernels.
    #[serde(flatten)]
    pub kernels: Kernels,
}

impl TowerInspection {
    /// Operations (2 for each multiplication with its addition) at the last of the lengths, in
    /// units of 10^9.
    pub fn gflops(&self) -> f64 {
        2e-9 * self.multiply_adds.last().map_or(0, |(_, count)| *count) as f64
    }
}

/// Inspects a bundle.
///
/// # Errors
/// [`ModelError`] if a graph cannot be read.
pub fn inspect(bundle: &Bundle) -> Result<Inspection, ModelError> {
    let manifest = &bundle.manifest;
    let side = manifest.image.size as usize;
    let image = vec![(side, vec![1, 3, side, side])];
    let lengths = [TYPICAL_TOKENS.min(manifest.text.context_length), manifest.text.context_length];
    let text = lengths.iter().map(|length| (*length, vec![1, *length])).collect();
    let output = |output: &Option<String>| output.clone();
    Ok(Inspection {
        image: inspect_tower(&bundle.image, output(&manifest.image.output), Side::Image, image)?,
        text: inspect_tower(&bundle.text, output(&manifest.text.output), Side::Text, text)?,
    })
}

fn inspect_tower(
    file: &TowerFile,
    output: Option<String>,
    side: Side,
    shapes: Vec<(usize, Vec<usize>)>,
) -> Result<TowerInspection, ModelError> {
    let mut graph = file.graph()?;
    if let Some(output) = output {
        graph.select(&[&output])?;
    }
    let survey = survey(&graph);
    let last = shapes.last().map(|(_, shape)| shape.clone()).unwrap_or_default();
    let lowered = graph.clone().lowered()?;
    let facts = facts(&lowered);
    let mut multiply_adds = Vec::new();
    for (length, shape) in shapes {
        // A text tower with one length baked in has no other.
        match tower::multiply_adds(lowered.clone(), side, &shape) {
            Ok(count) => multiply_adds.push((length, count)),
            Err(error) if side == Side::Image => return Err(error),
            Err(_) => {}
        }
    }
    let kernels = tower::kernels(graph, side, &last)?;
    Ok(TowerInspection { survey, facts, multiply_adds, kernels })
}
