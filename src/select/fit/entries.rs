//! Balancing by what captions speak of.

use std::sync::Arc;

use super::passes::visit;
use super::walk::Walk;
use super::{SelectError, captionless};
use crate::select::entries::{Entries, tail_threshold};
use crate::select::expression::Atom;
use crate::select::parts::{Frozen, Part};
use crate::select::random::draw_share;

impl Walk<'_, '_> {
    /// The pairs among `came` that are drawn.
    pub(super) fn entries(
        &mut self,
        place: usize,
        atom: &Atom,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        if !self.is_fitted(place) {
            let entries = self.count_entries(atom, came)?;
            self.freeze(place, Frozen::Entries(Arc::new(entries)));
        }
        let Some(Part { frozen: Frozen::Entries(entries), .. }) = self.parts[place].clone() else {
            return Ok(came.to_vec());
        };
        let mut kept = Vec::new();
        visit(self.pool, came, self.work.stop, &mut |row, pair| {
            let caption = pair.caption.as_deref().ok_or_else(|| captionless("entries"))?;
            // As the stream has it: in f32.
            let probability = f64::from(entries.probability(caption) as f32);
            if draw_share(entries.seed(), &pair.uid) < probability {
                kept.push(row);
            }
            Ok(())
        })?;
        Ok(kept)
    }

    fn count_entries(&mut self, atom: &Atom, came: &[u32]) -> Result<Entries, SelectError> {
        let names = self.resources.map(|resources| resources.entries.clone());
        let mut entries = Entries::new(names.unwrap_or_default(), self.seed)?;
        visit(self.pool, came, self.work.stop, &mut |_, pair| {
            let caption = pair.caption.as_deref().ok_or_else(|| captionless("entries"))?;
            entries.count(caption);
            Ok(())
        })?;
        let threshold = match atom.said_number("threshold") {
            Some(threshold) => threshold,
            None => tail_threshold(entries.counts(), atom.number("tail")) as f64,
        };
        entries.set_threshold(threshold);
        Ok(entries)
    }
}
