//! One tower out of a graph: what leads to its outputs, and nothing else.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};

/// Cuts `graph` down to what `outputs` depend on.
///
/// # Errors
/// A text that names the output which the graph does not have.
pub(super) fn select(graph: &mut GraphProto, outputs: &[&str]) -> Result<(), String> {
    if let Some(missing) =
        outputs.iter().find(|name| !graph.output.iter().any(|o| o.name == **name))
    {
        let names: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
        return Err(format!("it has no output {missing:?}, but {}", names.join(", ")));
    }
    graph.output.retain(|output| outputs.contains(&output.name.as_str()));
    let mut needed: HashSet<String> = outputs.iter().map(|name| (*name).to_owned()).collect();
    // Nodes come in an order in which each follows what it reads.
    let mut kept: Vec<NodeProto> = Vec::new();
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            needed.extend(node.input.iter().cloned());
            needed.extend(inner_names(&node));
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    graph.initializer.retain(|tensor| needed.contains(&tensor.name));
    graph.input.retain(|input| needed.contains(&input.name));
    graph.value_info.retain(|info| needed.contains(&info.name));
    graph.quantization_annotation.clear();
    Ok(())
}

/// Names that the graphs inside a node (the branches of an `If`) read.
pub(in crate::model) fn inner_names(node: &NodeProto) -> Vec<String> {
    let graphs = node.attribute.iter().filter_map(|attribute| attribute.g.as_ref());
    let names = |graph: &GraphProto| -> Vec<String> {
        let inputs = graph.node.iter().flat_map(|node| node.input.iter().cloned());
        let outputs = graph.output.iter().map(|output| output.name.clone());
        let deeper = graph.node.iter().flat_map(inner_names);
        inputs.chain(outputs).chain(deeper).collect()
    };
    graphs.flat_map(names).collect()
}
