//! Weights rounded to int8, in the graph: what a bundle stores, a quarter of the size of f32.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::constants::{Kind, Values, dims, kind};
use super::lower::{input, int, int_attribute};

/// Greatest code of a weight.
const TOP: f32 = 127.0;
/// Values from which on a table of tokens is worth rounding.
pub(in crate::model) const BIG_TABLE: usize = 1 << 20;

/// Symmetric rounding, `code = round(w / scale)` with `scale = max |w| / 127` for each place along
/// `axis`. A channel of whole numbers that fit is kept as it is: it holds codes already.
pub(in crate::model) fn rounded(
    values: &[f32],
    dims: &[usize],
    axis: usize,
) -> (Vec<i8>, Vec<f32>) {
    let channel = channels(dims, axis);
    let mut most = vec![0f32; dims[axis]];
    let mut whole = vec![true; dims[axis]];
    for (i, value) in values.iter().enumerate() {
        let c = channel(i);
        most[c] = most[c].max(value.abs());
        whole[c] &= value.fract() == 0.0 && (-128.0..=TOP).contains(value);
    }
    let scale = |(most, whole): (&f32, &bool)| if *whole { 1.0 } else { most / TOP };
    let scales: Vec<f32> = most.iter().zip(&whole).map(scale).collect();
    // A saturated -128 can only be a code that was there.
    let code = |(i, value): (usize, &f32)| (value / scales[channel(i)]).round_ties_even() as i8;
    (values.iter().enumerate().map(code).collect(), scales)
}

/// Which place along `axis` a place in row-major order has.
pub(in crate::model) fn channels(dims: &[usize], axis: usize) -> impl Fn(usize) -> usize {
    let inner: usize = dims[axis + 1..].iter().product();
    let length = dims[axis];
    move |place| place / inner.max(1) % length.max(1)
}

/// Rounds the f32 weights of products, convolutions and big tables, each behind a
/// `DequantizeLinear`; how many.
pub(super) fn round_weights(graph: &mut GraphProto) -> usize {
    let mut axes: HashMap<String, Option<usize>> = HashMap::new();
    for node in &graph.node {
        for (place, name) in node.input.iter().enumerate() {
            let wanted = channel_axis(graph, node, place);
            // What is read in two ways stays as it is.
            axes.entry(name.clone())
                .and_modify(|axis| *axis = axis.filter(|axis| Some(*axis) == wanted))
                .or_insert(wanted);
        }
    }
    let mut nodes = Vec::new();
    let mut initializers = Vec::new();
    for tensor in std::mem::take(&mut graph.initializer) {
        match axes.get(&tensor.name).copied().flatten() {
            Some(axis) => match replaced(&tensor, axis) {
                Some((parts, node)) => {
                    initializers.extend(parts);
                    nodes.push(node);
                }
                None => initializers.push(tensor),
            },
            None => initializers.push(tensor),
        }
    }
    let count = nodes.len();
    graph.initializer = initializers;
    nodes.append(&mut graph.node);
    graph.node = nodes;
    count
}

/// The axis of a node's constant input along which channels lie; `None` if it is no weight.
fn channel_axis(graph: &GraphProto, node: &NodeProto, place: usize) -> Option<usize> {
    let name = input(node, place)?;
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == name)?;
    let dims = dims(tensor).ok().filter(|_| kind(tensor) == Ok(Kind::F32))?;
    match (node.op_type.as_str(), place, &dims[..]) {
        ("MatMul", 1, [_, _]) => Some(1),
        ("Gemm", 1, [_, _]) => Some(if int(node, "transB", 0) != 0 { 0 } else { 1 }),
        // One channel by itself is cheap, and loses most by rounding.
        ("Conv", 1, [_, channels, _, _]) if *channels > 1 => Some(0),
        ("Gather", 0, [rows, size]) if rows * size >= BIG_TABLE && int(node, "axis", 0) == 0 => {
            Some(0)
        }
        _ => None,
    }
}

/// Codes and scales in the place of a tensor, and the node that gives them its name.
fn replaced(tensor: &TensorProto, axis: usize) -> Option<([TensorProto; 2], NodeProto)> {
    let values = Values::read(tensor).ok()?;
    let (codes, scales) = rounded(&values.data, &values.dims, axis);
    let name = &tensor.name;
    let [code_name, scale_name] = ["codes", "scales"].map(|part| format!("{name}.{part}"));
    let codes = TensorProto {
        name: code_name.clone(),
        dims: tensor.dims.clone(),
        data_type: DataType::Int8 as i32,
        raw_data: codes.into_iter().map(|code| code as u8).collect(),
        ..TensorProto::default()
    };
    let scales = Values { dims: vec![scales.len()], data: scales }.into_tensor(&scale_name);
    let node = NodeProto {
        name: format!("{name}.dequantize"),
        op_type: "DequantizeLinear".to_owned(),
        input: vec![code_name, scale_name],
        output: vec![name.clone()],
        attribute: vec![int_attribute("axis", axis as i64)],
        ..NodeProto::default()
    };
    Some(([codes, scales], node))
}
