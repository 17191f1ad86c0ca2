//! The default bundle against PyTorch, and bundles that must be refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pairgate::decode::{Rgb8, decode, probe};
use pairgate::digest::sha256;
use pairgate::model::ModelError;
use pairgate::model::bundle::{Bundle, MANIFEST};
use pairgate::model::check::inspect::inspect;
use pairgate::model::check::verify::cosine;
use pairgate::model::{Arithmetic, Model, Scorer};
use pairgate::prepare::Preparer;
use pairgate::source::tar::TarSource;
use pairgate::source::{Sample, Source};
use pairgate_core::config::{ImageLimits, SampleLimits};
use serde::Deserialize;

use crate::support::{data, default_model};

/// What models/train/parity.py writes: PyTorch's unit-length embeddings of inputs that both sides
/// make from the same formula.
#[derive(Deserialize)]
struct Golden {
    synthetic: Vec<Synthetic>,
    dev: Vec<DevPair>,
}

/// A pair of a development shard, which is not committed: where it lies and what PyTorch says.
#[derive(Deserialize)]
struct DevPair {
    shard: String,
    key: String,
    jpg_sha256: String,
    image: Vec<f32>,
    text: Vec<f32>,
    score: f32,
}

#[derive(Deserialize)]
struct Synthetic {
    ids: Vec<i64>,
    image: Vec<f32>,
    text: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_slice(&fs::read(data("golden/towers.json")).unwrap()).unwrap()
}

fn scorer() -> Scorer {
    Scorer::new(default_model())
}

/// Pixel `i` of sample `k`, as golden.py computes it.
fn pixels(sample: u64, side: usize) -> Vec<f32> {
    let value = |i: u64| {
        let mixed = (i * 2_654_435_761 + sample * 40_503) % (1 << 32);
        (mixed as f64 / (1u64 << 32) as f64 * 4.0 - 2.0) as f32
    };
    (0..(3 * side * side) as u64).map(value).collect()
}

#[test]
fn towers_are_pytorchs() {
    let mut scorer = scorer();
    let side = scorer.model().manifest().image.size as usize;
    let golden = golden();
    assert_eq!(golden.synthetic.len(), 64);
    for (sample, golden) in golden.synthetic.iter().enumerate() {
        let image = scorer.embed_image(&pixels(sample as u64, side)).unwrap();
        assert!(cosine(image, &golden.image) >= 0.9999, "image {sample}");
        let text = scorer.embed_tokens(&golden.ids).unwrap();
        assert!(cosine(text, &golden.text) >= 0.9999, "text {sample}");
    }
}

/// The image tower on real pictures as Pillow decodes and prepares them: the file that golden.py
/// leaves in its work folder, which PAIRGATE_DEV_PIXELS names; `[64, S, S, 3]` u8.
#[test]
fn towers_are_pytorchs_on_real_pictures() {
    let Some(file) = std::env::var_os("PAIRGATE_DEV_PIXELS") else {
        eprintln!("SKIPPED: PAIRGATE_DEV_PIXELS does not name the file that parity.py writes");
        return;
    };
    let mut scorer = scorer();
    let image = scorer.model().manifest().image.clone();
    let (squares, golden) = (fs::read(file).unwrap(), golden().dev);
    let square = squares.len() / golden.len();
    for (square, pair) in squares.chunks_exact(square).zip(golden) {
        let scaled = |(c, x): (usize, &u8)| (f32::from(*x) / 255.0 - image.mean[c]) / image.std[c];
        let plane = |c: usize| square.iter().skip(c).step_by(3).map(move |x| scaled((c, x)));
        let pixels: Vec<f32> = (0..3).flat_map(plane).collect();
        let agreement = cosine(scorer.embed_image(&pixels).unwrap(), &pair.image);
        assert!(agreement >= 0.9999, "{} {}: {agreement}", pair.shard, pair.key);
    }
}

/// The whole path on real pairs: decoding, preparation and tokenizing too. The shards are not part
/// of the repository: PAIRGATE_DATA names the folder that holds dev/.
#[test]
fn real_pairs_are_pytorchs() {
    let Some(folder) = std::env::var_os("PAIRGATE_DATA") else {
        eprintln!("SKIPPED: PAIRGATE_DATA does not name the folder that holds dev/");
        return;
    };
    let golden = golden().dev;
    assert_eq!(golden.len(), 64);
    let mut scorer = scorer();
    let mut preparer = Preparer::new(scorer.model().manifest().image.preparation());
    let limits = ImageLimits::default();
    for pair in golden {
        let sample = find(&Path::new(&folder).join(&pair.shard), &pair.key);
        let image = sample.image().unwrap();
        assert_eq!(sha256(image).to_string(), pair.jpg_sha256);
        let mut rgb = Rgb8::default();
        decode(image, &probe(image, &limits).unwrap(), &limits, &mut rgb).unwrap();
        let mut pixels = vec![0.0; 3 * 112 * 112];
        preparer.prepare(&rgb, &mut pixels);
        let metadata = sample.metadata();
        let caption = std::str::from_utf8(sample.pair(&metadata).caption.unwrap()).unwrap();
        let score = scorer.score(&pixels, caption).unwrap();
        let embedding = scorer.embed_image(&pixels).unwrap();
        // The towers agree to 0.9999 above; JPEG decoders differ by a level here and there.
        let agreement = cosine(embedding, &pair.image);
        println!("{} {}: image {agreement:.6}", pair.shard, pair.key);
        assert!(agreement >= 0.999, "image of {}: {agreement}", pair.key);
        let ids = scorer.tokenize(caption).unwrap();
        let embedding = scorer.embed_tokens(&ids).unwrap();
        assert!(cosine(embedding, &pair.text) >= 0.9999, "text of {}", pair.key);
        assert!((score - pair.score).abs() < 0.01, "{score} against {}", pair.score);
    }
}

