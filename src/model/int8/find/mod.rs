//! Finds, in a lowered ONNX graph, what runs on our kernels, and takes the weights out of it: the
//! engine then never sees them, and all plans share them.
//!
//! | file | idea |
//! |---|---|
//! | `activations` | GELUs and gates spelled out in elementary operators |
//! | `norms` | layer norms, whole and spelled out |
//! | `attention` | softmax between two products |
//! | `weights` | constants as int8 or f32 weights |
//! | `products` | products, convolutions and tables of constant weights, with what follows them |

mod activations;
mod attention;
mod norms;
mod products;
mod weights;

use std::collections::HashMap;

use activations::FoundActivation;
use norms::FoundNorm;
use pairgate_kernels::Isa;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};
use tract_onnx::tract_hir::ops::expandable::Expansion;

use super::operators::{
    AveragePool, LayerNorm, Layout, MatMul, Placed, Pointwise, Reduce, Reduction, Shared, Softmax,
};
use crate::model::onnx::constants::Values;
use crate::model::onnx::lower::{input, int, ints};
use crate::model::onnx::quantize::fold;

/// ONNX operator type of a node whose operator is in the table of [`Found`].
pub(in crate::model) const OWN: &str = "pairgate.Own";

/// Operators of ours by the name of their node.
pub(in crate::model) type Found = HashMap<String, Box<dyn Expansion>>;

/// A graph that is being searched.
pub(super) struct Search {
    isa: Isa,
    constants: HashMap<String, TensorProto>,
    /// `None`: taken up by another node.
    nodes: Vec<Option<NodeProto>>,
    /// The node that makes a name.
    makers: HashMap<String, usize>,
    /// The nodes that read a name, once for each input.
    readers: HashMap<String, Vec<usize>>,
    /// Activations that were found, by the name of their result.
    activations: HashMap<String, FoundActivation>,
    /// Results of activations by the name of their input.
    activation_of: HashMap<String, String>,
    /// Layer norms that were found, by the name of their result.
    norms: HashMap<String, FoundNorm>,
    outputs: Vec<String>,
    found: Found,
}

/// Replaces what is found in `graph`.
pub(in crate::model) fn find(graph: &mut GraphProto, isa: Isa) -> Found {
    let constants = std::mem::take(&mut graph.initializer);
    let mut search = Search {
        isa,
        constants: constants.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect(),
        nodes: std::mem::take(&mut graph.node).into_iter().map(Some).collect(),
        makers: HashMap::new(),
        readers: HashMap::new(),
        activations: HashMap::new(),
        activation_of: HashMap::new(),
        norms: HashMap::new(),
        outputs: graph.output.iter().map(|output| output.name.clone()).collect(),
        found: Found::new(),
    };
    search.index();
    search.find_activations();
    search.find_norms();
    search.find_attention();
    search.find_products();
    search.place_rest();
    search.finish(graph)
}

impl Search {
    fn index(&mut self) {
        for (place, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            for output in &node.output {
                self.makers.insert(output.clone(), place);
            }
            for input in &node.input {
                self.readers.entry(input.clone()).or_default().push(place);
            }
        }
    }

    /// The node that makes `name`.
    fn maker(&self, name: &str) -> Option<(usize, &NodeProto)> {
        let place = *self.makers.get(name)?;
        Some((place, self.nodes[place].as_ref()?))
    }

    /// The node that makes `name`, if it is of this type.
    fn maker_of(&self, name: &str, op: &str) -> Option<(usize, &NodeProto)> {
        self.maker(name).filter(|(_, node)| node.op_type == op)
    }

    /// The one node that reads `name`, if nothing else needs it.
    fn only_reader(&self, name: &str) -> Option<(usize, &NodeProto)> {
        let [place] = self.readers.get(name)?[..] else { return None };
        let node = self.nodes[place].as_ref()?;
        (!self.outputs.iter().any(|output| output == name)).then_some((place, node))
    }

    /// As [`Search::only_reader`], if it is of this type.
    fn only_reader_of(&self, name: &str, op: &str) -> Option<(usize, &NodeProto)> {
        self.only_reader(name).filter(|(_, node)| node.op_type == op)
    }

    /// The one number of a constant.
    fn number(&self, name: &str) -> Option<f32> {
        let single = self.weight_dims(name)?.iter().product::<usize>() == 1;
        single.then(|| self.values(name)?.data.first().copied()).flatten()
    }

