//! Recorded scores that decide in the place of the model.

use std::path::Path;

use super::Failure;
use crate::disk::IoError;
use crate::journal::{Reader, Record, Terms};
use crate::source::SingleInput;
use crate::store::one_to_one::{Claim, JOURNAL, Kind, Marker, Names};

/// What the scores' settings may have otherwise: scores do not depend on it.
const APART: [&str; 3] = ["policy.", "screening=", "embeddings="];

/// The records of an input's scores in `folder`, which are those of the same input, model and settings.
pub fn records(
    folder: &Path,
    input: &SingleInput,
    claim: &Claim,
) -> Result<impl Iterator<Item = Result<Record, IoError>> + use<>, Failure> {
    let names = Names::new(folder, &input.name);
    let refuse = |why: String| {
        let (input, folder) = (input.path.display(), folder.display());
        Failure::Input(format!("{input}: its scores in {folder}: {why}").into())
    };
    let Some(marker) = Marker::read(&names)? else {
        let why = "there are none; give `pairgate score IN --one-to-one -o DIR` first";
        return Err(refuse(why.into()));
    };
    let of_another = marker.of_another(&Claim { kind: Kind::Score, ..claim.clone() });
    if !of_another.is_empty() {
        return Err(refuse(of_another.join("; ")));
    }
    if let Some(why) = marker.missing(&names) {
        return Err(refuse(why));
    }
    let journal = Reader::open(&names.path(JOURNAL))?;
    if let Some(why) = other_scores(journal.terms(), &claim.terms) {
        return Err(Failure::Fatal(format!("the scores in {}: {why}", folder.display()).into()));
    }
    Ok(journal)
}

/// Why these scores are not those that the model would give now.
fn other_scores(was: &Terms, now: &Terms) -> Option<String> {
    if let Some(why) = was.version_difference(now) {
        return Some(why);
    }
    let without_policy = |terms: &Terms| {
        let settings = terms.settings.iter();
        let scoring = settings.filter(|s| !APART.iter().any(|apart| s.starts_with(apart)));
        Terms { settings: scoring.cloned().collect(), threshold: None, ..terms.clone() }
    };
    let (was, now) = (without_policy(was), without_policy(now));
    let is_same = was.models.iter().map(|m| m.digest).eq(now.models.iter().map(|m| m.digest))
        && was.settings == now.settings;
    (!is_same).then(|| was.differences(&now).join("; "))
}
