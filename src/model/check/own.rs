//! Golden pairs by the model itself, where no other software says them: they show later that nothing has
//! changed since.

use std::path::Path;
use std::sync::Arc;

use super::golden::{FORMAT, Golden, GoldenPair, Picture};
use super::witness::Witness;
use crate::model::{Model, ModelError, Precision};

/// Pairs that a bundle keeps for its self-check.
pub(in crate::model) const PAIRS: usize = 8;

/// Smallest cosine of an embedding and that in the golden file. For floats it is so close to 1
/// because a GELU in place of a quick one stays above 0.9999 in some towers. For codes it is far
/// from 1 because roundings multiply with depth: onnxruntime with and without its optimizer agrees
/// with itself to 0.981 on a static int8 SigLIP-B/16 of random weights. What is wrong is further off.
pub(in crate::model) fn least_cosine(precision: Precision) -> f64 {
    match precision {
        Precision::Float => 0.999_999,
        Precision::Half => 0.9999,
        Precision::Codes | Precision::Int8 => 0.95,
    }
}

/// Made pictures and captions, where a bundle brings none.
pub(in crate::model) fn usual() -> Vec<(Picture, String)> {
    const CAPTIONS: [&str; 2] = ["a dog on a beach", "two red chairs and a table in the snow"];
    let picture = |seed| Picture::Made { width: 320, height: 240, seed };
    (1..).zip(CAPTIONS).map(|(seed, caption)| (picture(seed), caption.to_owned())).collect()
}

/// What the model says now of pictures that are made and of captions; `when` ends the line that tells who
/// made the file.
///
/// # Errors
/// [`ModelError`] if the model does not run.
pub(in crate::model) fn golden(
    model: &Arc<Model>,
    pairs: Vec<(Picture, String)>,
    when: &str,
) -> Result<Golden, ModelError> {
    let mut witness = Witness::new(model.clone());
    let mut said = |(picture, caption): (Picture, String)| {
        let ids = witness.scorer.tokenize(&caption)?;
        Ok(GoldenPair {
            image: witness.embed(&picture, Path::new(""))?.to_vec(),
            text: witness.scorer.embed_tokens(&ids)?.to_vec(),
            picture,
            caption,
            ids,
        })
    };
    let pairs = pairs.into_iter().map(&mut said).collect::<Result<_, ModelError>>()?;
    let made_by = format!("pairgate {} at {when}", env!("CARGO_PKG_VERSION"));
    Ok(Golden { format: FORMAT, made_by, pairs })
}
