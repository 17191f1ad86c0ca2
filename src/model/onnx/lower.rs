//! One form for every graph: f32 arithmetic on plain operators.
//!
//! People quantize towers in many ways, and the engine reads some of them wrongly, some slowly and
//! some not at all. All are lowered to the same thing here: a quantized constant becomes the f32
//! numbers that it stands for, and a quantized activation becomes an f32 tensor that holds whole
//! numbers, rounded and clipped where the graph says so. The values are those of integer
//! arithmetic as long as sums stay below 2^24, and differ in the last bits beyond.
//!
//! One file an operator family: [`quantize`](super::quantize), [`integer`](super::integer),
//! [`nbits`](super::nbits), [`half`](super::half).

use std::collections::{BTreeMap, HashMap, HashSet};

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

use super::constants::{Kind, Values, kind};
use super::select::inner_names;
use super::{half, integer, nbits, quantize};
use crate::model::ModelError;

/// What becomes of activations that a graph rounds to integer codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Roundings {
    /// They are rounded, in f32, as the graph says.
    Kept,
    /// They stay as they are, apart from a clip at zero; what multiplies them rounds them by itself.
    /// Constants stay in the type that they are stored in, behind a `DequantizeLinear`.
    Dropped,
}

/// A graph that is being lowered: its constants and the nodes that are done.
pub(super) struct Lowering<'a> {
    file: &'a str,
    constants: BTreeMap<String, TensorProto>,
    /// Names that stand for a constant of another name.
    aliases: HashMap<String, String>,
    /// Names of the f32 form of `(values, scale, zero point)` that exist already.
    pub(super) dequantized: HashMap<[String; 3], String>,
    /// Codes that were not rounded: what they are codes of, by which scale and zero point.
    pub(super) unrounded: HashMap<String, (String, f32, f32)>,
    pub(super) roundings: Roundings,
    nodes: Vec<NodeProto>,
    /// Numbers the names that are made here.
    made: usize,
    /// Whether the graph rounds activations.
    rounds: bool,
}

/// Lowers all of `graph`.
///
/// # Errors
/// [`ModelError::Operator`] that names the operator and the node that cannot be expressed.
pub(super) fn lower(
    file: &str,
    graph: &mut GraphProto,
    roundings: Roundings,
) -> Result<(), ModelError> {
    half::widen(file, graph)?;
    let constants = std::mem::take(&mut graph.initializer);
    let mut lowering = Lowering {
        file,
        constants: constants.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect(),
        aliases: HashMap::new(),
        dequantized: HashMap::new(),
        unrounded: HashMap::new(),
        roundings,
        nodes: Vec::with_capacity(graph.node.len()),
        made: 0,
        rounds: roundings == Roundings::Kept
            && graph.node.iter().any(|node| node.op_type == "QuantizeLinear"),
    };
    for node in std::mem::take(&mut graph.node) {
        lowering.lower(node)?;
    }
    lowering.finish(graph)
}

