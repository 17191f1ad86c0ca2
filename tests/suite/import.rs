//! Bundles from the folders that people have: small models of each family, made by
//! tests/golden/{open_clip,transformers}_fixtures.py, in each form that onnxruntime's tools write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::decode::Rgb8;
use pairgate::digest::sha256;
use pairgate::model::ModelError;
use pairgate::model::bundle::manifest::{Attention, Manifest, Pooling};
use pairgate::model::bundle::{Bundle, MANIFEST};
use pairgate::model::check::golden::{Golden, Picture};
use pairgate::model::check::verify::{cosine, verify};
use pairgate::model::import::{Imported, import};
use pairgate::model::{Arithmetic, Model, Scorer, onnx::survey::Activation};
use pairgate::prepare::{Crop, Interpolation, Preparer, Resize};
use prost::Message as _;
use tempfile::TempDir;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};

use crate::support::{FAMILIES, fixture, forms, import_of, imported, run_import, settings};

/// A fixture's folder, to change.
fn copy_of(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture(name), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn every_family_says_what_it_says_in_python() {
    for name in FAMILIES {
        let (_folder, imported) = imported(name, None);
        let golden = Golden::open(&fixture(name).join("golden.json")).unwrap();
        let agreement = verify(imported.model, &golden, Path::new(""), &mut |_| {}).unwrap();
        println!("{name}: {agreement:?}");
        assert_eq!(agreement.ids_differ, [0usize; 0], "{name}");
        assert!(agreement.image.min_cosine >= 0.9999, "{name}");
        assert!(agreement.text.min_cosine >= 0.9999, "{name}");
        assert!(imported.checked_against.is_some(), "{name}");
    }
}

/// The same pixels and ids as onnxruntime had: pictures of the input's own size are not resized,
/// where a level of a pixel may differ, which small quantized networks blow up.
#[test]
fn every_quantized_form_says_what_onnxruntime_says() {
    let mut checked = 0;
    for name in FAMILIES {
        for form in forms(name) {
            let (_folder, imported) = imported(name, Some(&form));
            let golden = Golden::open(&fixture(name).join(format!("golden_{form}.json"))).unwrap();
            let side = imported.model.manifest().image.size;
            let mut scorer = Scorer::new(imported.model.clone());
            let mut preparer = Preparer::new(imported.model.manifest().image.preparation());
            let mut pixels = vec![0.0; 3 * side as usize * side as usize];
            let (mut image, mut text) = (1.0f64, 1.0f64);
            for pair in &golden.pairs {
                assert_eq!(scorer.tokenize(&pair.caption).unwrap(), pair.ids, "{name} {form}");
                let found = scorer.embed_tokens(&pair.ids).unwrap();
                text = text.min(cosine(found, &pair.text));
                let exact = matches!(pair.picture, Picture::Made { width, height, .. } if width == side && height == side);
                if exact {
                    let mut rgb = Rgb8::default();
                    pair.picture.load(Path::new(""), &mut rgb).unwrap();
                    preparer.prepare(&rgb, &mut pixels);
                    image = image.min(cosine(scorer.embed_image(&pixels).unwrap(), &pair.image));
                    checked += 1;
                }
            }
            println!("{name} {form}: image {image:.6}, text {text:.6}");
            assert!(image >= 0.999 && text >= 0.999, "{name} {form}: {image} {text}");
        }
    }
    assert!(checked >= 80, "{checked} pictures");
}

fn told<'a>(imported: &'a Imported, key: &str) -> &'a str {
    let told = imported.told.iter().find(|told| told.key == key);
    told.map_or("nothing", |told| &told.from)
}

