//! An ONNX graph before the engine sees it: read under limits, cut down to one tower, lowered to
//! what the engine gets right, and surveyed.

pub(super) mod blend;
pub(super) mod constants;
mod external;
mod half;
mod integer;
mod limits;
pub(super) mod lower;
mod nbits;
pub(super) mod quantize;
pub(super) mod rounded;
pub(super) mod select;
pub mod survey;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use constants::Values;
use lower::Roundings;
use prost::Message as _;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as TypeValue;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::file::{self, MAX_ONNX_BYTES};
use crate::model::ModelError;

/// An ONNX file in memory.
#[derive(Debug, Clone)]
pub struct Graph {
    file: String,
    model: ModelProto,
    weight_files: BTreeSet<String>,
}

/// An input or output of a graph, as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its element type by ONNX's name, such as `FLOAT`.
    pub element_type: String,
    /// Its axes: a length, or `None` where the file leaves it open. Empty if nothing is declared.
    pub dims: Vec<Option<usize>>,
}

impl Graph {
    /// Reads an ONNX file that holds all its weights; `file` is what errors call it.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the bytes are not a whole and sound ONNX file.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let model = ModelProto::decode(bytes).map_err(|why| not_onnx(file, &why))?;
        Self::sound(file, model, None)
    }

    /// Reads an ONNX file and the files beside it that hold weights.
    ///
    /// # Errors
    /// As [`Graph::parse`]; [`ModelError::Read`] and [`ModelError::TooBig`] for a file that cannot
    /// be read.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = path.display().to_string();
        let model = {
            let bytes = file::read(path, MAX_ONNX_BYTES)?;
            ModelProto::decode(bytes.as_slice()).map_err(|why| not_onnx(&file, &why))?
        };
        Self::sound(&file, model, path.parent())
    }

    fn sound(file: &str, model: ModelProto, folder: Option<&Path>) -> Result<Self, ModelError> {
        let mut graph = Self { file: file.to_owned(), model, weight_files: BTreeSet::new() };
        if graph.model.graph.is_none() {
            return Err(not_onnx(file, &"it holds no graph"));
        }
        graph.read_external(folder)?;
        limits::check(file, graph.proto())?;
        // Old exporters list the weights among the inputs.
        let proto = graph.proto_mut();
        let weights: std::collections::HashSet<_> =
            proto.initializer.iter().map(|tensor| tensor.name.clone()).collect();
        proto.input.retain(|input| !weights.contains(&input.name));
        Ok(graph)
    }

    /// Moves weights that lie in other files into the graph.
    fn read_external(&mut self, folder: Option<&Path>) -> Result<(), ModelError> {
        let file = self.file.clone();
        let mut names = BTreeSet::new();
        let is_external =
            |tensor: &&mut TensorProto| tensor.data_location == Some(external::EXTERNAL);
        for tensor in self.proto_mut().initializer.iter_mut().filter(is_external) {
            let failed = |why: String| ModelError::Graph {
                file: file.clone(),
                why: format!("the weights of {:?}: {why}", tensor.name),
            };
            let found = folder
                .ok_or_else(|| "they lie in another file, which only a folder can hold".to_owned());
            let bytes = found.and_then(|folder| external::read(tensor, folder)).map_err(failed)?;
            names.extend(external::entry(tensor, "location").map(str::to_owned));
            tensor.raw_data = bytes;
            tensor.data_location = None;
            tensor.external_data.clear();
        }
        self.weight_files = names;
        Ok(())
    }

    /// Names of the files beside the ONNX file that held weights, sorted.
    pub fn weight_files(&self) -> &BTreeSet<String> {
        &self.weight_files
    }

    /// What errors call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its inputs.
    pub fn inputs(&self) -> Vec<Port> {
        self.proto().input.iter().map(port).collect()
    }

    /// Its outputs.
    pub fn outputs(&self) -> Vec<Port> {
        self.proto().output.iter().map(port).collect()
    }

    /// The graph with the operators that its quantized, half and hoisted parts stand for; see
    /// `lower.rs`.
    ///
    /// # Errors
    /// [`ModelError::Operator`] that names what has no f32 form here.
    pub fn lowered(self) -> Result<Self, ModelError> {
        self.lowered_with(Roundings::Kept)
    }

    /// As [`Graph::lowered`], where activations may stay unrounded.
    ///
    /// # Errors
    /// As [`Graph::lowered`].
    pub(super) fn lowered_with(mut self, roundings: Roundings) -> Result<Self, ModelError> {
        let file = self.file.clone();
        lower::lower(&file, self.proto_mut(), roundings)?;
        Ok(self)
    }

    /// The part of the graph that leads to `outputs`, with the inputs that it reads.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if there is no such output.
    pub fn select(&mut self, outputs: &[&str]) -> Result<(), ModelError> {
        let file = self.file.clone();
        select::select(self.proto_mut(), outputs).map_err(|why| ModelError::Graph { file, why })
    }

    /// Multiplies an output by a weight of `[rows, columns]`, as PyTorch's `Linear` does without a
    /// bias.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the weight is no matrix.
    pub(super) fn project(&mut self, output: &str, weight: Values) -> Result<(), ModelError> {
        let [rows, columns] = weight.dims[..] else {
            let why = format!("a projection of {:?} is no matrix", weight.dims);
            return Err(ModelError::Graph { file: self.file.clone(), why });
        };
        let at = |i: usize| weight.data[i % rows * columns + i / rows];
        let transposed = (0..rows * columns).map(at).collect();
        let transposed = Values { dims: vec![columns, rows], data: transposed };
        let (name, projected) = ("projection.weight", "projected");
        let graph = self.proto_mut();
        graph.initializer.push(transposed.into_tensor(name));
        graph.node.push(NodeProto {
            name: projected.to_owned(),
            op_type: "MatMul".to_owned(),
            input: vec![output.to_owned(), name.to_owned()],
            output: vec![projected.to_owned()],
            ..NodeProto::default()
        });
        graph.output.retain(|port| port.name == output);
        for port in &mut graph.output {
            *port = ValueInfoProto { name: projected.to_owned(), r#type: None, ..port.clone() };
        }
        Ok(())
    }

    /// Rounds the f32 weights of products, convolutions and big tables to int8; how many. Halves
    /// are widened first.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if a constant is not sound.
    pub(super) fn round_weights(&mut self) -> Result<usize, ModelError> {
        let file = self.file.clone();
        half::widen(&file, self.proto_mut())?;
        Ok(rounded::round_weights(self.proto_mut()))
    }

    /// Writes an ONNX file with its weights in a file of their own beside it, called `weights`: a
    /// reader then need not hold them all at once.
    ///
    /// # Errors
    /// [`ModelError::Write`].
    pub(super) fn write(mut self, path: &Path, weights: &str) -> Result<(), ModelError> {
        let beside = path.with_file_name(weights);
        let failed = |path: &Path, why| ModelError::Write { file: path.display().to_string(), why };
        let file = File::create(&beside).map_err(|why| failed(&beside, why))?;
        external::move_out(self.proto_mut(), weights, file).map_err(|why| failed(&beside, why))?;
        fs::write(path, self.to_bytes()).map_err(|why| failed(path, why))
    }

    /// The bytes of an ONNX file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    /// The file's content.
    pub(super) fn model(&self) -> &ModelProto {
        &self.model
    }

    pub(super) fn proto(&self) -> &GraphProto {
        // `sound` refused a file without a graph.
        self.model.graph.as_ref().expect("a graph")
    }

    pub(super) fn proto_mut(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().expect("a graph")
    }
}

fn not_onnx(file: &str, why: &dyn std::fmt::Display) -> ModelError {
    ModelError::Graph { file: file.to_owned(), why: format!("not a whole ONNX file: {why}") }
}

/// The error that a node of `file` cannot be run.
pub(super) fn refuse(file: &str, node: &NodeProto, why: impl Into<String>) -> ModelError {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    ModelError::Operator {
        file: file.to_owned(),
        operator: node.op_type.clone(),
        node: name.cloned().unwrap_or_default(),
        why: why.into(),
    }
}

fn port(info: &ValueInfoProto) -> Port {
    let kind = info.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(TypeValue::TensorType(tensor)) = kind else {
        return Port {
            name: info.name.clone(),
            element_type: "UNDEFINED".into(),
            dims: Vec::new(),
        };
    };
    let length = |value: &Option<Dimension>| match value {
        Some(Dimension::DimValue(length)) => usize::try_from(*length).ok(),
        _ => None,
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim).map(|dim| length(&dim.value));
    let element_type =
        DataType::try_from(tensor.elem_type).map_or("UNDEFINED", |t| t.as_str_name());
    Port { name: info.name.clone(), element_type: element_type.into(), dims: dims.collect() }
}
