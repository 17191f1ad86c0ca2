//! The walk through an expression over a pool: each part in its turn, on the pairs that come to it.

use pairgate_core::decision::Reason;

use super::passes::Index;
use super::{SelectError, Step, Told, Work};
use crate::select::expression::{Atom, Ending};
use crate::select::parts::{Frozen, Node, Part, RANKS, Slot, reason_of};
use crate::select::pool::Pool;
use crate::select::scorers::Resources;

/// What is at hand on the way.
pub(super) struct Walk<'a, 'w> {
    pub pool: &'a mut dyn Pool,
    pub slots: &'a [Slot],
    /// Those that are fitted already; all of them where nothing is to be fitted.
    pub parts: Vec<Option<Part>>,
    pub index: Index,
    /// What speaks against each pair so far: the first method that left it out.
    pub reasons: Vec<Reason>,
    /// Where parts are fitted.
    pub resources: Option<&'a Resources>,
    pub seed: u64,
    pub dimension: usize,
    pub work: Work<'w>,
    pub steps: Vec<Step>,
}

impl Walk<'_, '_> {
    /// The pairs among `came` that pass.
    pub fn node(&mut self, node: &Node, came: Vec<u32>) -> Result<Vec<u32>, SelectError> {
        match node {
            Node::All(nodes) => nodes.iter().try_fold(came, |came, node| self.node(node, came)),
            Node::Any(nodes) => {
                let mut kept = vec![false; self.index.uids.len()];
                for node in nodes {
                    for place in self.node(node, came.clone())? {
                        kept[place as usize] = true;
                    }
                }
                let came: Vec<u32> =
                    came.into_iter().filter(|place| kept[*place as usize]).collect();
                came.iter().for_each(|place| self.reasons[*place as usize] = Reason::Passed);
                Ok(came)
            }
            Node::Leaf(place) => {
                let slot = self.slots[*place].clone();
                let Some(atom) = &slot.atom else { return Ok(came) };
                (self.work.tell)(Told::Method(atom.method));
                let kept = self.leaf(*place, atom, slot.ending, &came)?;
                Ok(self.step(atom.method, slot.ending, came, kept))
            }
            Node::Ranks(members, place) => {
                (self.work.tell)(Told::Method(RANKS));
                let ending = self.slots[*place].ending;
                let kept = self.ranks(members, *place, ending, &came)?;
                Ok(self.step(RANKS, ending, came, kept))
            }
        }
    }

    fn step(
        &mut self,
        method: &'static str,
        ending: Ending,
        came: Vec<u32>,
        kept: Vec<u32>,
    ) -> Vec<u32> {
        let counts = (came.len() as u64, kept.len() as u64);
        self.steps.push(Step { method, came: counts.0, kept: counts.1, flags: ending.flags });
        if ending.flags {
            return came;
        }
        let mut stays = kept.iter().peekable();
        for place in &came {
            let reason = &mut self.reasons[*place as usize];
            if stays.next_if_eq(&place).is_none() && *reason == Reason::Passed {
                *reason = reason_of(method);
            }
        }
        kept
    }

    fn leaf(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        match atom.method {
            "clusters" => self.clusters(place, atom, ending, came),
            "duplicates" => self.duplicates(place, atom, came),
            "sources" => self.sources(place, atom, ending, came),
            "entries" => self.entries(place, atom, came),
            _ => self.cut_scorer(place, atom, ending, came),
        }
    }

    /// Whether a part is frozen already.
    pub fn is_fitted(&self, place: usize) -> bool {
        self.parts[place].is_some()
    }

    /// Freezes a part.
    pub fn freeze(&mut self, place: usize, frozen: Frozen) {
        let name = self.slots[place].name().to_owned();
        self.parts[place] = Some(Part { name, frozen });
    }
}