#[test]
fn the_manifest_is_read_from_the_folder() {
    let (_folder, clip) = imported("transformers-clip", None);
    let manifest = clip.model.manifest();
    assert_eq!(manifest.licence, "CC0-1.0");
    assert_eq!(manifest.image.resize, Resize::Shortest);
    assert_eq!(manifest.image.interpolation, Interpolation::Bicubic);
    assert_eq!(manifest.image.crop, Crop::Floor);
    assert_eq!(manifest.text.attention, Attention::Masked);
    assert_eq!(manifest.text.pooling, Some(Pooling::Eot));
    assert_eq!(manifest.text.activation, Some(Activation::QuickGelu));
    assert_eq!(told(&clip, "image.mean"), "preprocessor_config.json image_mean");
    assert_eq!(told(&clip, "text.activation"), "config.json text_config.hidden_act");

    let (_folder, siglip) = imported("transformers-siglip", None);
    let manifest = siglip.model.manifest();
    assert_eq!(manifest.image.resize, Resize::Squash);
    assert_eq!((manifest.text.sot_id, manifest.text.eot_id), (None, Some(1)));
    assert_eq!(manifest.text.attention, Attention::Full);
    assert_eq!(manifest.text.activation, Some(Activation::GeluTanh));

    let (_folder, mobile) = imported("open_clip-mobileclip", None);
    let manifest = mobile.model.manifest();
    assert_eq!(manifest.image.interpolation, Interpolation::Bilinear);
    assert_eq!((manifest.image.mean, manifest.image.std), ([0.0; 3], [1.0; 3]));
    assert_eq!(manifest.text.attention, Attention::Full);

    let (_folder, vit) = imported("open_clip-vit", None);
    assert_eq!(vit.model.manifest().text.attention, Attention::Causal);
    assert!(vit.model.text_lengths().len() > 1, "a causal tower runs captions at their own length");
}

/// A golden file may name pictures that lie beside it: it is checked, and the bundle, which cannot
/// hold them, keeps pairs of its own.
#[test]
fn golden_pictures_may_be_files() {
    let folder = copy_of("transformers-clip");
    let path = folder.path().join("golden.json");
    let mut golden = Golden::open(&path).unwrap();
    let mut rgb = Rgb8::default();
    golden.pairs.truncate(2);
    for (place, pair) in golden.pairs.iter_mut().enumerate() {
        pair.picture.load(Path::new(""), &mut rgb).unwrap();
        let (width, height) = (rgb.size.width, rgb.size.height);
        let picture = image::RgbImage::from_raw(width, height, rgb.pixels.clone()).unwrap();
        let file = format!("{place}.png");
        picture.save(folder.path().join(&file)).unwrap();
        pair.picture = Picture::File { file };
    }
    fs::write(&path, serde_json::to_vec(&golden).unwrap()).unwrap();
    let (bundle, imported) = run_import(&import_of(folder.path().to_owned(), None)).unwrap();
    assert!(imported.checked_against.is_some());
    let kept = Golden::open(&bundle.path().join("bundle/golden.json")).unwrap();
    assert!(kept.made_by.contains("pairgate"));

    golden.pairs[0].image.reverse();
    fs::write(&path, serde_json::to_vec(&golden).unwrap()).unwrap();
    let error = run_import(&import_of(folder.path().to_owned(), None)).unwrap_err();
    assert!(matches!(error, ModelError::SelfCheck { pair: 0, .. }), "{error}");
}

/// The first configs of the hub, which give sizes as numbers and leave out what was the default.
#[test]
fn configs_of_the_first_years_are_read() {
    let folder = copy_of("transformers-clip");
    let write = |file: &str, json: &str| fs::write(folder.path().join(file), json).unwrap();
    write(
        "preprocessor_config.json",
        r#"{"crop_size": 32, "do_center_crop": true, "do_normalize": true, "do_resize": true,
            "feature_extractor_type": "CLIPFeatureExtractor", "resample": 3, "size": 32,
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711]}"#,
    );
    write(
        "config.json",
        r#"{"_name_or_path": "./clip/", "model_type": "clip",
            "text_config": {"eos_token_id": 2}, "vision_config": {}}"#,
    );
    write("README.md", "---\nlicense: other\nlicense_name: some-terms\n---\n# A model\n");
    fs::remove_file(folder.path().join("export.json")).unwrap();
    let mut wanted = import_of(folder.path().to_owned(), None);
    wanted.settings = vec!["logit_scale=100".into()];
    let (_bundle, imported) = run_import(&wanted).unwrap();
    let manifest = imported.model.manifest();
    assert_eq!((manifest.image.resize, manifest.image.size), (Resize::Shortest, 32));
    assert_eq!(manifest.text.pooling, Some(Pooling::Argmax));
    assert_eq!(manifest.licence, "some-terms");
    assert_eq!(manifest.logit_scale, Some(100.0));
    assert_eq!(manifest.name, "clip");
    assert_eq!(told(&imported, "text.context_length"), "tokenizer_config.json model_max_length");
    assert_eq!(told(&imported, "text.activation"), "the text graph");
    assert!(imported.checked_against.is_some());
}

