//! Pairs of journals put into the clusters of a state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clusters::NONE;
use crate::disk::{IoError, unread, wrong};
use crate::journal::{Reader, Terms};
use crate::recorded::{ReadAs, RecordedRow, RecordedRun};
use crate::score::Row;
use crate::select::State;
use crate::select::centroids::Centroids;
use crate::select::parts::Frozen;

/// The cluster's number of each record, [`NONE`] where it is in none.
pub(super) fn numbers(journals: &[PathBuf], path: &Path) -> Result<Vec<u32>, IoError> {
    let state = &State::load(path)?;
    let refuse = |why: String| unread(path)(wrong(why));
    let (part, centroids) = clusters_of(state)
        .ok_or_else(|| refuse("it has no clusters: fit one with the method clusters".into()))?;
    let mut run = RecordedRun::open(journals, &ReadAs::default())?;
    let (has_embeddings, mut has_choices) = (run.embeddings().is_some(), false);
    let mut numbers = Vec::new();
    for at in journals {
        let mut journal = Reader::open(at)?;
        while let Some(record) = journal.next().transpose()? {
            check_model(state, journal.terms(), run.dimension()).map_err(refuse)?;
            let row = run.next()?.filter(|row| row.uid == record.uid).ok_or_else(|| {
                unread(at)(wrong(format!("its embeddings have not the pair {:?}", record.key)))
            })?;
            let own = record.choice.filter(|_| is_of(journal.terms(), state));
            has_choices |= own.is_some();
            let told = own.and_then(|choice| {
                let is_whole = choice.measures.len() == state.width();
                is_whole.then(|| state.values(part, &choice.measures).first().copied())?
            });
            // Numbers are at most 2^24, which a float holds.
            let number = told.map(|number| number as u32).or_else(|| nearest(&row, &centroids));
            numbers.push(number.unwrap_or(NONE));
        }
    }
    if !has_embeddings && !has_choices {
        return Err(refuse(
            "it did not select in this journal, and no embeddings lie beside it: record them \
             with --embeddings all"
                .into(),
        ));
    }
    Ok(numbers)
}

/// The part that has clusters, and their centroids.
fn clusters_of(state: &State) -> Option<(usize, Arc<Centroids>)> {
    let parts = || state.parts().iter().enumerate();
    let clusters = parts().find_map(|(place, part)| match &part.frozen {
        Frozen::Clusters(of) => Some((place, of.centroids.clone())),
        _ => None,
    });
    clusters.or_else(|| {
        parts().find_map(|(place, part)| match &part.frozen {
            Frozen::Duplicates(of) => Some((place, of.centroids.clone())),
            _ => None,
        })
    })
}

fn nearest(row: &RecordedRow, centroids: &Centroids) -> Option<u32> {
    let image = &row.embeddings.as_ref()?.image;
    let is_whole = image.iter().all(|value| value.is_finite());
    is_whole.then(|| centroids.nearest_to(&Row::of(image)).place)
}

fn is_of(terms: &Terms, state: &State) -> bool {
    let own = format!("select.state={}", state.digest());
    terms.settings.contains(&own)
}

fn check_model(state: &State, terms: &Terms, dimension: Option<usize>) -> Result<(), String> {
    let about = state.about();
    let name = terms.models.last().map_or("", |model| model.name.as_str());
    let dimension = dimension.unwrap_or(about.dimension as usize);
    state.check_model(name, terms.model(), dimension).map_err(|why| why.to_string())
}
