//! Bundles of one shape made into one: the weighted mean of their weights, as a data filtering network
//! is averaged with what it was fine-tuned from.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::bundle::manifest::{BlendedFrom, GoldenManifest, Manifest};
use super::bundle::new_bundle::NewBundle;
use super::bundle::{Bundle, MANIFEST, TowerFile};
use super::check::golden::{Golden, Picture};
use super::check::own;
use super::onnx::blend::{Averaged, average};
use super::{Arithmetic, Model};
use crate::model::ModelError;

/// How far the weights' sum may be from 1.
const SUM_SLACK: f64 = 1e-6;
/// The golden file of a blend.
const GOLDEN: &str = "golden.json";
/// First lines of its manifest; `calibrate` writes them away.
const NOT_CALIBRATED: &str = "\
# Not calibrated: scores of a blend are on a scale of its own, so no threshold and no quantiles of the
# bundles that it was made from are here. `pairgate calibrate SHARDS --model BUNDLE --into BUNDLE` writes
# them, and with `--from OLD` it keeps the share that another model's threshold kept.
";

/// A bundle with its share of the mean.
#[derive(Debug, Clone)]
pub struct Part {
    /// The bundle.
    pub bundle: Bundle,
    /// What errors call it.
    pub name: String,
    /// Its weight, 0 to 1; all weights together are 1.
    pub weight: f64,
}

/// What became of bundles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blended {
    /// The new bundle's name.
    pub name: String,
    /// The new bundle's version.
    pub version: String,
    /// SHA-256 of its manifest, as journals name the model.
    pub digest: String,
    /// The bundles that it is the mean of.
    pub from: Vec<BlendedFrom>,
    /// Float weights that were averaged, both towers'.
    pub weights_averaged: usize,
    /// Int8 weights that were averaged and rounded anew.
    pub weights_rounded: usize,
    /// Weights and constants that are the same in all.
    pub constants_same: usize,
    /// Bytes of the new bundle's files.
    pub bytes: u64,
}

