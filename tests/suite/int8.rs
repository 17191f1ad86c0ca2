//! The int8 engine: models whose products run on our kernels, against the same models in f32, on every
//! instruction set, alone and in company.

use std::path::Path;
use std::sync::Arc;

use pairgate::decode::Rgb8;
use pairgate::model::bundle::Bundle;
use pairgate::model::check::golden::Picture;
use pairgate::model::check::inspect::inspect;
use pairgate::model::check::verify::{Shown, compare_models};
use pairgate::model::quantize::quantize;
use pairgate::model::{Arithmetic, Model, Scorer};
use pairgate_kernels::{Isa, Team};

use crate::support::{FAMILIES, default_model, forms, imported};

/// Captions of several lengths, some longer than the shorter plans.
const CAPTIONS: [&str; 5] = [
    "a dog",
    "two red chairs and a table in the snow",
    "the long road that leads over the hills and far away, past the old mill, under the bridge and on to the sea",
    "",
    "Ein Bild: 3 \u{e4}pfel & \u{1f34f}",
];

fn in_int8(bundle: &Bundle, isa: Isa) -> Arc<Model> {
    Arc::new(Model::unchecked(bundle, Arithmetic::Int8(isa)).unwrap())
}

/// Made pictures at the model's own size, prepared.
fn pixels(model: &Model, seeds: std::ops::Range<u64>) -> Vec<f32> {
    let preparation = model.manifest().image.preparation();
    let side = preparation.size;
    let mut preparer = pairgate::prepare::Preparer::new(preparation);
    let mut one = vec![0.0; 3 * side as usize * side as usize];
    let mut all = Vec::new();
    for seed in seeds {
        preparer.prepare(&picture(side, seed), &mut one);
        all.extend(&one);
    }
    all
}

fn picture(side: u32, seed: u64) -> Rgb8 {
    let mut rgb = Rgb8::default();
    let made = Picture::Made { width: side, height: side, seed };
    made.load(Path::new(""), &mut rgb).unwrap();
    rgb
}

fn shown(model: &Model) -> Vec<Shown> {
    let side = model.manifest().image.size;
    let pairs = CAPTIONS.iter().zip(1..);
    pairs
        .map(|(c, seed)| Shown { picture: picture(side, seed), caption: (*c).to_owned() })
        .collect()
}

/// Bits of the embeddings of some pictures and captions, each by itself.
fn bits(model: &Arc<Model>) -> Vec<u32> {
    let mut scorer = Scorer::new(model.clone());
    let mut values = Vec::new();
    let all = pixels(model, 1..4);
    for image in all.chunks_exact(all.len() / 3) {
        values.extend_from_slice(scorer.embed_image(image).unwrap());
    }
    for caption in CAPTIONS {
        let ids = scorer.tokenize(caption).unwrap();
        values.extend_from_slice(scorer.embed_tokens(&ids).unwrap());
    }
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let missing: Vec<_> = Isa::known();
    let here: Vec<_> = Isa::available().iter().map(|isa| isa.name()).collect();
    for name in missing.iter().filter(|name| !here.contains(name)) {
        println!("SKIPPED: {name}, which this machine has not got");
    }
    let check = |name: &str, bundle: &Bundle| {
        let reference = bits(&in_int8(bundle, Isa::SCALAR));
        for isa in Isa::available() {
            assert!(bits(&in_int8(bundle, isa)) == reference, "{name} on {isa}");
        }
    };
    check("default", &Bundle::embedded().unwrap());
    for name in FAMILIES {
        let (folder, _) = imported(name, None);
        let bundle = Bundle::load(&folder.path().join("bundle")).unwrap();
        let kernels = inspect(&bundle).unwrap();
        for tower in [&kernels.image, &kernels.text] {
            assert!(tower.kernels.engine_operators.is_empty(), "{name}: {:?}", tower.kernels);
        }
        check(name, &bundle);
    }
}

