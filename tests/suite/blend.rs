//! Bundles of one shape made into one: weights against their means, what a blend says of itself, and what
//! is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pairgate::digest::sha256;
use pairgate::model::blend::{Blended, Part, blend};
use pairgate::model::bundle::{Bundle, MANIFEST};
use pairgate::model::{Arithmetic, Model, ModelError};
use prost::Message as _;
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

use crate::cli::{pairgate, run, text};
use crate::support::{data, imported};

const FLOAT: i32 = 1;
const INT8: i32 = 3;

/// A copy of the default bundle whose int8 weights are others: codes moved, scales grown.
pub fn another_default(folder: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let to = folder.join("another");
    fs::create_dir(&to).unwrap();
    fs::copy(from.join("tokenizer.json"), to.join("tokenizer.json")).unwrap();
    for name in ["image.onnx", "text.onnx"] {
        let mut model = ModelProto::decode(&*fs::read(from.join(name)).unwrap()).unwrap();
        moved(model.graph.as_mut().unwrap());
        fs::write(to.join(name), model.encode_to_vec()).unwrap();
    }
    let mut table: toml::Table = fs::read_to_string(from.join(MANIFEST)).unwrap().parse().unwrap();
    table.remove("golden");
    table.insert("version".into(), "0.3.0-moved".into());
    table.insert("licence".into(), "CC0-1.0".into());
    let digests = table["digests"].as_table_mut().unwrap();
    digests.remove("golden.json");
    for (name, digest) in digests.iter_mut() {
        *digest = sha256(&fs::read(to.join(name)).unwrap()).to_string().into();
    }
    fs::write(to.join(MANIFEST), toml::to_string(&table).unwrap()).unwrap();
    to
}

fn moved(graph: &mut GraphProto) {
    for (i, tensor) in graph.initializer.iter_mut().enumerate() {
        match tensor.data_type {
            INT8 if !tensor.name.ends_with("_zero") => {
                for (k, byte) in tensor.raw_data.iter_mut().enumerate() {
                    let code = i32::from(*byte as i8) + ((k * 31 + i) % 7) as i32 - 3;
                    *byte = code.clamp(-127, 127) as i8 as u8;
                }
            }
            FLOAT if tensor.name.ends_with("_scale") => scaled(tensor, 1.05),
            FLOAT if tensor.dims.len() == 1 && tensor.name.contains("bias") => scaled(tensor, 0.8),
            _ => {}
        }
    }
}

fn scaled(tensor: &mut TensorProto, by: f32) {
    let values: Vec<f32> = floats(tensor).into_iter().map(|value| value * by).collect();
    tensor.raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    let chunks = tensor.raw_data.as_chunks::<4>().0;
    chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn default_bundle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default")
}

fn parts(of: &[(&Path, f64)]) -> Vec<Part> {
    let part = |(path, weight): &(&Path, f64)| Part {
        bundle: Bundle::load(path).unwrap(),
        name: path.display().to_string(),
        weight: *weight,
    };
    of.iter().map(part).collect()
}

