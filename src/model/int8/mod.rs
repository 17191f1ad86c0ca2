//! The int8 engine: tract's graph with our kernels in it.
//!
//! A graph goes through two rewrites. `find` takes products, attention, norms and activations out
//! of the ONNX graph, with their weights in int8; the engine then reads a graph of our operators
//! and a few of its own. `fuse` works on the engine's typed graph, when shapes are known.
//!
//! Activations are quantized at each product, each row (or image, before a convolution that looks
//! at several pixels) by its own range: a pair's score does not depend on the pairs beside it.

mod buffers;
pub(super) mod find;
mod fuse;
mod operators;
mod survey;
pub(super) mod team;

pub(super) use find::{Found, OWN, find};
pub(super) use fuse::fuse;
pub use survey::Kernels;
pub(super) use survey::convolves;

use operators::{Layout, Placed, Pointwise};
use pairgate_kernels::{Activation, Isa};
use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::InferenceModel;
use tract_onnx::tract_hir::internal::*;

/// Makes [`OWN`] known: nodes of that type wait for [`place`].
pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert(OWN, |_: &ParsingContext, _: &NodeProto| {
        let operator = Pointwise { isa: Isa::SCALAR, activation: Activation::None };
        Ok((expand(Placed { operator, layout: Layout::Same }), vec![]))
    });
}

/// Puts the operators that were found in the places of their nodes.
pub(super) fn place(model: &mut InferenceModel, mut found: Found) {
    for node in &mut model.nodes {
        if let Some(operator) = found.remove(&node.name) {
            node.op = Box::new(operator);
        }
    }
}
