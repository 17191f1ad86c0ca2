//! The pairs that a bundle is checked with when it is loaded.

use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use super::{GOLDEN, Import};
use crate::model::Model;
use crate::model::ModelError;
use crate::model::bundle::new_bundle::NewBundle;
use crate::model::check::golden::{Golden, Picture};
use crate::model::check::own::{self, PAIRS, least_cosine};
use crate::model::check::selfcheck;

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
    let beside = variant.map_or(GOLDEN.to_owned(), |variant| format!("golden_{variant}.json"));
    let beside = import.folder.join(beside);
    let given = import.golden.clone().or_else(|| beside.exists().then_some(beside));
    let min_cosine = least_cosine(model.precision());
    let kept = given.as_deref().map(|path| checked(path, model, min_cosine)).transpose()?;
    let golden = match kept.flatten() {
        Some(golden) => golden,
        None => own::golden(model, own::usual(), "import")?,
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