/// Hub tokenizers often say how to cut and fill a text, which is the manifest's to say.
#[test]
fn a_tokenizer_that_pads_by_itself_is_read_all_the_same() {
    let folder = copy_of("transformers-siglip");
    let path = folder.path().join("tokenizer.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["padding"] = serde_json::json!({
        "strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 1, "pad_type_id": 0, "pad_token": "</s>"
    });
    json["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
    });
    fs::write(&path, json.to_string()).unwrap();
    let (_bundle, imported) = run_import(&import_of(folder.path().to_owned(), None)).unwrap();
    assert_eq!(told(&imported, "text.pad_id"), "tokenizer.json padding");
    assert_eq!(imported.model.manifest().text.eot_id, Some(1));
}

/// A combined graph holds the scale: its logits are `scale * cosine + bias`.
#[test]
fn the_logit_scale_of_a_combined_graph_is_found_by_running_it() {
    for (name, scaled) in [("optimum-clip", false), ("optimum-siglip", true)] {
        let mut wanted = import_of(fixture(name), None);
        wanted.settings.retain(|setting| !setting.starts_with("logit_scale"));
        let (_folder, imported) = run_import(&wanted).unwrap();
        assert_eq!(told(&imported, "logit_scale"), "a run of the combined graph", "{name}");
        println!(
            "{name}: {:?} {}",
            imported.model.manifest().logit_scale,
            imported.model.manifest().logit_bias
        );
        assert_eq!(imported.model.manifest().logit_bias != 0.0, scaled, "{name}");
    }
    // Logits that are rounded to codes, and clipped, say nothing of it.
    let mut wanted = import_of(fixture("optimum-clip"), Some("qdq"));
    wanted.settings.retain(|setting| !setting.starts_with("logit_scale"));
    let error = run_import(&wanted).unwrap_err().to_string();
    assert!(error.contains("--set logit_scale=VALUE"), "{error}");
}

#[test]
fn what_cannot_be_read_is_asked_for_by_name() {
    let folder = copy_of("optimum-clip-legacy77");
    fs::remove_file(folder.path().join("export.json")).unwrap();
    let change = |file: &str, key: &str| {
        let path = folder.path().join(file);
        let mut json: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        json.as_object_mut().unwrap().remove(key);
        fs::write(&path, json.to_string()).unwrap();
    };
    change("preprocessor_config.json", "image_mean");
    change("preprocessor_config.json", "resample");
    let mut wanted = import_of(folder.path().to_owned(), None);
    wanted.settings.clear();
    let error = run_import(&wanted).unwrap_err().to_string();
    for key in ["licence", "logit_scale", "image.mean", "image.interpolation"] {
        assert!(error.contains(&format!("--set {key}=VALUE")), "{key}: {error}");
    }
    assert!(!error.contains("image.std"), "{error}");
    wanted.settings = settings();
    wanted.settings.push("image.mean=[0.48145466, 0.4578275, 0.40821073]".into());
    wanted.settings.push("image.interpolation=bicubic".into());
    let (_bundle, imported) = run_import(&wanted).unwrap();
    assert_eq!(told(&imported, "image.interpolation"), "the command line");
}