/// Writes the weighted mean of bundles as the new bundle `to`: float weights as they are, int8 weights
/// averaged as the numbers that they stand for and rounded anew. Halves become floats. Preparation,
/// tokenizer and graphs must be the same, and are taken from the first. Golden pairs are made new;
/// threshold and quantiles are left out, as nobody knows them yet.
///
/// # Errors
/// [`ModelError::Blend`] that names what differs, or weights that are no shares of one;
/// [`ModelError`] for what cannot be read or written. Nothing is left at `to`.
pub fn blend(
    parts: &[Part],
    to: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Blended, ModelError> {
    check_weights(parts)?;
    let first = &parts[0].bundle;
    parts[1..].iter().try_for_each(|part| check_alike(first, part))?;
    let mut new = NewBundle::create(to, "blending")?;
    let mut manifest = first.manifest.clone();
    progress("averaging the image towers");
    let image = tower(parts, |bundle| &bundle.image, &manifest.image.file, &new)?;
    progress("averaging the text towers");
    let text = tower(parts, |bundle| &bundle.text, &manifest.text.file, &new)?;
    new.save(&manifest.text.tokenizer, &first.tokenizer)?;
    describe(&mut manifest, parts);
    manifest.digests = new.digests()?.clone();
    save_manifest(&manifest, &new)?;
    progress("making golden pairs");
    manifest.golden = Some(make_golden(first, &new)?);
    manifest.digests = new.digests()?.clone();
    save_manifest(&manifest, &new)?;
    progress("checking the new bundle");
    let made = Bundle::load(new.folder())?;
    for arithmetic in [Arithmetic::Float, Arithmetic::int8()] {
        Model::load(&made, arithmetic)?;
    }
    let blended = Blended {
        name: manifest.name,
        version: manifest.version,
        digest: made.digest.to_string(),
        from: manifest.blended_from,
        weights_averaged: image.floats + text.floats,
        weights_rounded: image.rounded + text.rounded,
        constants_same: image.same + text.same,
        bytes: new.bytes()?,
    };
    new.publish()?;
    Ok(blended)
}

fn check_weights(parts: &[Part]) -> Result<(), ModelError> {
    let refused = |why: String| ModelError::Blend { what: "the weights".to_owned(), why };
    if parts.len() < 2 {
        return Err(refused("it takes two bundles or more".to_owned()));
    }
    if let Some(part) = parts.iter().find(|part| !(0.0..=1.0).contains(&part.weight)) {
        return Err(refused(format!("{} has {}: each is 0 to 1", part.name, part.weight)));
    }
    let sum: f64 = parts.iter().map(|part| part.weight).sum();
    match (sum - 1.0).abs() <= SUM_SLACK {
        true => Ok(()),
        false => Err(refused(format!("together they are {sum}, and must be 1"))),
    }
}

/// Refuses a bundle that sees, reads or answers otherwise than the first: the mean of two networks means
/// something only where their inputs mean the same.
fn check_alike(first: &Bundle, part: &Part) -> Result<(), ModelError> {
    let (one, two) = (&first.manifest, &part.bundle.manifest);
    let refused = |why: String| Err(ModelError::Blend { what: part.name.clone(), why });
    let values = [
        ("embedding_size", one.embedding_size.to_string(), two.embedding_size.to_string()),
        ("image.output", format!("{:?}", one.image.output), format!("{:?}", two.image.output)),
        (
            "image.activation",
            format!("{:?}", one.image.activation),
            format!("{:?}", two.image.activation),
        ),
        ("text.output", format!("{:?}", one.text.output), format!("{:?}", two.text.output)),
        (
            "text.activation",
            format!("{:?}", one.text.activation),
            format!("{:?}", two.text.activation),
        ),
        ("text.pad_id", one.text.pad_id.to_string(), two.text.pad_id.to_string()),
        (
            "text.attention",
            format!("{:?}", one.text.attention),
            format!("{:?}", two.text.attention),
        ),
        ("text.pooling", format!("{:?}", one.text.pooling), format!("{:?}", two.text.pooling)),
    ];
    if let Some((key, ours, theirs)) = values.iter().find(|(_, ours, theirs)| ours != theirs) {
        return refused(format!("its {key} is {theirs}, the first bundle's is {ours}"));
    }
    if one.image.preparation() != two.image.preparation() {
        let (ours, theirs) = (one.image.preparation(), two.image.preparation());
        return refused(format!(
            "it prepares pictures otherwise than the first bundle: {theirs:?}, and {ours:?}"
        ));
    }
    if one.text.framing() != two.text.framing() {
        let (ours, theirs) = (one.text.framing(), two.text.framing());
        return refused(format!(
            "it frames captions otherwise than the first bundle: {theirs:?}, and {ours:?}"
        ));
    }
    if !same_json(&first.tokenizer, &part.bundle.tokenizer) {
        return refused("its tokenizer is not that of the first bundle".to_owned());
    }
    Ok(())
}

/// Whether two files hold the same JSON, however it is written.
fn same_json(one: &[u8], two: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    one == two || read(one).is_some_and(|one| Some(one) == read(two))
}

fn tower(
    parts: &[Part],
    of: impl Fn(&Bundle) -> &TowerFile,
    name: &str,
    new: &NewBundle,
) -> Result<Averaged, ModelError> {
    let graph = |part: &Part| Ok((of(&part.bundle).graph()?, part.weight));
    let graphs = parts.iter().map(graph).collect::<Result<_, ModelError>>()?;
    let (graph, averaged) = average(graphs)?;
    graph.write(&new.folder().join(name), &format!("{name}.data"))?;
    Ok(averaged)
}

/// What the manifest says of the blend.
fn describe(manifest: &mut Manifest, parts: &[Part]) {
    let all = |of: &dyn Fn(&Manifest) -> Option<f64>| -> Option<f64> {
        parts.iter().map(|part| Some(part.weight * of(&part.bundle.manifest)?)).sum()
    };
    // Networks learn the scale's logarithm.
    let scale = all(&|manifest| manifest.logit_scale.map(|scale| f64::from(scale).ln()));
    manifest.logit_scale = scale.filter(|scale| scale.is_finite()).map(|scale| scale.exp() as f32);
    manifest.logit_bias =
        all(&|manifest| Some(f64::from(manifest.logit_bias))).map_or(0.0, |bias| bias as f32);
    manifest.recommended_threshold = None;
    manifest.score_quantiles.clear();
    manifest.golden = None;
    manifest.version.push_str("+blend");
    let licences = parts.iter().map(|part| &part.bundle.manifest.licence);
    if licences.clone().any(|licence| *licence != manifest.licence) {
        let told = parts.iter().map(|part| &part.bundle.manifest);
        let told = told.map(|of| format!("{} {}: {}", of.name, of.version, of.licence));
        manifest.licence = format!(
            "a blend, under the terms of all of these. {}",
            told.collect::<Vec<_>>().join("; ")
        );
    }
    let from = |part: &Part| BlendedFrom {
        name: part.bundle.manifest.name.clone(),
        version: part.bundle.manifest.version.clone(),
        digest: part.bundle.digest.to_string(),
        weight: part.weight,
    };
    manifest.blended_from = parts.iter().map(from).collect();
}

/// Writes what the new towers say of the first bundle's made pictures and captions.
fn make_golden(first: &Bundle, new: &NewBundle) -> Result<GoldenManifest, ModelError> {
    let model = Arc::new(Model::unchecked(&Bundle::load(new.folder())?, Arithmetic::Float)?);
    let held = match (&first.manifest.golden, &first.golden) {
        (Some(golden), Some(json)) => Golden::parse(&golden.file, json)?.pairs,
        _ => Vec::new(),
    };
    let mut pairs: Vec<_> = held
        .into_iter()
        .filter(|pair| matches!(pair.picture, Picture::Made { .. }))
        .map(|pair| (pair.picture, pair.caption))
        .take(own::PAIRS)
        .collect();
    if pairs.is_empty() {
        pairs = own::usual();
    }
    let golden = own::golden(&model, pairs, "blending")?;
    let json = serde_json::to_vec(&golden)
        .map_err(|why| ModelError::Golden { file: GOLDEN.to_owned(), why: why.to_string() })?;
    new.save(GOLDEN, &json)?;
    Ok(GoldenManifest { file: GOLDEN.to_owned(), min_cosine: own::least_cosine(model.precision()) })
}

fn save_manifest(manifest: &Manifest, new: &NewBundle) -> Result<(), ModelError> {
    let text = toml::to_string(manifest);
    let text = text.map_err(|why| ModelError::Manifest { why: why.to_string() })?;
    new.save(MANIFEST, format!("{NOT_CALIBRATED}{text}").as_bytes())
}