impl Lowering<'_> {
    fn lower(&mut self, node: NodeProto) -> Result<(), ModelError> {
        match node.op_type.as_str() {
            "Constant" => self.hoist(node),
            "Identity" => {
                self.aliases.insert(node.output[0].clone(), node.input[0].clone());
                Ok(())
            }
            "Mul" if self.is_constant_product(&node) => quantize::constant_product(self, &node),
            "QuantizeLinear" => quantize::quantize_linear(self, &node),
            "DequantizeLinear" => quantize::dequantize_linear(self, &node),
            "DynamicQuantizeLinear" => quantize::dynamic_quantize_linear(self, &node),
            "MatMulInteger" | "ConvInteger" => integer::integer_product(self, &node),
            "MatMulIntegerToFloat" => integer::matmul_integer_to_float(self, &node),
            "DynamicQuantizeMatMul" => integer::dynamic_quantize_matmul(self, &node),
            "QGemm" => integer::qgemm(self, &node),
            "QLinearConv" => integer::qlinear_conv(self, &node),
            "QLinearAdd" if self.roundings == Roundings::Kept => integer::qlinear_add(self, &node),
            "QLinearMul" if self.roundings == Roundings::Kept => integer::qlinear_mul(self, &node),
            "QLinearConcat" => integer::qlinear_concat(self, &node),
            op if op.starts_with("QLinear") => integer::qlinear(self, &node),
            "AveragePool" if self.rounds => quantize::average_pool(self, &node),
            "MatMulNBits" => nbits::matmul_nbits(self, &node),
            _ => self.keep(&node),
        }
    }

    fn is_constant_product(&self, node: &NodeProto) -> bool {
        let constant = |name: &String| self.constant_kind(name) == Some(Kind::F32);
        self.roundings == Roundings::Dropped && node.input.iter().all(constant)
    }

    /// Whether a tensor holds no value below zero, as far as the node that makes it tells.
    pub(super) fn is_positive(&self, name: &str) -> bool {
        let name = self.behind(name);
        let maker = self.nodes.iter().rev().find(|node| node.output.iter().any(|o| o == name));
        let positive = ["Softmax", "Sigmoid", "Relu", "Clip", "Exp", "Abs", "HardSigmoid"];
        maker.is_some_and(|node| positive.contains(&node.op_type.as_str()))
    }

    /// Leaves a node as it is.
    pub(super) fn keep(&mut self, node: &NodeProto) -> Result<(), ModelError> {
        self.nodes.push(node.clone());
        Ok(())
    }

    /// A constant that is a node becomes an initializer, so that there is one kind of constant.
    fn hoist(&mut self, node: NodeProto) -> Result<(), ModelError> {
        let name = node.output[0].clone();
        let Some(tensor) = node.attribute.iter().find_map(constant_tensor) else {
            self.nodes.push(node);
            return Ok(());
        };
        self.constants.insert(name.clone(), TensorProto { name, ..tensor });
        Ok(())
    }

    /// The constant behind `name`.
    pub(super) fn constant(&self, name: &str) -> Option<&TensorProto> {
        self.constants.get(self.behind(name))
    }

    /// The numbers of the constant behind `name`; `None` if it is not a constant.
    ///
    /// # Errors
    /// [`ModelError::Operator`] if the tensor is not sound.
    pub(super) fn values(
        &self,
        node: &NodeProto,
        name: &str,
    ) -> Result<Option<Values>, ModelError> {
        let Some(tensor) = self.constant(name) else { return Ok(None) };
        let read = Values::read(tensor);
        read.map(Some).map_err(|why| self.refuse(node, format!("its constant {name:?} {why}")))
    }

    /// As [`Lowering::values`], where only a constant will do.
    pub(super) fn needed_values(&self, node: &NodeProto, name: &str) -> Result<Values, ModelError> {
        let missing = || self.refuse(node, format!("its input {name:?} is not a constant"));
        self.values(node, name)?.ok_or_else(missing)
    }

    /// Element type of the constant behind `name`; `None` if it is not a constant.
    pub(super) fn constant_kind(&self, name: &str) -> Option<Kind> {
        self.constant(name).and_then(|tensor| kind(tensor).ok())
    }

    /// Adds an f32 constant; its name.
    pub(super) fn add_constant(&mut self, hint: &str, values: Values) -> String {
        let name = self.fresh(hint);
        self.constants.insert(name.clone(), values.into_tensor(&name));
        name
    }

    /// Lets `name` stand for `target`, which is a constant or a node's output.
    pub(super) fn rename(&mut self, target: &str, name: &str) {
        self.aliases.insert(name.to_owned(), target.to_owned());
    }

    /// The name that `name` stands for.
    pub(super) fn behind<'n>(&'n self, name: &'n str) -> &'n str {
        let mut name = name;
        while let Some(behind) = self.aliases.get(name) {
            name = behind;
        }
        name
    }

    /// Adds a node with one output; the output's name.
    pub(super) fn push(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = self.fresh(inputs[0]);
        self.push_as(op, inputs, attributes, &name);
        name
    }

    /// Adds a node whose output is called `output`.
    pub(super) fn push_as(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
        output: &str,
    ) {
        self.push_several(op, inputs, attribute, &[output]);
    }

    /// Adds a node with several outputs.
    pub(super) fn push_several(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
        outputs: &[&str],
    ) {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.nodes.push(NodeProto {
            name: format!("{}.{op}", outputs[0]),
            op_type: op.to_owned(),
            input: names(inputs),
            output: names(outputs),
            attribute,
            ..NodeProto::default()
        });
    }

    fn fresh(&mut self, hint: &str) -> String {
        self.made += 1;
        format!("{hint}.{}", self.made)
    }

    /// The error that `node` cannot be expressed.
    pub(super) fn refuse(&self, node: &NodeProto, why: impl Into<String>) -> ModelError {
        super::refuse(self.file, node, why)
    }

    /// Hands the nodes, and the constants that they use, back to the graph.
    fn finish(mut self, graph: &mut GraphProto) -> Result<(), ModelError> {
        let mut nodes = std::mem::take(&mut self.nodes);
        for input in nodes.iter_mut().flat_map(|node| &mut node.input) {
            *input = self.behind(input).to_owned();
        }
        self.nodes = nodes;
        for output in &graph.output {
            let name = self.behind(&output.name).to_owned();
            if name != output.name {
                self.push_as("Identity", &[&name], Vec::new(), &output.name);
            }
        }
        let mut used: HashSet<String> =
            self.nodes.iter().flat_map(|node| node.input.iter().cloned()).collect();
        used.extend(self.nodes.iter().flat_map(inner_names));
        let stored = self.stored_constants();
        let constants = self.constants.into_iter().filter(|(name, _)| used.contains(name));
        let read = |(name, tensor): (String, TensorProto)| {
            if stored.contains(&name) {
                Ok(tensor)
            } else {
                whole_numbers(tensor).map_err(|why| (name, why))
            }
        };
        graph.initializer =
            constants.map(read).collect::<Result<_, _>>().map_err(|(name, why)| {
                ModelError::Graph {
                    file: self.file.to_owned(),
                    why: format!("the constant {name:?} {why}"),
                }
            })?;
        graph.node = self.nodes;
        Ok(())
    }
}

