//! Quotas by shard or metadata field.

use std::collections::BTreeMap;

use super::SelectError;
use super::cut::cut;
use super::passes::visit;
use super::walk::Walk;
use crate::select::expression::{Atom, Cut, Ending};
use crate::select::parts::Frozen;
use crate::select::sources::{
    self, By, MOST_FOLLOWED, MOST_SOURCES, Member, Rule, Shared, Sources,
};

impl Walk<'_, '_> {
    /// The pairs among `came` that the quotas of their sources keep.
    pub(super) fn sources(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        let sources = match self.parts[place].as_ref().map(|part| &part.frozen) {
            Some(Frozen::Sources(sources)) => sources.clone(),
            _ => self.named_sources(atom, came)?,
        };
        let by = By::named(&sources.by);
        let mut members = Vec::with_capacity(came.len());
        visit(self.pool, came, self.work.stop, &mut |row, pair| {
            let name = by.of(&pair.shard, pair.metadata.as_ref());
            let source = sources.place(name.as_deref());
            members.push(Member { row, source, score: pair.score });
            Ok(())
        })?;
        let Some(Cut::Keep(keep)) = ending.cut else { return Ok(came.to_vec()) };
        let rule = Rule {
            keep,
            power: atom.number("power"),
            least: atom.number("least") as u64,
            most: atom.number("most"),
        };
        let shared = sources::share(&mut members, sources.names.len() + 1, rule)
            .map_err(|why| SelectError::Quota { method: "sources", why })?;
        if self.is_fitted(place) {
            return Ok(shared.kept);
        }
        let kept = shared.kept.clone();
        self.freeze(place, Frozen::Sources(with_cuts(sources, shared, &members, ending.cut)));
        Ok(kept)
    }

    /// The sources that have a place of their own, without cuts.
    fn named_sources(&mut self, atom: &Atom, came: &[u32]) -> Result<Sources, SelectError> {
        let word = atom.word("by").unwrap_or("shard").to_owned();
        let by = By::named(&word);
        let follows = atom.number("follow") == 1.0;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        visit(self.pool, came, self.work.stop, &mut |_, pair| {
            let Some(name) = by.of(&pair.shard, pair.metadata.as_ref()) else { return Ok(()) };
            // Names are not bounded: those that come when there are many are not counted.
            if counts.len() < 16 * MOST_SOURCES || counts.contains_key(&name) {
                *counts.entry(name).or_default() += 1;
            }
            Ok(())
        })?;
        let names = sources::frequent(counts, if follows { MOST_FOLLOWED } else { MOST_SOURCES });
        Ok(Sources {
            by: word,
            cuts: vec![f32::INFINITY; names.len() + 1],
            members: Vec::new(),
            quotas: Vec::new(),
            quantiles: Vec::new(),
            names,
            follows,
        })
    }
}

/// The sources with what was found of them; `members` are sorted by source, the best of each first.
fn with_cuts(
    mut sources: Sources,
    shared: Shared,
    members: &[Member],
    cut: Option<Cut>,
) -> Sources {
    let mut rest = members;
    for size in &shared.members {
        let (own, after) = rest.split_at(*size as usize);
        let scores: Vec<f32> = own.iter().rev().map(|member| member.score).collect();
        sources.quantiles.extend(sources::deciles(&scores));
        rest = after;
    }
    (sources.members, sources.quotas) = (shared.members, shared.quotas);
    sources.cuts = shared.cuts;
    // A source that comes later is cut as all are together.
    if let (Some(0), Some(last)) = (sources.members.last(), sources.cuts.last_mut()) {
        let scores: Vec<f32> = members.iter().map(|member| member.score).collect();
        let rows: Vec<u32> = (0..scores.len() as u32).collect();
        *last = self::cut(&rows, &scores, cut, true).1.low;
    }
    sources
}