#[test]
fn wrong_folders_are_refused_by_what_is_wrong() {
    let empty = tempfile::tempdir().unwrap();
    let error = run_import(&import_of(empty.path().to_owned(), None)).unwrap_err().to_string();
    assert!(error.contains("open_clip_config.json") && error.contains("config.json"), "{error}");

    let error =
        run_import(&import_of(fixture("transformers-clip"), Some("int3"))).unwrap_err().to_string();
    assert!(
        error.contains("vision_model_int3.onnx") && error.contains("text_model_qdq.onnx"),
        "{error}"
    );

    let wide = copy_of("transformers-clip");
    let path = wide.path().join("preprocessor_config.json");
    let json = fs::read_to_string(&path).unwrap();
    fs::write(&path, json.replacen("\"width\": 32", "\"width\": 48", 1)).unwrap();
    let error = run_import(&import_of(wide.path().to_owned(), None)).unwrap_err().to_string();
    assert!(error.contains("crop_size = [32, 48]: a square is needed"), "{error}");

    let huge = copy_of("transformers-clip");
    let path = huge.path().join("config.json");
    let json = fs::read_to_string(&path).unwrap();
    let positions = "\"max_position_embeddings\": 32";
    fs::write(&path, json.replacen(positions, "\"max_position_embeddings\": 99999999", 1)).unwrap();
    let error = run_import(&import_of(huge.path().to_owned(), None)).unwrap_err().to_string();
    assert!(error.contains("text.context_length = 99999999"), "{error}");
    let error = run_import(&import_of(path, None)).unwrap_err().to_string();
    assert!(error.contains("it is no folder"), "{error}");

    // transformers 5 puts the image processor into another file, which then counts.
    let moved = copy_of("transformers-clip");
    let path = moved.path().join("preprocessor_config.json");
    let json = fs::read_to_string(&path).unwrap().replacen("\"resample\": 3", "\"resample\": 9", 1);
    fs::write(
        moved.path().join("processor_config.json"),
        format!("{{\"image_processor\": {json}}}"),
    )
    .unwrap();
    fs::remove_file(&path).unwrap();
    let error = run_import(&import_of(moved.path().to_owned(), None)).unwrap_err().to_string();
    assert!(error.contains("resample = 9"), "{error}");

    let other = copy_of("transformers-clip");
    let path = other.path().join("config.json");
    let json = fs::read_to_string(&path).unwrap();
    fs::write(&path, json.replace("quick_gelu", "gelu")).unwrap();
    let error = run_import(&import_of(other.path().to_owned(), None)).unwrap_err();
    assert!(matches!(error, ModelError::Activation { .. }), "{error}");

    let cut = copy_of("open_clip-vit");
    let path = cut.path().join("text.onnx");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = run_import(&import_of(cut.path().to_owned(), None)).unwrap_err().to_string();
    assert!(error.contains("text.onnx") && error.contains("not a whole ONNX file"), "{error}");
}

