//! What a graph is made of, for people and for the checks at load.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::Graph;
use super::constants::{Kind, Values, bytes, dims, kind, volume};
use super::quantize::{ROUND, ROUND_TO_RANGE};

/// The nonlinearity of a tower. Each looks plausible in place of another and gives other scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * Phi(x)`, by the error function.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// `x * sigmoid(1.702 x)`, OpenAI's.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `x * sigmoid(x)`. It is not recognized in a graph: gates have the same form.
    Silu,
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::QuickGelu => "quick_gelu",
            Self::Relu => "relu",
            Self::Silu => "silu",
        })
    }
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// How often each operator occurs.
    pub operators: BTreeMap<String, u64>,
    /// Bytes of the constants as they are stored.
    pub stored_bytes: u64,
    /// How the file is quantized, each form with the number of its nodes or constants; empty: f32.
    pub quantization: BTreeMap<String, u64>,
}

/// What a lowered graph comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// Weights: values of constants that have an axis.
    pub parameters: u64,
    /// Products of matrices and convolutions.
    pub products: u64,
    /// Activations that are rounded to integer codes.
    pub roundings: u64,
    /// The nonlinearity, if one is recognized.
    pub activation: Option<Activation>,
    /// Rows of the token table, in a text tower.
    pub vocabulary_size: Option<usize>,
}

impl Survey {
    /// Whether weights are kept in half precision.
    pub fn is_half(&self) -> bool {
        self.quantization.keys().any(|form| form.ends_with("float16"))
    }
}

/// Surveys a graph as it is in the file.
pub fn survey(graph: &Graph) -> Survey {
    let proto = graph.proto();
    let mut operators = BTreeMap::new();
    for node in &proto.node {
        *operators.entry(node.op_type.clone()).or_insert(0) += 1;
    }
    let stored = |tensor: &TensorProto| bytes(tensor).map_or(0, |(_, held)| held as u64);
    Survey {
        stored_bytes: proto.initializer.iter().map(stored).sum(),
        quantization: quantization(proto),
        operators,
    }
}

/// Reads the facts of a lowered graph.
pub fn facts(lowered: &Graph) -> Facts {
    let proto = lowered.proto();
    let sized = |tensor: &&TensorProto| !tensor.dims.is_empty();
    let values = |tensor: &TensorProto| dims(tensor).and_then(|d| volume(&d)).unwrap_or(0) as u64;
    let product = |node: &&NodeProto| matches!(node.op_type.as_str(), "MatMul" | "Gemm" | "Conv");
    Facts {
        parameters: proto.initializer.iter().filter(sized).map(values).sum(),
        products: proto.node.iter().filter(product).count() as u64,
        roundings: proto.node.iter().filter(|node| rounds(node)).count() as u64,
        activation: activation(proto),
        vocabulary_size: vocabulary_size(proto),
    }
}

fn quantization(graph: &GraphProto) -> BTreeMap<String, u64> {
    let mut forms = BTreeMap::new();
    let mut found = |form: String| *forms.entry(form).or_insert(0) += 1;
    let has_quantize = graph.node.iter().any(|node| node.op_type == "QuantizeLinear");
    for node in &graph.node {
        match node.op_type.as_str() {
            "MatMulInteger" | "ConvInteger" | "DynamicQuantizeMatMul" | "MatMulIntegerToFloat" => {
                found("dynamic int8".into());
            }
            "DequantizeLinear" if has_quantize => found("static QDQ".into()),
            "DequantizeLinear" => found("quantized weights".into()),
            "MatMulNBits" => {
                found(format!("MatMulNBits, {} bits", super::lower::int(node, "bits", 4)));
            }
            op if op == "QGemm" || op.starts_with("QLinear") => found("QOperator".into()),
            _ => {}
        }
    }
    for tensor in &graph.initializer {
        match kind(tensor) {
            Ok(Kind::F16) => found("float16".into()),
            Ok(Kind::Bf16) => found("bfloat16".into()),
            _ => {}
        }
    }
    forms
}

