//! Pure scorers and weighted sums of their ranks: fitted where they are not, valued, and cut.

use super::SelectError;
use super::cut::{cut, held};
use super::is_high_good;
use super::passes::{sample, visit};
use super::walk::Walk;
use crate::select::expression::{Atom, Cut, Ending};
use crate::select::parts::{Band, Frozen, Part, Scorer};
use crate::select::pool::PoolPair;
use crate::select::{ranks, scorers};

impl Walk<'_, '_> {
    /// The pairs among `came` that a scorer keeps by its own cut.
    pub(super) fn cut_scorer(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        let is_fitted = self.is_fitted(place);
        let values = self.scorer(place, atom, came)?;
        let (kept, band) = cut(came, &values, ending.cut, is_high_good(atom.method));
        let Some(scorer) = self.scorer_mut(place) else { return Ok(kept) };
        // A share is one of this pool; all else is frozen.
        if is_fitted && !matches!(ending.cut, Some(Cut::Keep(_))) {
            return Ok(held(came, &values, scorer.band));
        }
        if !is_fitted {
            scorer.band = band;
        }
        Ok(kept)
    }

    /// Fits a scorer where it is not, and gives its value of each pair.
    fn scorer(&mut self, place: usize, atom: &Atom, came: &[u32]) -> Result<Vec<f32>, SelectError> {
        if !self.is_fitted(place) {
            let (measure, arrays) = self.fit_scorer(atom, came)?;
            let scorer = Scorer { measure, arrays, quantiles: Vec::new(), band: Band::ALL };
            self.freeze(place, Frozen::Scorer(scorer));
        }
        match self.parts[place].as_ref().and_then(Part::measure) {
            Some(measure) => self.values(atom.method, measure, came),
            None => Ok(came.iter().map(|place| self.index.scores[*place as usize]).collect()),
        }
    }

    fn scorer_mut(&mut self, place: usize) -> Option<&mut Scorer> {
        match self.parts[place].as_mut().map(|part| &mut part.frozen) {
            Some(Frozen::Scorer(scorer)) => Some(scorer),
            _ => None,
        }
    }

    fn fit_scorer(&mut self, atom: &Atom, came: &[u32]) -> Result<scorers::Fitted, SelectError> {
        let resources = self.resources.ok_or(SelectError::Empty)?;
        let (seed, team) = (self.seed, self.work.team);
        let uids = &self.index.uids;
        let mut pairs =
            |wanted: Option<usize>, each: &mut dyn FnMut(&PoolPair) -> Result<(), SelectError>| {
                let chosen = sample(uids, came, wanted.unwrap_or(came.len()), seed);
                visit(self.pool, &chosen, self.work.stop, &mut |_, pair| each(&pair))
            };
        scorers::fit(atom, resources, seed, team, &mut pairs)
    }

    /// The pairs among `came` whose weighted sum of ranks is kept.
    pub(super) fn ranks(
        &mut self,
        members: &[(f64, usize)],
        place: usize,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        let is_fitted = self.is_fitted(place);
        let mut sums = vec![0.0; came.len()];
        for (weight, member) in members {
            let Some(atom) = self.slots[*member].atom.clone() else { continue };
            let mut values = self.scorer(*member, &atom, came)?;
            if !is_high_good(atom.method) {
                values.iter_mut().for_each(|value| *value = -*value);
            }
            if let Some(scorer) = self.scorer_mut(*member).filter(|_| !is_fitted) {
                scorer.quantiles = ranks::quantiles(&values);
            }
            let ranks = ranks::ranks(&values);
            sums.iter_mut().zip(ranks).for_each(|(sum, rank)| *sum += weight * rank);
        }
        let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
        let (kept, band) = cut(came, &sums, ending.cut, true);
        match self.parts[place].as_ref().map(|part| &part.frozen) {
            Some(Frozen::Ranks(band)) if !matches!(ending.cut, Some(Cut::Keep(_))) => {
                Ok(held(came, &sums, *band))
            }
            Some(_) => Ok(kept),
            None => {
                self.freeze(place, Frozen::Ranks(band));
                Ok(kept)
            }
        }
    }
}
