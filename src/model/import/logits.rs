//! The logit scale and bias of a combined graph, found by running it: `logits = scale * cosine +
//! bias`, whatever its weights are called.

use super::draft::Draft;
use crate::model::ModelError;
use crate::model::onnx::Graph;
use crate::model::onnx::survey::facts;
use crate::model::tower;

/// Output of logits in the ecosystem's combined graphs.
const LOGITS: &str = "logits_per_image";

/// Runs a combined graph on some pairs and tells the scale, and the bias if there is one.
///
/// # Errors
/// [`ModelError`] if the graph does not run.
pub(super) fn of_combined(graph: &Graph, draft: &mut Draft) -> Result<(), ModelError> {
    let outputs = graph.outputs();
    let has = |name: &str| outputs.iter().any(|port| port.name == name);
    let sized = draft.integer("image.size").zip(draft.integer("text.context_length"));
    let (Some((side, length)), true) =
        (sized, has(LOGITS) && has("image_embeds") && has("text_embeds"))
    else {
        return Ok(());
    };
    let mut part = graph.clone();
    part.select(&[LOGITS, "image_embeds", "text_embeds"])?;
    let order: Vec<String> = part.outputs().into_iter().map(|port| port.name).collect();
    let frame = |key| draft.integer(key).map(|id| id as i64);
    let pad = frame("text.pad_id").unwrap_or(0);
    let caption = |words: i64| -> Vec<i64> {
        let middle = (0..words).map(|i| 3 + (i * 7 + words) % 40);
        let ids = frame("text.sot_id").into_iter().chain(middle).chain(frame("text.eot_id"));
        ids.chain(std::iter::repeat(pad)).take(length).collect()
    };
    let (few, many) = (caption(2), caption(length as i64 / 2));
    // Two captions against one picture give two equations for the two unknowns.
    let mut equations = Vec::new();
    for ids in [&few, &many] {
        let pixels: Vec<f32> = (0..3 * side * side).map(|i| (i % 97) as f32 / 48.0 - 1.0).collect();
        let outputs = tower::run_combined(part.clone(), &pixels, ids, pad)?;
        let find = |name: &str| order.iter().position(|o| o == name).and_then(|at| outputs.get(at));
        let (Some(logit), Some(image), Some(text)) =
            (find(LOGITS), find("image_embeds"), find("text_embeds"))
        else {
            return Ok(());
        };
        let cosine = crate::model::check::verify::cosine(image, text);
        equations.push((cosine, f64::from(logit.first().copied().unwrap_or(f32::NAN))));
    }
    let [(a, x), (b, y)] = equations[..] else { return Ok(()) };
    let from = "a run of the combined graph";
    // Without a bias both quotients agree; then the better conditioned one is the scale.
    let alone = if a.abs() > b.abs() { x / a } else { y / b };
    let plain = (alone * a - x).abs() < 1e-3 * x.abs().max(1e-2)
        && (alone * b - y).abs() < 1e-3 * y.abs().max(1e-2);
    if plain {
        draft.tell("logit_scale", alone, from);
    } else if facts(graph).roundings == 0 && (a - b).abs() > 1e-4 {
        // Logits that are rounded to codes say little about a bias.
        let scale = (x - y) / (a - b);
        draft.tell("logit_scale", scale, from);
        draft.tell("logit_bias", x - scale * a, from);
    }
    Ok(())
}
