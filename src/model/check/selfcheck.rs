//! What a loaded model must get right before it judges anything: the token ids and the embeddings
//! of the golden pairs that came with its bundle.

use std::path::Path;
use std::sync::Arc;

use super::golden::{Golden, GoldenPair};
use super::verify::cosine;
use super::witness::Witness;
use crate::model::ModelError;
use crate::model::Side;
use crate::model::{Model, Precision, Scorer};

/// Pairs whose embeddings are computed at each load: a big tower takes a second for one.
const PAIRS: usize = 2;
/// What a cosine may lack where a picture was resized: libraries round some levels otherwise.
const RESIZED_SLACK: f64 = 1e-4;
/// Least cosine of an embedding in int8. A graph that is read wrongly gives 0.4 or less.
const INT8_MIN_COSINE: f64 = 0.95;

/// Compares `model` with its golden pairs: all token ids, and some embeddings.
///
/// # Errors
/// [`ModelError::SelfCheck`] that says which pair of which tower disagrees and how far.
pub(in crate::model) fn check(
    model: Arc<Model>,
    golden: &Golden,
    folder: &Path,
    min_cosine: f64,
) -> Result<(), ModelError> {
    let min_cosine = match model.precision() {
        Precision::Int8 => min_cosine.min(INT8_MIN_COSINE),
        _ => min_cosine,
    };
    let mut witness = Witness::new(model.clone());
    for (place, pair) in golden.pairs.iter().enumerate() {
        check_ids(&witness.scorer, place, pair)?;
    }
    for (place, pair) in golden.pairs.iter().take(PAIRS).enumerate() {
        let text = cosine(witness.scorer.embed_tokens(&pair.ids)?, &pair.text);
        check_embedding(&model, Side::Text, place, text, min_cosine)?;
        let image = cosine(witness.embed(&pair.picture, folder)?, &pair.image);
        let slack = if witness.was_exact() { 0.0 } else { RESIZED_SLACK };
        check_embedding(&model, Side::Image, place, image, min_cosine - slack)?;
    }
    Ok(())
}

/// The least cosine of an embedding with its golden one, over as many pairs as a load checks.
///
/// # Errors
/// [`ModelError`] if a picture cannot be read or the model does not run.
pub(in crate::model) fn least_cosine(
    model: Arc<Model>,
    golden: &Golden,
    folder: &Path,
) -> Result<f64, ModelError> {
    let mut witness = Witness::new(model);
    let mut least = 1.0f64;
    for pair in golden.pairs.iter().take(PAIRS) {
        least = least.min(cosine(witness.scorer.embed_tokens(&pair.ids)?, &pair.text));
        least = least.min(cosine(witness.embed(&pair.picture, folder)?, &pair.image));
    }
    Ok(least)
}

fn check_ids(scorer: &Scorer, place: usize, pair: &GoldenPair) -> Result<(), ModelError> {
    let ids = scorer.tokenize(&pair.caption)?;
    if ids == pair.ids {
        return Ok(());
    }
    let same = ids.iter().zip(&pair.ids).take_while(|(ours, theirs)| ours == theirs).count();
    let shown = |ids: &[i64]| ids.get(same).map_or("none".to_owned(), i64::to_string);
    Err(ModelError::SelfCheckTokens {
        pair: place,
        place: same,
        found: shown(&ids),
        wanted: shown(&pair.ids),
    })
}

fn check_embedding(
    model: &Model,
    side: Side,
    pair: usize,
    cosine: f64,
    min_cosine: f64,
) -> Result<(), ModelError> {
    // A NaN is below every bound.
    if cosine >= min_cosine {
        return Ok(());
    }
    let manifest = model.manifest();
    let file = match side {
        Side::Image => manifest.image.file.clone(),
        Side::Text => manifest.text.file.clone(),
    };
    Err(ModelError::SelfCheck { file, side, pair, cosine, min_cosine })
}