impl Lowering<'_> {
    /// Constants that only `DequantizeLinear` reads: they stay in the type that they have.
    fn stored_constants(&self) -> HashSet<String> {
        let (dequantize, others): (Vec<_>, Vec<_>) =
            self.nodes.iter().partition(|node| node.op_type == "DequantizeLinear");
        let others: HashSet<&String> = others.iter().flat_map(|node| &node.input).collect();
        let read = dequantize.iter().flat_map(|node| &node.input);
        read.filter(|name| !others.contains(name)).cloned().collect()
    }
}

/// Bytes that are still quantized feed operators that move values about (an embedding's `Gather`):
/// they become whole numbers in f32, as activations do.
fn whole_numbers(tensor: TensorProto) -> Result<TensorProto, String> {
    let quantized = kind(&tensor).is_ok_and(|kind| kind.range().is_some());
    if quantized { Values::read(&tensor).map(|v| v.into_tensor(&tensor.name)) } else { Ok(tensor) }
}

/// The tensor of a `Constant` node's attribute.
fn constant_tensor(attribute: &AttributeProto) -> Option<TensorProto> {
    match attribute.name.as_str() {
        "value" => attribute.t.clone(),
        "value_float" => Some(Values::scalar(attribute.f).into_tensor("")),
        "value_floats" => {
            let data = attribute.floats.clone();
            Some(Values { dims: vec![data.len()], data }.into_tensor(""))
        }
        _ => None,
    }
}

/// An integer attribute of a node, or `default`.
pub(in crate::model) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    let found = node.attribute.iter().find(|attribute| attribute.name == name);
    found.map_or(default, |attribute| attribute.i)
}

/// A float attribute of a node, or `default`.
pub(in crate::model) fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    let found = node.attribute.iter().find(|attribute| attribute.name == name);
    found.map_or(default, |attribute| attribute.f)
}

/// The integers of an attribute of a node; empty if it has none.
pub(in crate::model) fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    let found = node.attribute.iter().find(|attribute| attribute.name == name);
    found.map_or(&[], |attribute| &attribute.ints)
}

/// An attribute of integers to give to a node.
pub(super) fn ints_attribute(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}

/// An integer attribute to give to a node.
pub(super) fn int_attribute(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

/// A float attribute to give to a node.
pub(super) fn float_attribute(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Float as i32,
        f: value,
        ..AttributeProto::default()
    }
}

/// The input at `place`, or `None` where an optional one is left out.
pub(in crate::model) fn input(node: &NodeProto, place: usize) -> Option<&str> {
    node.input.get(place).map(String::as_str).filter(|name| !name.is_empty())
}
