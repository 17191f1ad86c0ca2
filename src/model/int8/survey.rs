//! What of a graph runs on which kernels.

use std::collections::BTreeMap;

use serde::Serialize;
use tract_onnx::tract_hir::internal::*;

use super::operators::{Attention, Convolution, Own, Patches, Product};

/// Operators of the engine that give the same bits on every instruction set: they move values
/// about, or compute each by itself in IEEE 754.
const EXACT: &[&str] = &[
    "Source",
    "Const",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Max",
    "Min",
    "Neg",
    "Abs",
    "Sqrt",
    "Square",
    "Rsqrt",
    "Recip",
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "RoundHalfToEven",
    "Cast",
    "Concat",
    "Slice",
    "Gather",
    "GatherNd",
    "GatherElements",
    "ScatterNd",
    "MoveAxis",
    "Reshape",
    "AddAxis",
    "RmAxis",
    "And",
    "Or",
    "Not",
    "Ne",
    "Lt",
    "Lte",
    "Gt",
    "Gte",
    "Pad",
    "MultiBroadcastTo",
    "Reduce<ArgMax(false)>",
    "Reduce<ArgMax(true)>",
    "Reduce<Max>",
    "Reduce<Min>",
    "Iff",
    "IsNan",
    "IsInf",
    "Trilu",
    "OneHot",
    "MaxPool",
    "Eq",
];

/// What a tower comes to on our kernels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Kernels {
    /// Products of weights and activations in integer arithmetic.
    pub integer_products: usize,
    /// Attentions, each in one pass, in f32.
    pub attentions: usize,
    /// Operators that run on the engine's own kernels, whose last bits may differ between machines,
    /// and how often each occurs. Where there are none, an embedding is the same on all of them.
    pub engine_operators: BTreeMap<String, usize>,
}

impl Kernels {
    /// Surveys a fused graph.
    pub(in crate::model) fn of(model: &TypedModel) -> Self {
        let mut found = Self::default();
        for node in &model.nodes {
            if is_product(node) {
                found.integer_products += 1;
            } else if node.op_is::<Own<Attention>>() {
                found.attentions += 1;
            } else if !is_ours(node) && !EXACT.contains(&&*node.op.name()) {
                *found.engine_operators.entry(node.op.name().into_owned()).or_default() += 1;
            }
        }
        found
    }
}

fn is_product(node: &TypedNode) -> bool {
    node.op_is::<Own<Product>>() || node.op_is::<Own<Patches>>() || node.op_is::<Own<Convolution>>()
}

/// Whether a graph holds convolutions, those of patches without overlap apart.
pub(in crate::model) fn convolves(model: &TypedModel) -> bool {
    model.nodes.iter().any(|node| node.op_is::<Own<Convolution>>())
}

/// Whether an operator runs on our kernels.
fn is_ours(node: &TypedNode) -> bool {
    use super::operators::{
        AveragePool, Depthwise, Embedding, LayerNorm, MatMul, Pointwise, Reduce, Softmax,
    };
    node.op_is::<Own<AveragePool>>()
        || node.op_is::<Own<Depthwise>>()
        || node.op_is::<Own<Embedding>>()
        || node.op_is::<Own<LayerNorm>>()
        || node.op_is::<Own<MatMul>>()
        || node.op_is::<Own<Pointwise>>()
        || node.op_is::<Own<Reduce>>()
        || node.op_is::<Own<Softmax>>()
}