    /// Of a node with two inputs, one of them a number: the other input and the number.
    fn with_number<'a>(&self, node: &'a NodeProto) -> Option<(&'a str, f32)> {
        let [a, b] = &node.input[..] else { return None };
        match (self.number(a), self.number(b)) {
            (None, Some(number)) => Some((a, number)),
            (Some(number), None) => Some((b, number)),
            _ => None,
        }
    }

    /// Of a node with two inputs, the one that is not `name`.
    fn other<'a>(node: &'a NodeProto, name: &str) -> Option<&'a str> {
        match &node.input[..] {
            [a, b] if a == name => Some(b),
            [a, b] if b == name => Some(a),
            _ => None,
        }
    }

    /// Values of a constant, which may be quantized.
    fn values(&self, name: &str) -> Option<Values> {
        let read = |name: &str| Values::read(self.constants.get(name)?).ok();
        let Some((_, node)) = self.maker_of(name, "DequantizeLinear") else { return read(name) };
        let (codes, scale) = (read(input(node, 0)?)?, read(input(node, 1)?)?);
        let zero = match input(node, 2) {
            Some(zero) => Some(read(zero)?),
            None => None,
        };
        let (axis, block) = (int(node, "axis", 1), int(node, "block_size", 0));
        fold(codes, &scale, zero.as_ref(), axis, block).ok()
    }

    /// Puts an operator of ours in the place of the node that makes `output`.
    fn place(&mut self, output: &str, inputs: &[&str], operator: impl Expansion) {
        let Some(place) = self.makers.get(output).copied() else { return };
        let name = format!("{output}.own");
        self.found.insert(name.clone(), Box::new(operator));
        self.nodes[place] = Some(NodeProto {
            name,
            op_type: OWN.to_owned(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            ..NodeProto::default()
        });
    }

    /// Places what no product took up. What is placed and not needed falls away in the end.
    fn place_rest(&mut self) {
        let isa = self.isa;
        for (output, FoundActivation { input, activation, .. }) in
            std::mem::take(&mut self.activations)
        {
            if !self.is_placed(&output) {
                let operator = Pointwise { isa, activation };
                self.place(&output, &[&input], Placed { operator, layout: Layout::Same });
            }
        }
        for (output, FoundNorm { input, weights }) in std::mem::take(&mut self.norms) {
            if !self.is_placed(&output) {
                let operator = LayerNorm { isa, weights };
                self.place(&output, &[&input], Placed { operator, layout: Layout::Same });
            }
        }
        for place in 0..self.nodes.len() {
            if let Some(node) = self.nodes[place].clone() {
                self.place_plain(&node);
            }
        }
    }

    fn is_placed(&self, output: &str) -> bool {
        self.maker_of(output, OWN).is_some()
    }

    /// Operators whose kernels in the engine depend on the machine.
    fn place_plain(&mut self, node: &NodeProto) {
        let isa = self.isa;
        let Some(x) = input(node, 0) else { return };
        let output = &node.output[0];
        match node.op_type.as_str() {
            "Softmax" if int(node, "axis", -1) == -1 => {
                let operator = Softmax { isa };
                self.place(output, &[x], Placed { operator, layout: Layout::Same });
            }
            "MatMul" => {
                let operator = MatMul { isa };
                let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
                self.place(output, &inputs, Placed { operator, layout: Layout::Same });
            }
            "ReduceMean" => self.reduce(node, Reduction::Mean),
            "ReduceSum" => self.reduce(node, Reduction::Sum),
            "ReduceL2" => self.reduce(node, Reduction::Length),
            "AveragePool" => self.place_pool(node),
            "GlobalAveragePool" => self.place_reduce(node, Reduction::Mean, &[2, 3], true),
            _ => {}
        }
    }

    fn place_pool(&mut self, node: &NodeProto) {
        let [height, width] = *ints(node, "kernel_shape") else { return };
        let kernel = [height, width].map(|side| usize::try_from(side).unwrap_or(0));
        let window = products::window(node, kernel).filter(|_| int(node, "ceil_mode", 0) == 0);
        let Some(window) = window.filter(|window| !window.kernel.contains(&0)) else { return };
        let counts_padding = int(node, "count_include_pad", 0) != 0;
        let operator = AveragePool { isa: self.isa, window, counts_padding };
        let operator = Placed { operator, layout: Layout::ChannelsLast };
        self.place(&node.output[0], &[&node.input[0]], operator);
    }

    fn reduce(&mut self, node: &NodeProto, reduction: Reduction) {
        let axes = match input(node, 1) {
            Some(name) => self.values(name).map(|v| v.data.iter().map(|a| *a as i64).collect()),
            None => Some(ints(node, "axes").to_vec()),
        };
        let Some(mut axes) = axes.filter(|axes: &Vec<i64>| !axes.is_empty()) else { return };
        axes.sort_unstable();
        let neighbours = axes.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if neighbours {
            self.place_reduce(node, reduction, &axes, int(node, "keepdims", 1) != 0);
        }
    }

    fn place_reduce(&mut self, node: &NodeProto, reduction: Reduction, axes: &[i64], keep: bool) {
        let operator = Reduce { isa: self.isa, reduction, axes: axes.into(), keep };
        let operator = Placed { operator, layout: Layout::Same };
        self.place(&node.output[0], &[&node.input[0]], operator);
    }

    /// Constants that are still quantized, in f32: the engine has its own way with them.
    fn unfold(&mut self) {
        for place in 0..self.nodes.len() {
            let Some(node) = &self.nodes[place] else { continue };
            if node.op_type == "DequantizeLinear"
                && let Some(values) = self.values(&node.output[0])
            {
                let name = node.output[0].clone();
                self.constants.insert(name.clone(), values.into_tensor(&name));
                self.makers.remove(&name);
                self.nodes[place] = None;
            }
        }
    }

    /// Hands the nodes, and the constants that they still use, back.
    fn finish(mut self, graph: &mut GraphProto) -> Found {
        self.unfold();
        let mut needed: Vec<String> = self.outputs.clone();
        let mut seen: std::collections::HashSet<String> = needed.iter().cloned().collect();
        let mut kept = vec![false; self.nodes.len()];
        while let Some(name) = needed.pop() {
            let Some(place) = self.makers.get(&name).copied() else { continue };
            let Some(node) = self.nodes[place].as_ref().filter(|_| !kept[place]) else { continue };
            kept[place] = true;
            let inner = crate::model::onnx::select::inner_names(node);
            needed
                .extend(node.input.iter().cloned().chain(inner).filter(|n| seen.insert(n.clone())));
        }
        let nodes = self.nodes.into_iter().zip(kept).filter(|(_, kept)| *kept);
        graph.node = nodes.filter_map(|(node, _)| node).collect();
        let constants = self.constants.into_iter().filter(|(name, _)| seen.contains(name));
        graph.initializer = constants.map(|(_, tensor)| tensor).collect();
        self.found
    }
}