#[test]
fn nothing_is_left_of_a_failed_import_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("bundle");
    let mut wanted = import_of(fixture("open_clip-vit"), None);
    wanted.settings.push("image.mean=[0.1, 0.1, 0.1]".into());
    // Golden pair 0 is not resized, but it is normalized.
    let error = import(&wanted, &to, &mut |_| {}).unwrap_err();
    assert!(matches!(error, ModelError::SelfCheck { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    wanted.settings.pop();
    import(&wanted, &to, &mut |_| {}).unwrap();
    let error = import(&wanted, &to, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
}

/// A bundle of a fixture, to change: its files with their digests mended after each change.
struct Changed {
    folder: TempDir,
}

impl Changed {
    fn of(name: &str) -> Self {
        let (folder, _) = imported(name, None);
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("bundle").join(file)
    }

    fn manifest(&self, change: impl Fn(&mut toml::Table)) {
        let text = fs::read_to_string(self.path(MANIFEST)).unwrap();
        let mut table: toml::Table = text.parse().unwrap();
        change(&mut table);
        fs::write(self.path(MANIFEST), toml::to_string(&table).unwrap()).unwrap();
    }

    /// Puts a file in place of another, with the right digest.
    fn replace(&self, file: &str, bytes: &[u8]) {
        fs::write(self.path(file), bytes).unwrap();
        let digest = sha256(bytes).to_string();
        self.manifest(|table| {
            table["digests"].as_table_mut().unwrap().insert(file.into(), digest.clone().into());
        });
    }

    fn error(&self) -> ModelError {
        let bundle = Bundle::load(&self.folder.path().join("bundle"));
        bundle
            .and_then(|bundle| Model::load(&bundle, Arithmetic::Float))
            .expect_err("it must be refused")
    }
}

fn set(table: &mut toml::Table, part: &str, key: &str, value: impl Into<toml::Value>) {
    table[part].as_table_mut().unwrap().insert(key.into(), value.into());
}

#[test]
fn wrong_bundles_are_found_at_load() {
    let swapped = Changed::of("open_clip-vit");
    swapped.manifest(|table| {
        set(table, "image", "file", "text.onnx");
        set(table, "text", "file", "image.onnx");
    });
    let error = swapped.error().to_string();
    assert!(error.contains("text.onnx is no image tower"), "{error}");

    // A tokenizer with more tokens, and one of another vocabulary that fits.
    let tokenizer = Changed::of("open_clip-siglip");
    tokenizer.replace(
        "tokenizer.json",
        &fs::read(fixture("open_clip-vit").join("tokenizer.json")).unwrap(),
    );
    let error = tokenizer.error();
    assert!(matches!(error, ModelError::Vocabulary { .. }), "{error}");
    let tokenizer = Changed::of("open_clip-vit");
    let json = fs::read_to_string(tokenizer.path("tokenizer.json")).unwrap();
    let swapped = json.replacen("\"a\":", "\"swap\":", 1).replacen("\"b\":", "\"a\":", 1).replacen(
        "\"swap\":",
        "\"b\":",
        1,
    );
    assert_ne!(json, swapped);
    tokenizer.replace("tokenizer.json", swapped.as_bytes());
    let error = tokenizer.error();
    assert!(matches!(error, ModelError::SelfCheckTokens { .. }), "{error}");

    let shorter = Changed::of("open_clip-vit");
    shorter.manifest(|table| set(table, "text", "context_length", 20));
    let error = shorter.error();
    assert!(matches!(error, ModelError::SelfCheckTokens { .. }), "{error}");
    let longer = Changed::of("open_clip-vit");
    longer.manifest(|table| set(table, "text", "context_length", 77));
    let error = longer.error();
    assert!(matches!(error, ModelError::Length { tokens, .. } if tokens > 40), "{error}");
    let fixed = Changed::of("open_clip-siglip");
    fixed.manifest(|table| set(table, "text", "context_length", 64));
    let error = fixed.error();
    assert!(matches!(error, ModelError::ContextLength { manifest: 64, .. }), "{error}");

    let sizes = Changed::of("open_clip-vit");
    sizes.replace("text.onnx", &fs::read(fixture("open_clip-siglip").join("text.onnx")).unwrap());
    sizes.manifest(|table| set(table, "text", "context_length", 40));
    let error = sizes.error();
    assert!(
        matches!(
            error,
            ModelError::EmbeddingSize { .. }
                | ModelError::Activation { .. }
                | ModelError::Vocabulary { .. }
        ),
        "{error}"
    );
    let sizes = Changed::of("open_clip-vit");
    sizes.manifest(|table| drop(table.insert("embedding_size".into(), 512.into())));
    let error = sizes.error().to_string();
    assert!(
        error.contains("embeddings have 16 values") && error.contains("embedding_size = 512"),
        "{error}"
    );
}

#[test]
fn another_activation_is_found_by_name_and_by_the_golden_pairs() {
    let claimed = Changed::of("open_clip-vit");
    claimed.manifest(|table| set(table, "image", "activation", "quick_gelu"));
    let error = claimed.error().to_string();
    assert!(error.contains("computes gelu, bundle.toml says quick_gelu"), "{error}");

    // The golden pairs of the right model, in a manifest that does not name the activation.
    let wrong = Changed::of("open_clip-vit-quickgelu");
    let bytes = fs::read(wrong.path("image.onnx")).unwrap();
    let changed = with_plain_gelu(&bytes);
    wrong.replace("image.onnx", &changed);
    wrong.manifest(|table| drop(table["image"].as_table_mut().unwrap().remove("activation")));
    let error = wrong.error();
    assert!(matches!(error, ModelError::SelfCheck { .. }), "{error}");
}

/// The graph as it is when the same weights are exported with a plain GELU:
/// `sigmoid(1.702 x)` becomes `(1 + erf(x / sqrt(2))) / 2`.
fn with_plain_gelu(onnx: &[u8]) -> Vec<u8> {
    let mut model = ModelProto::decode(onnx).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let scalar = |name: &str, value: f32| TensorProto {
        name: name.into(),
        data_type: 1,
        raw_data: value.to_le_bytes().to_vec(),
        ..TensorProto::default()
    };
    for tensor in &mut graph.initializer {
        if tensor.raw_data == 1.702f32.to_le_bytes() {
            tensor.raw_data = std::f32::consts::FRAC_1_SQRT_2.to_le_bytes().to_vec();
        }
    }
    graph.initializer.extend([scalar("one", 1.0), scalar("half", 0.5)]);
    let mut nodes = Vec::new();
    for mut node in std::mem::take(&mut graph.node) {
        if node.op_type != "Sigmoid" {
            nodes.push(node);
            continue;
        }
        let output = std::mem::take(&mut node.output[0]);
        let (erf, sum) = (format!("{output}.erf"), format!("{output}.sum"));
        let made = |op: &str, inputs: [&str; 2], output: &str| NodeProto {
            name: output.into(),
            op_type: op.into(),
            input: inputs.map(str::to_owned).to_vec(),
            output: vec![output.into()],
            ..NodeProto::default()
        };
        node.op_type = "Erf".into();
        node.output[0].clone_from(&erf);
        nodes.extend([
            node,
            made("Add", [&erf, "one"], &sum),
            made("Mul", [&sum, "half"], &output),
        ]);
    }
    graph.node = nodes;
    model.encode_to_vec()
}

#[test]
fn damaged_and_packed_bundles_are_told_apart() {
    let digest = Changed::of("open_clip-vit");
    let mut bytes = fs::read(digest.path("image.onnx")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(digest.path("image.onnx"), &bytes).unwrap();
    let error = digest.error();
    assert!(matches!(error, ModelError::Digest { .. }), "{error}");

    let cut = Changed::of("open_clip-vit");
    let bytes = fs::read(cut.path("image.onnx")).unwrap();
    cut.replace("image.onnx", &bytes[..bytes.len() / 3]);
    let error = cut.error().to_string();
    assert!(error.contains("image.onnx") && error.contains("not a whole ONNX file"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    for (magic, format) in [(&b"PK\x03\x04zip"[..], "zip"), (&[0x1f, 0x8b, 8, 0, 0], "gzip")] {
        let path = folder.path().join(format);
        fs::write(&path, magic).unwrap();
        let error = Bundle::load(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("compressed ({format})")), "{error}");
    }
}

/// GNU tar's sparse entries state a size that the archive need not hold.
#[test]
fn a_sparse_entry_is_not_blown_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.tar");
    let mut header = tar::Header::new_gnu();
    header.set_path(MANIFEST).unwrap();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(0);
    let gnu = header.as_gnu_mut().unwrap();
    // One empty piece at the end of a terabyte.
    gnu.sparse[0].offset[..12].copy_from_slice(b"20000000000\0");
    gnu.sparse[0].numbytes[..12].copy_from_slice(b"00000000000\0");
    gnu.realsize[..12].copy_from_slice(b"20000000000\0");
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(512 * 3, 0);
    fs::write(&path, bytes).unwrap();
    let error = Bundle::load(&path).unwrap_err();
    assert!(matches!(error, ModelError::TooBig { bytes: 2_147_483_648, .. }), "{error}");
}

#[test]
fn a_bundle_is_its_tar() {
    let (folder, imported) = imported("open_clip-siglip", None);
    let bundle = folder.path().join("bundle");
    let path = folder.path().join("bundle.tar");
    let mut archive = tar::Builder::new(fs::File::create(&path).unwrap());
    archive.append_dir_all("siglip", &bundle).unwrap();
    archive.finish().unwrap();
    drop(archive);
    let model = Model::load(&Bundle::load(&path).unwrap(), Arithmetic::Float).unwrap();
    assert_eq!(model.digest(), imported.model.digest());
}

/// A towers' weights may lie in a file beside it: they are found, and their digest is checked.
#[test]
fn weights_in_a_file_of_their_own_are_read_and_checked() {
    use tract_onnx::pb::StringStringEntryProto;
    let folder = copy_of("open_clip-vit");
    let path = folder.path().join("image.onnx");
    let mut model = ModelProto::decode(&*fs::read(&path).unwrap()).unwrap();
    let mut weights = Vec::new();
    for tensor in &mut model.graph.as_mut().unwrap().initializer {
        if tensor.raw_data.len() < 64 {
            continue;
        }
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.into(), value };
        tensor.external_data = vec![
            entry("location", "image.onnx.data".into()),
            entry("offset", weights.len().to_string()),
            entry("length", tensor.raw_data.len().to_string()),
        ];
        tensor.data_location = Some(1);
        weights.append(&mut tensor.raw_data);
    }
    fs::write(&path, model.encode_to_vec()).unwrap();
    fs::write(folder.path().join("image.onnx.data"), &weights).unwrap();
    let (bundle, imported) = run_import(&import_of(folder.path().to_owned(), None)).unwrap();
    assert!(imported.model.manifest().digests.contains_key("image.onnx.data"));

    let data = bundle.path().join("bundle/image.onnx.data");
    weights[100] ^= 1;
    fs::write(&data, &weights).unwrap();
    let error = Bundle::load(&bundle.path().join("bundle")).unwrap_err();
    assert!(matches!(error, ModelError::Digest { .. }), "{error}");
}

/// CLIP towers are also exported without their projections, which then lie in model.safetensors.
#[test]
fn projections_beside_the_graphs_are_applied() {
    use safetensors::{Dtype, tensor::TensorView};
    let folder = copy_of("transformers-clip");
    let mut weights = Vec::new();
    for (file, output, key) in [
        ("vision_model", "image_embeds", "visual_projection.weight"),
        ("text_model", "text_embeds", "text_projection.weight"),
    ] {
        let path = folder.path().join(format!("onnx/{file}.onnx"));
        let mut model = ModelProto::decode(&*fs::read(&path).unwrap()).unwrap();
        let graph = model.graph.as_mut().unwrap();
        let at = graph.node.iter().position(|node| node.output[0] == output).unwrap();
        let last = graph.node.remove(at);
        let weight =
            graph.initializer.iter().find(|tensor| last.input.contains(&tensor.name)).unwrap();
        let dims: Vec<usize> = weight.dims.iter().map(|d| *d as usize).collect();
        let values: Vec<f32> = weight
            .raw_data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        // The graph multiplies by [in, out], PyTorch keeps [out, in].
        let transposed = last.op_type == "MatMul";
        let (rows, columns) = if transposed { (dims[1], dims[0]) } else { (dims[0], dims[1]) };
        let at = |i: usize| {
            if transposed { values[i % columns * rows + i / columns] } else { values[i] }
        };
        let bytes: Vec<u8> = (0..rows * columns).flat_map(|i| at(i).to_le_bytes()).collect();
        weights.push((key.to_owned(), vec![rows, columns], bytes));
        let pooled = last.input[0].clone();
        for node in &mut graph.node {
            for output in &mut node.output {
                if *output == pooled {
                    *output = "pooler_output".into();
                }
            }
            for input in &mut node.input {
                if *input == pooled {
                    *input = "pooler_output".into();
                }
            }
        }
        graph.output[0].name = "pooler_output".into();
        graph.output[0].r#type = None;
        fs::write(&path, model.encode_to_vec()).unwrap();
    }
    weights.push(("logit_scale".into(), vec![1], 3.0f32.to_le_bytes().to_vec()));
    let views = weights.iter().map(|(key, shape, bytes)| {
        (key.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    fs::remove_file(folder.path().join("export.json")).unwrap();
    let mut wanted = import_of(folder.path().to_owned(), None);
    wanted.settings.retain(|setting| !setting.starts_with("logit_scale"));
    let weights = folder.path().join("model.safetensors");
    let moved = folder.path().join("moved");
    fs::rename(&weights, &moved).unwrap();
    let error = run_import(&import_of(folder.path().to_owned(), None)).unwrap_err().to_string();
    assert!(error.contains("visual_projection.weight"), "{error}");
    fs::rename(moved, weights).unwrap();

    let (_bundle, imported) = run_import(&wanted).unwrap();
    let manifest: &Manifest = imported.model.manifest();
    assert_eq!(manifest.embedding_size, 24);
    assert!((manifest.logit_scale.unwrap() - 3.0f32.exp()).abs() < 1e-4);
    let golden = Golden::open(&fixture("transformers-clip").join("golden.json")).unwrap();
    let agreement = verify(imported.model, &golden, Path::new(""), &mut |_| {}).unwrap();
    assert!(agreement.image.min_cosine >= 0.9999 && agreement.text.min_cosine >= 0.9999);
}

#[test]
fn a_folder_without_golden_pairs_keeps_what_its_towers_say() {
    let folder = copy_of("optimum-clip");
    fs::remove_file(folder.path().join("golden.json")).unwrap();
    let (bundle, imported) = run_import(&import_of(folder.path().to_owned(), None)).unwrap();
    assert_eq!(imported.checked_against, None);
    let golden = Golden::open(&bundle.path().join("bundle/golden.json")).unwrap();
    assert!(golden.made_by.contains("pairgate"));
    let loaded =
        Model::load(&Bundle::load(&bundle.path().join("bundle")).unwrap(), Arithmetic::Float)
            .unwrap();
    assert_eq!(loaded.digest(), Arc::new(imported.model).digest());
}