fn blended(of: &[(&Path, f64)], to: &Path) -> Blended {
    blend(&parts(of), to, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(of: &[(&Path, f64)]) -> String {
    let folder = tempdir().unwrap();
    let error = blend(&parts(of), &folder.path().join("new"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, ModelError::Blend { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
    error.to_string()
}

/// A graph of a bundle, with the weights that lie beside it.
fn graph_of(bundle: &Path, name: &str) -> ModelProto {
    let mut model = ModelProto::decode(&*fs::read(bundle.join(name)).unwrap()).unwrap();
    let beside = fs::read(bundle.join(format!("{name}.data"))).unwrap_or_default();
    for tensor in &mut model.graph.as_mut().unwrap().initializer {
        let number = |key: &str| -> Option<usize> {
            let entry = tensor.external_data.iter().find(|entry| entry.key == key)?;
            entry.value.parse().ok()
        };
        if let Some((offset, length)) = number("offset").zip(number("length")) {
            tensor.raw_data = beside[offset..offset + length].to_vec();
            tensor.external_data.clear();
            tensor.data_location = None;
        }
    }
    model
}

/// Dimensions, bytes and type of each constant of a graph.
type Constants = BTreeMap<String, (Vec<i64>, Vec<u8>, i32)>;

fn constants(bundle: &Path, name: &str) -> Constants {
    let all = graph_of(bundle, name).graph.unwrap().initializer;
    all.into_iter().map(|t| (t.name, (t.dims, t.raw_data, t.data_type))).collect()
}

/// Scores of the pairs in tests/data.
fn scores(bundle: &Path) -> Vec<(String, Value)> {
    let args = ["score", &text(&data("pairs")), "--model", &text(bundle), "-o", "-"];
    let output = String::from_utf8(run(pairgate(args), 0).stdout).unwrap();
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        (value["key"].to_string(), value["score"].clone())
    };
    output.lines().map(line).collect()
}

#[test]
fn no_weight_gives_the_first_bundle_and_all_of_it_the_second() {
    let folder = tempdir().unwrap();
    let (first, second) = (default_bundle(), another_default(folder.path()));
    let (none, all) = (folder.path().join("none"), folder.path().join("all"));
    blended(&[(&first, 1.0), (&second, 0.0)], &none);
    blended(&[(&first, 0.0), (&second, 1.0)], &all);
    let (of_first, of_second) = (scores(&first), scores(&second));
    assert_ne!(of_first, of_second);
    assert_eq!(scores(&none), of_first);
    assert_eq!(scores(&all), of_second);
}

#[test]
fn int8_weights_are_the_mean_of_what_they_stand_for() {
    let folder = tempdir().unwrap();
    let (first, second) = (default_bundle(), another_default(folder.path()));
    let to = folder.path().join("half");
    let made = blended(&[(&first, 0.75), (&second, 0.25)], &to);
    assert!(made.weights_rounded > 20, "{made:?}");
    let mut seen = 0;
    for name in ["image.onnx", "text.onnx"] {
        let [a, b, c] = [&first, &second, &to].map(|bundle| constants(bundle, name));
        let axes = axes(&graph_of(&first, name));
        for codes in a.keys().filter(|name| name.ends_with("_q")) {
            let scale = codes.replace("_q", "_scale");
            let scales = |of: &Constants| -> Vec<f64> {
                let chunks = of[&scale].1.as_chunks::<4>().0;
                chunks.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
            };
            let (sa, sb, sc) = (scales(&a), scales(&b), scales(&c));
            let dims = &a[codes].0;
            let inner: usize = dims[axes[codes] + 1..].iter().map(|dim| *dim as usize).product();
            let count = a[codes].1.len();
            let channel = |i: usize| i / inner % sa.len();
            let real = |of: &Constants, scales: &[f64], i: usize| {
                f64::from(of[codes].1[i] as i8) * scales[channel(i)]
            };
            for i in 0..count {
                let wanted = 0.75 * real(&a, &sa, i) + 0.25 * real(&b, &sb, i);
                let found = real(&c, &sc, i);
                assert!(
                    (wanted - found).abs() <= 0.5001 * sc[channel(i)],
                    "{name} {codes} {i}: {found} for {wanted}"
                );
            }
            seen += 1;
        }
    }
    assert_eq!(seen, made.weights_rounded);
}

/// The axis of the scales of each int8 weight.
fn axes(model: &ModelProto) -> BTreeMap<String, usize> {
    let nodes = &model.graph.as_ref().unwrap().node;
    let coded = nodes.iter().filter(|node| node.op_type == "DequantizeLinear");
    coded.map(|node| (node.input[0].clone(), node.attribute[0].i as usize)).collect()
}

/// A bundle of floats, and a copy with other weights.
fn floats_of(family: &str) -> (TempDir, PathBuf, PathBuf) {
    let (folder, _) = imported(family, None);
    let first = folder.path().join("bundle");
    let second = folder.path().join("second");
    copy_changed(&first, &second, |graph| {
        let is_weight = |tensor: &&mut TensorProto| {
            tensor.data_type == FLOAT && !tensor.dims.is_empty() && tensor.raw_data.len() >= 64
        };
        for tensor in graph.initializer.iter_mut().filter(is_weight) {
            for (i, bytes) in tensor.raw_data.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let value = f32::from_le_bytes(*bytes) * (1.0 + 0.01 * (i % 5) as f32);
                *bytes = value.to_le_bytes();
            }
        }
    });
    (folder, first, second)
}

/// Copies a bundle, changes its graphs, and leaves out its golden pairs.
fn copy_changed(from: &Path, to: &Path, change: impl Fn(&mut GraphProto)) {
    fs::create_dir(to).unwrap();
    for name in ["tokenizer.json", MANIFEST] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    for name in ["image.onnx", "text.onnx"] {
        let mut model = graph_of(from, name);
        change(model.graph.as_mut().unwrap());
        fs::write(to.join(name), model.encode_to_vec()).unwrap();
    }
    edit(to, |table| {
        table.remove("golden");
    });
}

/// Changes a manifest, with the digests of the files as they are.
fn edit(bundle: &Path, change: impl Fn(&mut toml::Table)) {
    let path = bundle.join(MANIFEST);
    let mut table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    change(&mut table);
    let digests = table["digests"].as_table_mut().unwrap();
    digests.retain(|name, _| bundle.join(name).exists());
    for (name, digest) in digests.iter_mut() {
        *digest = sha256(&fs::read(bundle.join(name)).unwrap()).to_string().into();
    }
    fs::write(path, toml::to_string(&table).unwrap()).unwrap();
}

#[test]
fn float_weights_are_means_and_golden_pairs_are_new() {
    let (folder, first, second) = floats_of("open_clip-vit");
    let to = folder.path().join("soup");
    let made = blended(&[(&first, 0.5), (&second, 0.3), (&second, 0.2)], &to);
    assert_eq!((made.weights_rounded, made.from.len()), (0, 3));
    let mut differing = 0;
    for name in ["image.onnx", "text.onnx"] {
        let [a, b, c] = [&first, &second, &to].map(|bundle| constants(bundle, name));
        for (key, (_, bytes, kind)) in &a {
            let read = |bytes: &[u8]| -> Vec<f32> {
                bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
            };
            if *kind != FLOAT || *bytes == b[key].1 {
                assert_eq!(c[key].1, *bytes, "{key}");
                continue;
            }
            differing += 1;
            for ((a, b), c) in read(bytes).iter().zip(read(&b[key].1)).zip(read(&c[key].1)) {
                let wanted = 0.5 * f64::from(*a) + 0.3 * f64::from(b) + 0.2 * f64::from(b);
                assert_eq!(c, wanted as f32, "{key}");
            }
        }
    }
    assert_eq!(differing, made.weights_averaged);
    // A load checks the golden pairs.
    let bundle = Bundle::load(&to).unwrap();
    Model::load(&bundle, Arithmetic::Float).unwrap();
    assert!(bundle.golden.is_some());
    assert_eq!(bundle.manifest.recommended_threshold, None);
    assert_eq!(bundle.manifest.blended_from, made.from);
}

#[test]
fn one_graph_under_other_names_is_the_same_graph() {
    let (folder, first, second) = floats_of("transformers-clip");
    let renamed = folder.path().join("renamed");
    copy_changed(&second, &renamed, |graph| {
        let held: Vec<String> = graph.initializer.iter().map(|t| t.name.clone()).collect();
        let rename = |name: &mut String| {
            if held.contains(name) {
                *name = format!("other.{name}");
            }
        };
        graph.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
        graph.node.iter_mut().flat_map(|node| &mut node.input).for_each(rename);
    });
    let (plain, other) = (folder.path().join("plain"), folder.path().join("other"));
    blended(&[(&first, 0.5), (&second, 0.5)], &plain);
    blended(&[(&first, 0.5), (&renamed, 0.5)], &other);
    for name in ["image.onnx", "text.onnx"] {
        assert_eq!(constants(&plain, name), constants(&other, name));
    }
}

#[test]
fn what_is_not_of_one_shape_is_refused_by_name() {
    let (folder, first, second) = floats_of("open_clip-vit");
    let says = |error: String, words: &[&str]| {
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    let changed = |name: &str, change: &dyn Fn(&mut toml::Table)| {
        let to = folder.path().join(name);
        copy_changed(&first, &to, |_| {});
        edit(&to, change);
        to
    };
    let set = |part: &'static str, key: &'static str, value: toml::Value| {
        move |table: &mut toml::Table| {
            table[part].as_table_mut().unwrap().insert(key.into(), value.clone());
        }
    };
    let fill = changed("fill", &set("image", "fill", vec![toml::Value::Integer(9); 3].into()));
    says(refused(&[(&first, 0.5), (&fill, 0.5)]), &["fill", "prepares pictures otherwise"]);
    let context = changed("context", &set("text", "context_length", 7.into()));
    says(refused(&[(&first, 0.5), (&context, 0.5)]), &["context_length: 7", "frames captions"]);
    let size = changed("size", &|table| {
        table.insert("embedding_size".into(), 3.into());
    });
    says(refused(&[(&first, 0.5), (&size, 0.5)]), &["embedding_size is 3"]);
    // Another tokenizer.
    let words = folder.path().join("words");
    copy_changed(&first, &words, |_| {});
    let tokenizer = fs::read_to_string(words.join("tokenizer.json")).unwrap();
    let mut json: Value = serde_json::from_str(&tokenizer).unwrap();
    json["version"] = "2.0".into();
    fs::write(words.join("tokenizer.json"), json.to_string()).unwrap();
    edit(&words, |_| {});
    says(refused(&[(&first, 0.5), (&words, 0.5)]), &["tokenizer is not that"]);
    // Another network; and the same one with its weights quantized.
    let quantized = folder.path().join("int8");
    run(pairgate(["model", "quantize", &text(&first), "-o", &text(&quantized)]), 0);
    says(refused(&[(&first, 0.5), (&quantized, 0.5)]), &["nodes", "all or none of them quantized"]);
    let (_other, _) = imported("open_clip-vit-quickgelu", None);
    refused(&[(&first, 0.5), (&_other.path().join("bundle"), 0.5)]);
    // Weights that are no shares.
    says(refused(&[(&first, 0.5), (&second, 0.6)]), &["together they are 1.1"]);
    says(refused(&[(&first, 1.5), (&second, -0.5)]), &["1.5", "0 to 1"]);
    says(refused(&[(&first, 1.0)]), &["two bundles"]);
}

#[test]
fn ranges_of_activations_belong_to_their_weights() {
    let (folder, _) = imported("open_clip-vit", Some("qdq"));
    let first = folder.path().join("bundle");
    // All the same is no mean.
    let same = folder.path().join("same");
    let made = blended(&[(&first, 0.5), (&first, 0.5)], &same);
    assert_eq!((made.weights_averaged, made.weights_rounded), (0, 0));
    let second = folder.path().join("second");
    copy_changed(&first, &second, |graph| {
        let int8 = graph.initializer.iter_mut().find(|t| t.raw_data.len() > 1000).unwrap();
        int8.raw_data[0] ^= 1;
    });
    let error = refused(&[(&first, 0.5), (&second, 0.5)]);
    assert!(error.contains("static QDQ") && error.contains("blend the float bundles"), "{error}");
}

#[test]
fn the_command_tells_what_a_blend_is_and_that_it_is_not_calibrated() {
    let folder = tempdir().unwrap();
    let (first, second) = (default_bundle(), another_default(folder.path()));
    let to = folder.path().join("blend");
    let args =
        ["model", "blend", &text(&first), &text(&second), "--weight", "25%", "-o", &text(&to)];
    let told = String::from_utf8(run(pairgate(args), 0).stdout).unwrap();
    for words in [
        "0.7500 x pairgate-default 0.3.0",
        "0.2500 x pairgate-default 0.3.0-moved",
        "not calibrated",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(
        told.lines().all(|line| line.starts_with("not calibrated") || line.len() <= 80),
        "{told}"
    );
    let manifest = fs::read_to_string(to.join(MANIFEST)).unwrap();
    assert!(manifest.starts_with("# Not calibrated"), "{manifest}");
    let loaded = Bundle::load(&to).unwrap().manifest;
    assert_eq!(loaded.version, "0.3.0+blend");
    assert!(loaded.licence.contains("CC0-1.0") && loaded.licence.contains("non-commercial"));
    assert_eq!(loaded.blended_from[0].digest, Bundle::load(&first).unwrap().digest.to_string());
    let inspected = run(pairgate(["model", "inspect", &text(&to)]), 0).stdout;
    let inspected = String::from_utf8(inspected).unwrap();
    assert!(
        inspected.contains("blended from           0.75 x pairgate-default 0.3.0"),
        "{inspected}"
    );
    let kept = text(&folder.path().join("kept"));
    let filter = ["filter", &text(&data("pairs")), "--model", &text(&to), "-o", &kept];
    let error = String::from_utf8(run(pairgate(filter), 2).stderr).unwrap();
    assert!(error.contains("recommends no threshold"), "{error}");
    let calibrate =
        ["calibrate", &text(&data("pairs")), "--model", &text(&to), "--into", &text(&to)];
    run(pairgate(calibrate), 0);
    let calibrated = Bundle::load(&to).unwrap().manifest;
    assert!(calibrated.recommended_threshold.is_some());
    assert_eq!(calibrated.blended_from, loaded.blended_from);
    // It is not overwritten, and weights must fit the bundles.
    let error = String::from_utf8(run(pairgate(args), 2).stderr).unwrap();
    assert!(error.contains("is there already"), "{error}");
    let new = text(&folder.path().join("new"));
    let wrong = ["model", "blend", &text(&first), &text(&second), "-w", "0.2,0.3,0.5", "-o", &new];
    let error = String::from_utf8(run(pairgate(wrong), 2).stderr).unwrap();
    assert!(error.contains("3 values for 2 bundles"), "{error}");
}
