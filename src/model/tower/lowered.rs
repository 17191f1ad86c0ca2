//! A graph as the engine is to run it.

use pairgate_kernels::Isa;
use tract_onnx::prelude::{Framework as _, InferenceModel};

use super::rounding;
use crate::model::ModelError;
use crate::model::int8::{self, Found};
use crate::model::onnx::{Graph, refuse};

/// A lowered graph, and the operators of ours that stand in it.
#[derive(Debug, Clone)]
pub(in crate::model) struct Lowered {
    graph: Graph,
    found: Found,
}

impl Lowered {
    /// A graph that the engine runs by itself.
    pub(in crate::model) fn float(graph: Graph) -> Self {
        Self { graph, found: Found::new() }
    }

    /// A graph whose products, attention, norms and activations run on the kernels of an instruction
    /// set.
    pub(in crate::model) fn on_kernels(mut graph: Graph, isa: Isa) -> Self {
        let found = int8::find(graph.proto_mut(), isa);
        Self { graph, found }
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether operators of ours stand in it.
    pub(super) fn is_on_kernels(&self) -> bool {
        !self.found.is_empty()
    }

    /// The engine's reading of the graph.
    ///
    /// # Errors
    /// [`ModelError::Operator`] that names an operator which the engine does not have,
    /// [`ModelError::Graph`] with the engine's reason.
    pub(super) fn into_inference(self) -> Result<InferenceModel, ModelError> {
        let mut onnx = tract_onnx::onnx().with_ignore_value_info(true);
        rounding::register(&mut onnx.op_register);
        int8::register(&mut onnx.op_register);
        let known = &onnx.op_register.0;
        let file = self.graph.file();
        let nodes = &self.graph.proto().node;
        if let Some(node) = nodes.iter().find(|node| !known.contains_key(&node.op_type)) {
            return Err(refuse(file, node, "the engine does not have it"));
        }
        let model = onnx.model_for_proto_model(self.graph.model());
        let mut model = model
            .map_err(|why| ModelError::Graph { file: file.to_owned(), why: format!("{why:#}") })?;
        int8::place(&mut model, self.found);
        Ok(model)
    }
}
