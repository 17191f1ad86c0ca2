//! The pairs that a bundle is checked with when it is loaded.

use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use super::{GOLDEN, Import};
use crate::model::ModelError;
use crate::model::bundle::new_bundle::NewBundle;
use crate::model::check::golden::{FORMAT, Golden, GoldenPair, Picture};
use crate::model::check::selfcheck;
use crate::model::check::witness::Witness;
use crate::model::{Model, Precision};

/// Pairs that a bundle keeps for its self-check.
const PAIRS: usize = 8;

/// Smallest cosine of an embedding and that in the golden file. For floats it is so close to 1
/// because a GELU in place of a quick one stays above 0.9999 in some towers. For codes it is far
/// from 1 because roundings multiply with depth: onnxruntime with and without its optimizer agrees
/// with itself to 0.981 on a static int8 SigLIP-B/16 of random weights. What is wrong is further off.
fn least_cosine(precision: Precision) -> f64 {
    match precision {
        Precision::Float => 0.999_999,
        Precision::Half => 0.9999,
        Precision::Codes | Precision::Int8 => 0.95,
    }
}

/// Checks the model against the golden file that is given or lies in the folder, and keeps pairs of
/// it in the bundle; without one, what the towers say now. The golden file's name.
///
/// # Errors
/// [`ModelError::SelfCheck`] and its like if the model disagrees.
pub(super) fn write(
    import: &Import,
    model: &Arc<Model>,
    draft: &mut Draft,
    bundle: &NewBundle,
) -> Result<Option<String>, ModelError> {
    let variant = import.variant.as_deref();
    let own = variant.map_or(GOLDEN.to_owned(), |variant| format!("golden_{variant}.json"));
    let own = import.folder.join(own);
    let given = import.golden.clone().or_else(|| own.exists().then_some(own));
    let min_cosine = least_cosine(model.precision());
    let kept = given.as_deref().map(|path| checked(path, model, min_cosine)).transpose()?;
    let golden = match kept.flatten() {
        Some(golden) => golden,
        None => own_golden(model)?,
    };
    let json = serde_json::to_vec(&golden)
        .map_err(|why| ModelError::Golden { file: GOLDEN.to_owned(), why: why.to_string() })?;
    bundle.save(GOLDEN, &json)?;
    draft.tell("golden.file", GOLDEN, &golden.made_by);
    draft.tell("golden.min_cosine", min_cosine, "this version");
    Ok(given.map(|path| path.display().to_string()))
}

/// Checks `model` against the golden file at `path`; those of its pairs that need no other file.
fn checked(path: &Path, model: &Arc<Model>, min_cosine: f64) -> Result<Option<Golden>, ModelError> {
    let mut golden = Golden::open(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    selfcheck::check(model.clone(), &golden, folder, min_cosine)?;
    golden.pairs.retain(|pair| matches!(pair.picture, Picture::Made { .. }));
    golden.pairs.truncate(PAIRS);
    Ok((!golden.pairs.is_empty()).then_some(golden))
}

/// What the model says now: it shows later that nothing has changed since.
fn own_golden(model: &Arc<Model>) -> Result<Golden, ModelError> {
    const CAPTIONS: [&str; 2] = ["a dog on a beach", "two red chairs and a table in the snow"];
    let mut witness = Witness::new(model.clone());
    let mut pairs = Vec::new();
    for (seed, caption) in (1..).zip(CAPTIONS) {
        let picture = Picture::Made { width: 320, height: 240, seed };
        let ids = witness.scorer.tokenize(caption)?;
        pairs.push(GoldenPair {
            image: witness.embed(&picture, Path::new(""))?.to_vec(),
            text: witness.scorer.embed_tokens(&ids)?.to_vec(),
            picture,
            caption: caption.to_owned(),
            ids,
        });
    }
    let made_by = format!("pairgate {} at import", env!("CARGO_PKG_VERSION"));
    Ok(Golden { format: FORMAT, made_by, pairs })
}
