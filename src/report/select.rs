//! Which pairs are shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pairgate_core::decision::Reason;
use pairgate_core::pair::Digest;

use super::{Card, Sheet};
use crate::disk::IoError;
use crate::journal::{Reader, Record};
use crate::replay::pooled_score;

/// Pairs from all over the scores, at equal ranks.
const ON_THE_SCALE: usize = 160;
/// Pairs closest to the threshold, on each side of it.
const BORDERLINE: usize = 16;
/// Pairs with the best, and with the worst, scores.
const EXTREME: usize = 16;
/// Pairs for each other reason.
const PER_REASON: usize = 8;

/// The pairs that are shown, by sheet.
#[derive(Debug)]
pub struct Chosen {
    sheets: Vec<(String, Vec<usize>)>,
    cards: Vec<(Card, Digest)>,
}

impl Chosen {
    /// Chooses among the records of journals. Memory: 16 bytes a scored pair.
    ///
    /// # Errors
    /// [`IoError`] if a journal cannot be read.
    pub(super) fn from(journals: &[PathBuf], threshold: Option<f32>) -> Result<Self, IoError> {
        let mut scored: Vec<(f32, usize)> = Vec::new();
        let mut reasons: BTreeMap<Reason, Vec<usize>> = BTreeMap::new();
        each(journals, |place, record| match pooled_score(record) {
            Some(score) => scored.push((score, place)),
            None => {
                let some = reasons.entry(record.reason).or_default();
                some.extend((some.len() < PER_REASON).then_some(place));
            }
        })?;
        scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut sheets = score_sheets(&scored, threshold);
        sheets
            .extend(reasons.into_iter().map(|(reason, places)| (reason.name().to_owned(), places)));
        Self::read(journals, sheets)
    }

    /// Reads the chosen records.
    fn read(journals: &[PathBuf], sheets: Vec<(String, Vec<usize>)>) -> Result<Self, IoError> {
        let mut wanted: Vec<usize> =
            sheets.iter().flat_map(|(_, places)| places).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut cards = Vec::new();
        each(journals, |place, record| {
            if wanted.binary_search(&place).is_ok() {
                cards.push((Card::of(record), record.facts.content));
            }
        })?;
        let index = |place: &usize| wanted.binary_search(place).unwrap_or(0);
        let sheets = sheets
            .iter()
            .map(|(name, places)| (name.clone(), places.iter().map(index).collect()))
            .collect();
        Ok(Self { sheets, cards })
    }

    /// The cards whose picture has this digest.
    pub(super) fn of_picture(&mut self, content: Digest) -> impl Iterator<Item = &mut Card> {
        let same = self.cards.iter_mut().filter(move |(_, digest)| *digest == content);
        same.map(|(card, _)| card)
    }

    /// Whether a picture with this digest is shown.
    pub(super) fn has(&self, content: Digest) -> bool {
        content != Digest::default() && self.cards.iter().any(|(_, digest)| *digest == content)
    }

    pub(super) fn sheets(&self) -> Vec<Sheet> {
        let cards = |places: &[usize]| {
            places.iter().filter_map(|place| Some(self.cards.get(*place)?.0.clone())).collect()
        };
        let sheets = self.sheets.iter().filter(|(_, places)| !places.is_empty());
        sheets.map(|(name, places)| Sheet { name: name.clone(), pairs: cards(places) }).collect()
    }
}

fn score_sheets(scored: &[(f32, usize)], threshold: Option<f32>) -> Vec<(String, Vec<usize>)> {
    let places = |part: &[(f32, usize)]| part.iter().map(|(_, place)| *place).collect::<Vec<_>>();
    let last = scored.len().saturating_sub(1);
    let steps = ON_THE_SCALE.min(scored.len());
    let ranks = (0..steps).map(|step| step * last / (steps - 1).max(1));
    let mut scale: Vec<usize> = ranks.map(|rank| scored[rank].1).collect();
    let mut best = places(&scored[scored.len().saturating_sub(EXTREME)..]);
    best.reverse();
    let worst = places(&scored[..EXTREME.min(scored.len())]);
    if let Some(threshold) = threshold {
        let at = scored.partition_point(|(score, _)| *score < threshold);
        let near = &scored[at.saturating_sub(BORDERLINE)..(at + BORDERLINE).min(scored.len())];
        scale.extend(places(near));
    }
    vec![("scale".into(), scale), ("best".into(), best), ("worst".into(), worst)]
}

/// Gives each record of the journals and its place among all of them.
fn each(journals: &[PathBuf], mut see: impl FnMut(usize, &Record)) -> Result<(), IoError> {
    let mut place = 0;
    for path in journals {
        for record in Reader::open(path)? {
            see(place, &record?);
            place += 1;
        }
    }
    Ok(())
}