/// Recognizes the nonlinearity of a lowered graph.
fn activation(graph: &GraphProto) -> Option<Activation> {
    let has = |op: &str| graph.node.iter().any(|node| node.op_type == op);
    let tanh_gelu = |node: &NodeProto| {
        node.op_type == "FastGelu"
            || node.op_type == "Gelu"
                && node.attribute.iter().any(|a| a.name == "approximate" && a.s == b"tanh")
    };
    if has("QuickGelu") || has_sigmoid_of(graph, 1.702) {
        Some(Activation::QuickGelu)
    } else if graph.node.iter().any(tanh_gelu) || has("Tanh") && has_constant(graph, 0.044_715) {
        Some(Activation::GeluTanh)
    } else if has("Erf") || has("Gelu") || has("BiasGelu") {
        Some(Activation::Gelu)
    } else {
        has("Relu").then_some(Activation::Relu)
    }
}

/// Whether a sigmoid is taken of something times `factor`, within what quantizing it may change.
fn has_sigmoid_of(graph: &GraphProto, factor: f32) -> bool {
    let scaled: HashSet<&str> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "Mul")
        .filter(|node| node.input.iter().any(|name| is_scalar(graph, name, factor)))
        .flat_map(|node| node.output.iter().map(String::as_str))
        .collect();
    let by_output: std::collections::HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node)))
        .collect();
    // Roundings of a statically quantized graph may lie between the two.
    let leads_to = |name: &str| {
        let mut name = name;
        for _ in 0..12 {
            if scaled.contains(name) {
                return true;
            }
            match by_output.get(name) {
                Some(node) if is_rounding(node) => name = &node.input[0],
                _ => return false,
            }
        }
        false
    };
    graph.node.iter().filter(|node| node.op_type == "Sigmoid").any(|node| leads_to(&node.input[0]))
}

fn rounds(node: &NodeProto) -> bool {
    matches!(node.op_type.as_str(), ROUND | ROUND_TO_RANGE)
}

/// Whether a node is part of a rounding to codes and back.
fn is_rounding(node: &NodeProto) -> bool {
    matches!(node.op_type.as_str(), ROUND | "Sub" | "Mul" | "Identity")
}

fn is_scalar(graph: &GraphProto, name: &str, wanted: f32) -> bool {
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == name);
    let values = tensor
        .and_then(|tensor| (bytes(tensor).ok()?.1 <= 8).then(|| Values::read(tensor).ok())?);
    values.is_some_and(|v| v.data.len() == 1 && (v.data[0] / wanted - 1.0).abs() < 0.02)
}

fn has_constant(graph: &GraphProto, wanted: f32) -> bool {
    graph.initializer.iter().any(|tensor| is_scalar(graph, &tensor.name, wanted))
}

/// Rows of the table that the token ids pick from.
fn vocabulary_size(graph: &GraphProto) -> Option<usize> {
    let mut ids: HashSet<&str> = graph
        .input
        .iter()
        .map(|input| input.name.as_str())
        .filter(|name| !matches!(*name, "attention_mask" | "position_ids"))
        .collect();
    for node in &graph.node {
        let passes = matches!(
            node.op_type.as_str(),
            "Cast" | "Identity" | "Reshape" | "Unsqueeze" | "Squeeze"
        );
        if passes && node.input.first().is_some_and(|input| ids.contains(input.as_str())) {
            ids.extend(node.output.iter().map(String::as_str));
        }
    }
    let table = |node: &NodeProto| {
        let picks = node.op_type == "Gather" && ids.contains(node.input.get(1)?.as_str());
        let stored = graph.node.iter().find(|other| {
            other.op_type == "DequantizeLinear" && other.output.contains(&node.input[0])
        });
        let name = stored.map_or(&node.input[0], |stored| &stored.input[0]);
        let tensor = graph.initializer.iter().find(|tensor| tensor.name == *name)?;
        let dims = dims(tensor).ok().filter(|dims| dims.len() == 2)?;
        picks.then_some(dims[0])
    };
    graph.node.iter().find_map(table)
}
