//! What a graph may ask for before a value of it is computed: a file of a kilobyte can state
//! tensors of terabytes.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::constants::{Values, bytes, dims, volume};
use super::refuse;
use crate::model::ModelError;

/// Most values that a constant or an operator with constant sizes may make: twice the biggest
/// token table in use (256,000 tokens x 1,152).
const MAX_VALUES: f64 = (1u64 << 29) as f64;

/// Refuses tensors that are not all there, nodes without ends, and operators that make huge tensors.
///
/// # Errors
/// [`ModelError::Graph`] or [`ModelError::Operator`] that names the tensor or node.
pub(super) fn check(file: &str, graph: &GraphProto) -> Result<(), ModelError> {
    let refused = |why| ModelError::Graph { file: file.to_owned(), why };
    if graph.output.is_empty() {
        return Err(refused("it has no output".to_owned()));
    }
    for tensor in &graph.initializer {
        let named = |why| refused(format!("the tensor {:?} {why}", tensor.name));
        check_tensor(tensor).map_err(named)?;
    }
    let mut origins: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    for node in &graph.node {
        check_node(graph, node, &mut origins).map_err(|why| refuse(file, node, why))?;
    }
    Ok(())
}

/// `origins` holds the names that have one already.
fn check_node<'a>(
    graph: &GraphProto,
    node: &'a NodeProto,
    origins: &mut HashSet<&'a str>,
) -> Result<(), String> {
    if node.output.is_empty() {
        return Err("it has no output".to_owned());
    }
    if node.input.is_empty() && node.op_type != "Constant" {
        return Err("it has no input".to_owned());
    }
    // A name that stands for itself would be followed for ever.
    let mut named = node.output.iter().map(String::as_str).filter(|name| !name.is_empty());
    if let Some(output) = named.find(|output| !origins.insert(output)) {
        return Err(format!("its output {output:?} has another origin"));
    }
    for tensor in node.attribute.iter().filter_map(|attribute| attribute.t.as_ref()) {
        check_tensor(tensor).map_err(|why| format!("its tensor {why}"))?;
    }
    let values = made(graph, node);
    let fits = values.is_nan() || values <= MAX_VALUES;
    fits.then_some(()).ok_or_else(|| format!("it would make {values:.0} values"))
}

fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    if tensor.data_type == 8 {
        return Ok(()); // strings: they have no fixed size, and nothing multiplies them
    }
    let (wanted, held) = bytes(tensor)?;
    let values = volume(&dims(tensor)?)? as f64;
    if values > MAX_VALUES {
        return Err(format!("states {values:.0} values; {MAX_VALUES:.0} are allowed"));
    }
    if held < wanted {
        return Err(format!("states {wanted} bytes and holds {held}"));
    }
    Ok(())
}

/// How many values a node makes, as far as constants tell.
fn made(graph: &GraphProto, node: &NodeProto) -> f64 {
    let constant = |place: usize| node.input.get(place).and_then(|name| values(graph, name));
    let product = |values: Option<Values>| {
        values.map_or(0.0, |v| v.data.iter().map(|x| f64::from(*x)).product())
    };
    match node.op_type.as_str() {
        "ConstantOfShape" => product(constant(0)),
        "Expand" | "Tile" => product(constant(1)),
        "Range" => match (constant(0), constant(1), constant(2)) {
            (Some(start), Some(limit), Some(step)) => {
                let first = |values: &Values| values.data.first().map_or(1.0, |x| f64::from(*x));
                (first(&limit) - first(&start)) / first(&step)
            }
            _ => 0.0,
        },
        _ => 0.0,
    }
}

fn values(graph: &GraphProto, name: &str) -> Option<Values> {
    let initializer = graph.initializer.iter().find(|tensor| tensor.name == name);
    let node = || {
        graph.node.iter().find(|node| {
            node.op_type == "Constant" && node.output.first().is_some_and(|o| o == name)
        })
    };
    let attribute = || node()?.attribute.iter().find_map(|attribute| attribute.t.as_ref());
    initializer.or_else(attribute).and_then(|tensor| Values::read(tensor).ok())
}