fn find(shard: &Path, key: &str) -> Sample {
    let mut source = TarSource::open(shard, SampleLimits::default()).unwrap();
    let next = || source.next().unwrap();
    std::iter::from_fn(next).find(|sample| sample.key == key).unwrap()
}

#[test]
fn a_caption_at_its_own_length_is_the_caption_at_full_length() {
    let mut scorer = scorer();
    let text = scorer.model().manifest().text.clone();
    for golden in golden().synthetic.iter().step_by(8) {
        let own = scorer.embed_tokens(&golden.ids).unwrap().to_vec();
        let mut padded = golden.ids.clone();
        padded.resize(text.context_length, i64::from(text.pad_id));
        let full = scorer.embed_tokens(&padded).unwrap();
        assert!(cosine(&own, full) >= 0.999_999);
    }
}

/// Files of the default bundle.
const FILES: [&str; 5] = [MANIFEST, "image.onnx", "text.onnx", "tokenizer.json", "golden.json"];

/// A copy of the default bundle with one file changed.
fn changed(file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    for name in FILES {
        fs::copy(default.join(name), folder.path().join(name)).unwrap();
    }
    let path = folder.path().join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    folder
}

fn changed_manifest(from: &str, to: &str) -> tempfile::TempDir {
    changed(MANIFEST, |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    })
}

fn load_error(folder: &tempfile::TempDir) -> ModelError {
    match Bundle::load(folder.path()) {
        Ok(bundle) => {
            Model::load(&bundle, Arithmetic::Float).expect_err("the bundle must be refused")
        }
        Err(error) => error,
    }
}

#[test]
fn a_bundle_from_a_folder_or_a_tar_is_the_embedded_one() {
    let folder = changed(MANIFEST, |bytes| bytes);
    let embedded = Bundle::embedded().unwrap();
    assert_eq!(Bundle::load(folder.path()).unwrap().digest, embedded.digest);

    let path = folder.path().join("bundle.tar");
    let mut archive = tar::Builder::new(fs::File::create(&path).unwrap());
    for name in FILES {
        archive.append_path_with_name(folder.path().join(name), format!("dfn/{name}")).unwrap();
    }
    archive.finish().unwrap();
    drop(archive);
    assert_eq!(Bundle::load(&path).unwrap().digest, embedded.digest);
}

#[test]
fn wrong_bundles_are_refused_by_what_is_wrong() {
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    for file in &FILES[1..] {
        let error = load_error(&changed(file, cut));
        assert!(matches!(&error, ModelError::Digest { file: named, .. } if named.ends_with(file)));
    }
    for (from, to, expected) in [
        ("format = 1", "format = 9", "format = 9"),
        ("embedding_size = ", "embedding_size = 1", "embeddings have 256 values"),
        ("size = ", "size = 0 # ", "size = 0"),
        ("context_length = ", "context_length = 1 # ", "text.context_length = 1"),
        ("[text]\nfile", "[text]\nfiles", "files"),
        ("eot_id = 2", "eot_id = 70000", "text.eot_id = 70000"),
        ("file = \"image.onnx\"", "file = \"../image.onnx\"", "not a file name"),
        ("file = \"image.onnx\"", "file = \"text.onnx\"", "is no image tower"),
    ] {
        let error = load_error(&changed_manifest(from, to)).to_string();
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
}

#[test]
fn a_missing_bundle_is_named() {
    let error = Bundle::load(Path::new("no/such/bundle")).unwrap_err().to_string();
    assert!(error.contains("no/such/bundle"), "{error}");
}

#[test]
fn keep_on_a_stream_reads_the_calibration() {
    let mut manifest = default_model().manifest().clone();
    manifest.score_quantiles = vec![0.0, 0.1, 0.2, 0.3, 0.5];
    assert_eq!(manifest.calibrated_threshold(0.25), Some(0.3));
    assert_eq!(manifest.calibrated_threshold(1.0), Some(0.0));
    assert!((manifest.calibrated_threshold(0.125).unwrap() - 0.4).abs() < 1e-6);
    manifest.score_quantiles.clear();
    assert_eq!(manifest.calibrated_threshold(0.25), None);
}

#[test]
fn the_model_is_shared_not_copied() {
    let model = default_model();
    let first = Scorer::new(model.clone());
    let second = Scorer::new(model);
    assert!(Arc::ptr_eq(first.model(), second.model()));
}

#[test]
fn the_default_model_fits_a_small_board() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let bundle = Bundle::load(&folder).unwrap();
    let files = bundle.manifest.digests.keys().map(String::as_str).chain([MANIFEST]);
    let bytes: u64 = files.map(|name| fs::metadata(folder.join(name)).unwrap().len()).sum();
    assert!(bytes <= 6_000_000, "{bytes} bytes");

    let found = inspect(&bundle).unwrap();
    let [(112, image)] = found.image.multiply_adds[..] else { panic!("{:?}", found.image) };
    assert!(image <= 160_000_000, "{image} multiply-adds a picture");
    let (16, text) = found.text.multiply_adds[0] else { panic!("{:?}", found.text) };
    assert!(text <= 15_000_000, "{text} multiply-adds a caption");
}

#[test]
fn the_default_model_is_calibrated_and_checks_itself() {
    let manifest = default_model().manifest().clone();
    let threshold = manifest.calibrated_threshold(0.15).unwrap();
    assert!(threshold > manifest.recommended_threshold.unwrap_or(0.0), "{threshold}");
    assert!(manifest.golden.is_some());
}