#[test]
fn company_and_threads_change_no_bit() {
    let model = in_int8(&Bundle::embedded().unwrap(), Isa::chosen());
    let mut alone = Scorer::new(model.clone());
    let all = pixels(&model, 0..7);
    let size = all.len() / 7;
    let one_by_one: Vec<f32> = all
        .chunks_exact(size)
        .flat_map(|image| alone.embed_image(image).unwrap().to_vec())
        .collect();
    assert!(alone.embed_images(&all, 7).unwrap() == one_by_one);
    let ids: Vec<Vec<i64>> =
        CAPTIONS.iter().cycle().take(13).map(|c| alone.tokenize(c).unwrap()).collect();
    let captions: Vec<f32> =
        ids.iter().flat_map(|ids| alone.embed_tokens(ids).unwrap().to_vec()).collect();
    let ids: Vec<&[i64]> = ids.iter().map(Vec::as_slice).collect();
    assert!(alone.embed_captions(&ids).unwrap() == captions);
    for threads in [2, 3] {
        let mut team = Scorer::on_team(model.clone(), Team::new(threads).unwrap());
        assert!(team.embed_images(&all, 7).unwrap() == one_by_one, "{threads} threads");
        assert!(team.embed_captions(&ids).unwrap() == captions, "{threads} threads");
    }
}

/// A caption costs what its own length costs, and its embedding is that of the whole context.
#[test]
fn padding_changes_no_bit() {
    let bundle = Bundle::embedded().unwrap();
    let model = in_int8(&bundle, Isa::chosen());
    let manifest = model.manifest().text.clone();
    let mut scorer = Scorer::new(model);
    for caption in CAPTIONS {
        let mut ids = scorer.tokenize(caption).unwrap();
        let own = scorer.embed_tokens(&ids).unwrap().to_vec();
        ids.resize(manifest.context_length, i64::from(manifest.pad_id));
        assert!(scorer.embed_tokens(&ids).unwrap() == own, "{caption}");
    }
}

#[test]
fn the_default_model_loses_little() {
    let model = in_int8(&Bundle::embedded().unwrap(), Isa::chosen());
    let pairs = shown(&model);
    let agreement = compare_models(model, default_model(), &pairs, &mut |_| {}).unwrap();
    println!("{agreement:?}");
    assert!(agreement.image.min_cosine >= 0.999 && agreement.text.min_cosine >= 0.999);
}

/// Small random networks blow up what rounding changes, so that the bound is wide; what is read
/// wrongly gives 0.4 or less.
#[test]
fn every_form_runs_in_int8() {
    for name in FAMILIES {
        for form in std::iter::once(None).chain(forms(name).iter().map(|form| Some(form.as_str())))
        {
            let (folder, float) = imported(name, form);
            let bundle = Bundle::load(&folder.path().join("bundle")).unwrap();
            let model = in_int8(&bundle, Isa::chosen());
            let pairs = shown(&model);
            let agreement = compare_models(model, float.model, &pairs, &mut |_| {}).unwrap();
            let (image, text) = (agreement.image.min_cosine, agreement.text.min_cosine);
            let kernels = inspect(&bundle).unwrap();
            println!(
                "{name} {form:?}: image {image:.5}, text {text:.5}, {:?}",
                kernels.image.kernels
            );
            assert!(image >= 0.95 && text >= 0.95, "{name} {form:?}: {image} {text}");
            assert!(kernels.image.kernels.integer_products > 0, "{name} {form:?}");
            assert!(kernels.text.kernels.integer_products > 0, "{name} {form:?}");
        }
    }
}

#[test]
fn a_quantized_bundle_is_small_and_says_the_same() {
    for name in ["open_clip-vit", "open_clip-mobileclip", "transformers-siglip"] {
        let (folder, float) = imported(name, None);
        let bundle = Bundle::load(&folder.path().join("bundle")).unwrap();
        let to = folder.path().join("small");
        let quantized = quantize(&bundle, &to, &mut |_| {}).unwrap();
        println!("{name}: {quantized:?}");
        assert!(quantized.weights > 0 && quantized.bytes < quantized.bytes_before);
        assert!(quantized.min_cosine.unwrap() >= 0.95, "{name}");
        let small = Bundle::load(&to).unwrap();
        for arithmetic in [Arithmetic::Float, Arithmetic::int8()] {
            let model = Arc::new(Model::load(&small, arithmetic).unwrap());
            let pairs = shown(&model);
            let agreement =
                compare_models(model, float.model.clone(), &pairs, &mut |_| {}).unwrap();
            let (image, text) = (agreement.image.min_cosine, agreement.text.min_cosine);
            assert!(image >= 0.95 && text >= 0.95, "{name} {arithmetic}: {image} {text}");
        }
        let error = quantize(&bundle, &to, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("there already"), "{error}");
    }
}
