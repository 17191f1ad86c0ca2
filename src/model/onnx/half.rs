//! float16 and bfloat16 graphs, widened to f32: the engine's f32 kernels are the fast ones, and
//! every half is an f32 exactly.

use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto, ValueInfoProto};

use super::constants::{Kind, Values, kind};
use crate::model::ModelError;

const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
const BFLOAT16: i32 = 16;

/// Widens constants, inputs, outputs and casts.
///
/// # Errors
/// [`ModelError::Graph`] if a constant is not sound.
pub(super) fn widen(file: &str, graph: &mut GraphProto) -> Result<(), ModelError> {
    let refused = |name: &str, why| ModelError::Graph {
        file: file.to_owned(),
        why: format!("the constant {name:?} {why}"),
    };
    for tensor in &mut graph.initializer {
        let name = tensor.name.clone();
        widen_tensor(tensor).map_err(|why| refused(&name, why))?;
    }
    for node in &mut graph.node {
        let name = node.name.clone();
        widen_node(node).map_err(|why| refused(&name, why))?;
    }
    graph.input.iter_mut().chain(&mut graph.output).for_each(widen_info);
    Ok(())
}

fn widen_tensor(tensor: &mut TensorProto) -> Result<(), String> {
    if matches!(kind(tensor), Ok(Kind::F16 | Kind::Bf16)) {
        *tensor = Values::read(tensor)?.into_tensor(&tensor.name);
    }
    Ok(())
}

fn widen_node(node: &mut NodeProto) -> Result<(), String> {
    for attribute in &mut node.attribute {
        if let Some(tensor) = &mut attribute.t {
            widen_tensor(tensor)?;
        }
        let names_a_type = matches!(attribute.name.as_str(), "to" | "dtype" | "output_dtype");
        if names_a_type && [i64::from(FLOAT16), i64::from(BFLOAT16)].contains(&attribute.i) {
            attribute.i = i64::from(FLOAT);
        }
    }
    Ok(())
}

fn widen_info(info: &mut ValueInfoProto) {
    if let Some(Value::TensorType(tensor)) = info.r#type.as_mut().and_then(|t| t.value.as_mut())
        && [FLOAT16, BFLOAT16].contains(&tensor.elem_type)
    {
        tensor.elem_type = FLOAT;
    }
}
