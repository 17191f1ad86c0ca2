//! Each quantized operator by itself against onnxruntime: graphs and values made by
//! tests/golden/operators.py. And graphs that must be refused by the name of operator and node.

use std::collections::BTreeMap;
use std::fs;

use pairgate::model::ModelError;
use pairgate::model::onnx::Graph;
use pairgate::model::{Arithmetic, check::verify::cosine, embed_image_once};
use prost::Message as _;
use serde::Deserialize;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Length};
use tract_onnx::pb::type_proto::{Tensor, Value as Kind};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto,
};

use crate::support::data;

#[derive(Deserialize)]
struct Golden {
    outputs: BTreeMap<String, Vec<f32>>,
}

/// Value `i` is `(37 i mod 101) / 50 - 1`, `[3, 4, 4]`.
fn pixels() -> Vec<f32> {
    (0..48).map(|i| (f64::from(i * 37 % 101) / 50.0 - 1.0) as f32).collect()
}

fn unit(values: &[f32]) -> Vec<f32> {
    let length = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    values.iter().map(|x| (f64::from(*x) / length) as f32).collect()
}

#[test]
fn every_quantized_operator_is_onnxruntimes() {
    let folder = data("models/operators");
    let golden = fs::read(folder.join("golden.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&golden).unwrap();
    assert!(golden.outputs.len() >= 29);
    for (name, wanted) in golden.outputs {
        let file = format!("{name}.onnx");
        let bytes = fs::read(folder.join(&file)).unwrap();
        let graph = Graph::parse(&file, &bytes).unwrap();
        let found = embed_image_once(graph, Arithmetic::Float, &pixels())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let wanted = unit(&wanted);
        let furthest = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: cosine {:.7}, furthest {furthest:e}", cosine(&found, &wanted));
        // Bytes must be the same bytes; only the last bits of f32 sums may differ.
        assert!(furthest < 2e-6, "{name}: {furthest:e}\n{found:?}\n{wanted:?}");
    }
}

/// A graph from `pixel_values` `[1, 3, 4, 4]` to `image_embeds` `[1, 48]`.
fn graph(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    let port = |name: &str, dims: &[i64]| ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(Kind::TensorType(Tensor {
                elem_type: 1,
                shape: Some(TensorShapeProto {
                    dim: dims
                        .iter()
                        .map(|d| Dimension {
                            value: Some(Length::DimValue(*d)),
                            ..Dimension::default()
                        })
                        .collect(),
                }),
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    };
    let graph = GraphProto {
        node: nodes,
        initializer: constants,
        input: vec![port("pixel_values", &[1, 3, 4, 4])],
        output: vec![port("image_embeds", &[1, 48])],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 18 };
    let model = ModelProto {
        ir_version: 9,
        opset_import: vec![opset],
        graph: Some(graph),
        ..ModelProto::default()
    };
    model.encode_to_vec()
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: format!("the_{op}"),
        op_type: op.into(),
        input: inputs.iter().map(|i| (*i).into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

fn shape(name: &str, dims: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![dims.len() as i64],
        data_type: 7,
        raw_data: dims.iter().flat_map(|d| d.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

fn refusal(bytes: &[u8]) -> ModelError {
    let graph = Graph::parse("bad.onnx", bytes);
    graph
        .and_then(|graph| embed_image_once(graph, Arithmetic::Float, &pixels()))
        .expect_err("it must be refused")
}

#[test]
fn an_operator_that_nobody_has_is_named_with_its_node() {
    let bytes = graph(vec![node("QAttention", &["pixel_values"], "image_embeds")], vec![]);
    let error = refusal(&bytes);
    assert!(
        matches!(&error, ModelError::Operator { operator, node, .. }
            if operator == "QAttention" && node == "the_QAttention"),
        "{error}"
    );
    let bytes = graph(vec![node("QLinearWhere", &["pixel_values"], "image_embeds")], vec![]);
    assert!(refusal(&bytes).to_string().contains("QLinearWhere"));
}

/// A kilobyte that asks for terabytes is refused before anything is made of it.
#[test]
fn bombs_are_refused_before_they_are_made() {
    let huge = shape("huge", &[1 << 20, 1 << 20, 64]);
    let bombs = [
        graph(vec![node("ConstantOfShape", &["huge"], "image_embeds")], vec![huge.clone()]),
        graph(vec![node("Expand", &["pixel_values", "huge"], "image_embeds")], vec![huge.clone()]),
        graph(vec![node("Tile", &["pixel_values", "huge"], "image_embeds")], vec![huge]),
    ];
    for bomb in bombs {
        let error = refusal(&bomb).to_string();
        assert!(error.contains("would make 70368744177664 values"), "{error}");
    }
    let states_much = TensorProto {
        name: "w".into(),
        dims: vec![1 << 40],
        data_type: 1,
        raw_data: vec![0; 64],
        ..TensorProto::default()
    };
    let bytes = graph(vec![node("Add", &["pixel_values", "w"], "image_embeds")], vec![states_much]);
    let error = refusal(&bytes).to_string();
    let said = if cfg!(target_pointer_width = "32") {
        "\"w\" has an axis of 1099511627776"
    } else {
        "\"w\" states 1099511627776 values"
    };
    assert!(error.contains(said), "{error}");
}

#[test]
fn tensors_that_are_cut_short_are_named() {
    let cut = TensorProto { dims: vec![48], ..shape("cut", &[1, 48]) };
    let bytes = graph(vec![node("Reshape", &["pixel_values", "cut"], "image_embeds")], vec![cut]);
    let error = refusal(&bytes).to_string();
    assert!(error.contains("\"cut\" states 384 bytes and holds 16"), "{error}");
}

#[test]
fn any_cut_of_a_graph_is_an_error_and_no_panic() {
    let file = data("models/operators/QLinearConv.onnx");
    let whole = fs::read(file).unwrap();
    for end in 0..whole.len() {
        let Ok(graph) = Graph::parse("cut.onnx", &whole[..end]) else { continue };
        // Protobuf has no end mark: some cuts are whole files with less in them.
        for arithmetic in [Arithmetic::Float, Arithmetic::int8()] {
            let _ = embed_image_once(graph.clone(), arithmetic, &pixels());
        }
    }
    assert!(Graph::parse("cut.onnx", b"not an ONNX file at all").is_err());
}

/// Bytes changed at random: an error or another graph, and never a panic of ours. The engine's own
/// are errors too.
#[test]
fn changed_bytes_are_an_error_and_no_panic() {
    let mut files: Vec<_> = fs::read_dir(data("models/operators"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    files.sort();
    for seed in 1..600u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        // xorshift64
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut bytes = fs::read(&files[next(files.len())]).unwrap();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] ^= 1 << next(8),
                1 => bytes[at] = next(256) as u8,
                _ => drop(bytes.drain(at..(at + next(16)).min(bytes.len()))),
            }
        }
        let Ok(graph) = Graph::parse("changed.onnx", &bytes) else { continue };
        for arithmetic in [Arithmetic::Float, Arithmetic::int8()] {
            let _ = embed_image_once(graph.clone(), arithmetic, &pixels());
        }
    }
}

#[test]
fn nodes_without_ends_are_named() {
    let loose = NodeProto { output: Vec::new(), ..node("Relu", &["pixel_values"], "image_embeds") };
    let error = refusal(&graph(vec![loose], vec![])).to_string();
    assert!(error.contains("the_Relu") && error.contains("it has no output"), "{error}");
    let itself = TensorProto { name: "itself".into(), ..shape("itself", &[1]) };
    let nodes = vec![
        node("Identity", &["itself"], "itself"),
        node("Relu", &["pixel_values"], "image_embeds"),
    ];
    let error = refusal(&graph(nodes, vec![itself])).to_string();
    assert!(error.contains("\"itself\" has another origin"), "{error}");
    let error = refusal(&graph(vec![node("Identity", &[], "image_embeds")], vec![])).to_string();
    assert!(error.contains("the_Identity") && error.contains("it has no input"), "{error}");
}
