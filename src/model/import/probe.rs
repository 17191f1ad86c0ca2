//! What only a run of the graphs tells.

use super::draft::Draft;
use crate::model::ModelError;
use crate::model::check::verify::cosine;
use crate::model::onnx::Graph;
use crate::model::tower::{self, Feed, Lowered, Side};

/// Cosine above which two embeddings of the same caption are the same.
const SAME: f64 = 0.999_99;

/// Whether a caption gives the same embedding at its own length as padded to the context length:
/// it may then run at its own. A graph that takes one length only says nothing.
///
/// # Errors
/// [`ModelError`] if the graph does not run at the context length.
pub(super) fn attention(text: &Graph, draft: &mut Draft) -> Result<(), ModelError> {
    let Some(context) = draft.integer("text.context_length") else { return Ok(()) };
    let pad = draft.integer("text.pad_id").unwrap_or(0) as i64;
    let frame = |key| draft.integer(key).map(|id| id as i64);
    let middle = (0..context as i64 / 3).map(|i| 3 + i % 5);
    let ids: Vec<i64> =
        frame("text.sot_id").into_iter().chain(middle).chain(frame("text.eot_id")).collect();
    let mut whole = ids.clone();
    whole.resize(context, pad);
    let padded = run(text, &whole, ids.len())?;
    let fixed = text.inputs().iter().any(|port| port.dims.get(1).copied().flatten().is_some());
    let masked = text.inputs().iter().any(|port| port.name == "attention_mask");
    // A graph with the context length baked in fails at any other.
    let own = if fixed { None } else { run(text, &ids, ids.len()).ok() };
    let from = "a run of the text tower";
    match own {
        Some(own) if cosine(&own, &padded) >= SAME => {
            draft.tell("text.attention", if masked { "masked" } else { "causal" }, from);
        }
        _ => draft.tell("text.attention", "full", from),
    }
    Ok(())
}

fn run(text: &Graph, ids: &[i64], tokens: usize) -> Result<Vec<f32>, ModelError> {
    tower::run_once(
        Lowered::float(text.clone()),
        Side::Text,
        &[1, ids.len()],
        Feed::Tokens { ids, tokens: &[tokens] },
    )
}
