//! The choice of the next pair by a state: what the stream and the offline check both make.

use std::sync::Arc;

use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::State;
use super::duplicates::{Rings, SavedRing};
use super::parts::{Frozen, Node, Scorer, reason_of};
use super::random::draw_share;
use super::ranks;
use super::sources::{By, Followed};
use crate::journal::Choice;
use crate::score::Row;

/// What is known of a pair that threshold and rules let pass.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its place in the run.
    pub ticket: u64,
    /// Its identity.
    pub uid: Uid,
    /// Its score.
    pub score: f32,
    /// What the state's measures gave ([`State::measures`]).
    pub measures: &'a [f32],
    /// Its picture's embedding, where the state needs it ([`State::needs_embeddings`]).
    pub image: Option<&'a Row>,
    /// The shard, folder or manifest that it came from.
    pub shard: &'a str,
    /// Its metadata, where the state needs them ([`State::needs_metadata`]).
    pub metadata: Option<&'a Value>,
}

/// What a chooser that goes on takes in of a pair that was decided before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Lesson {
    /// A kept pair that a ring remembers.
    Kept { part: u32, cluster: u32, scale: f32, codes: Vec<i8> },
    /// The score of a pair of a source.
    Score { part: u32, source: u32, score: f32 },
}

/// What a part has learnt.
#[derive(Debug)]
enum Moving {
    Nothing,
    Rings(Rings),
    Sources(Followed),
}

/// The same, saved.
#[derive(Serialize, Deserialize)]
enum Saved {
    Nothing,
    Rings(Vec<SavedRing>),
    Sources(Vec<(f32, Vec<u8>)>),
}

/// Chooses pair by pair.
#[derive(Debug)]
pub struct Chooser {
    state: Arc<State>,
    moving: Vec<Moving>,
}

/// What a pair has come to so far.
#[derive(Default)]
struct Found {
    choice: Choice,
    lessons: Vec<Lesson>,
    flags: Vec<Reason>,
}

impl Chooser {
    /// One that has learnt nothing yet.
    pub fn new(state: Arc<State>) -> Self {
        let moving = |frozen: &Frozen| match frozen {
            Frozen::Duplicates(of) => Moving::Rings(Rings::new(of)),
            Frozen::Sources(of) if of.follows => Moving::Sources(Followed::new(of)),
            _ => Moving::Nothing,
        };
        let moving = state.parts().iter().map(|part| moving(&part.frozen)).collect();
        Self { state, moving }
    }

    /// The state that chooses.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Whether the pair is chosen: [`Reason::Passed`], or why it is not, and what that rests on. `None`
    /// where the state's values are not there.
    pub fn choose(&mut self, seen: &Seen<'_>) -> Option<(Reason, Choice)> {
        let state = self.state.clone();
        if seen.measures.len() != state.width()
            || (state.needs_embeddings() && seen.image.is_none())
        {
            return None;
        }
        let mut found = Found::default();
        found.choice.measures = seen.measures.to_vec();
        let judged = self.node(&state, state.root(), seen, &mut found);
        let reason = judged.err().unwrap_or(Reason::Passed);
        if reason == Reason::Passed {
            self.remember(&state, seen, &mut found);
        }
        let Found { mut choice, lessons, mut flags } = found;
        flags.dedup();
        choice.flags = flags.into_iter().map(|flag| flag as u8).collect();
        if !lessons.is_empty() {
            choice.learnt = postcard::to_allocvec(&lessons).unwrap_or_default();
        }
        Some((reason, choice))
    }

    fn node(
        &mut self,
        state: &State,
        node: &Node,
        seen: &Seen<'_>,
        found: &mut Found,
    ) -> Result<(), Reason> {
        match node {
            Node::All(nodes) => {
                nodes.iter().try_for_each(|node| self.node(state, node, seen, found))
            }
            Node::Any(nodes) => {
                let mut first = None;
                for node in nodes {
                    match self.node(state, node, seen, found) {
                        Ok(()) => return Ok(()),
                        Err(reason) => first = first.or(Some(reason)),
                    }
                }
                first.map_or(Ok(()), Err)
            }
            Node::Leaf(part) => {
                let judged = self.part(state, *part, seen, found);
                flagged(state, *part, judged, found)
            }
            Node::Ranks(members, part) => {
                let sum =
                    members.iter().map(|(weight, member)| weight * rank_of(state, *member, seen));
                // In f32, as it was cut at the fit.
                let sum = sum.sum::<f64>() as f32;
                let holds = match &state.parts()[*part].frozen {
                    Frozen::Ranks(band) => band.holds(sum),
                    _ => false,
                };
                let judged = if holds { Ok(()) } else { Err(Reason::NotSelected) };
                flagged(state, *part, judged, found)
            }
        }
    }

    fn part(
        &mut self,
        state: &State,
        part: usize,
        seen: &Seen<'_>,
        found: &mut Found,
    ) -> Result<(), Reason> {
        let values = state.values(part, seen.measures);
        let first = values.first().copied().unwrap_or(f32::NAN);
        let unless = |holds: bool, reason: Reason| if holds { Ok(()) } else { Err(reason) };
        match &state.parts()[part].frozen {
            Frozen::Scorer(scorer) => {
                let reason = reason_of(&state.parts()[part].name);
                unless(scorer.band.holds(value_of(scorer, first, seen)), reason)
            }
            Frozen::Ranks(_) => Ok(()),
            Frozen::Clusters(clusters) => {
                let distance = values.get(1).copied().unwrap_or(f32::NAN);
                let cluster = place(first);
                found.choice.group = found.choice.group.or(Some(cluster));
                unless(clusters.keeps(cluster, distance), Reason::OverQuota)
            }
            Frozen::Duplicates(of) => {
                let (Moving::Rings(rings), Some(row)) = (&self.moving[part], seen.image) else {
                    return Ok(());
                };
                let second = values.get(2).copied().unwrap_or(first);
                let likest = rings.likest([place(first), place(second)], row);
                match likest.filter(|(_, similarity)| of.are_alike(f64::from(*similarity))) {
                    Some((ticket, _)) => {
                        found.choice.like = Some(ticket);
                        Err(Reason::NearDuplicate)
                    }
                    None => Ok(()),
                }
            }
            Frozen::Sources(sources) => {
                let name = By::named(&sources.by).of(seen.shard, seen.metadata);
                let source = sources.place(name.as_deref());
                found.choice.group = found.choice.group.or(Some(source));
                let cut = match &mut self.moving[part] {
                    Moving::Sources(followed) => {
                        let cut = followed.cut(source);
                        followed.take(sources, source, seen.score);
                        let (part, score) = (part as u32, seen.score);
                        found.lessons.push(Lesson::Score { part, source, score });
                        cut
                    }
                    _ => sources.cuts.get(source as usize).copied().unwrap_or(f32::INFINITY),
                };
                unless(seen.score >= cut, Reason::OverQuota)
            }
            Frozen::Entries(entries) => {
                let is_drawn = draw_share(entries.seed(), &seen.uid) < f64::from(first);
                unless(is_drawn, Reason::NotDrawn)
            }
        }
    }

    /// Every ring remembers a pair that is kept.
    fn remember(&mut self, state: &State, seen: &Seen<'_>, found: &mut Found) {
        let Some(row) = seen.image else { return };
        for (part, moving) in self.moving.iter_mut().enumerate() {
            let Moving::Rings(rings) = moving else { continue };
            let Some(first) = state.values(part, seen.measures).first() else { continue };
            let cluster = place(*first);
            rings.remember(cluster, seen.ticket, row);
            let (scale, codes) = (row.scale(), row.codes().to_vec());
            found.lessons.push(Lesson::Kept { part: part as u32, cluster, scale, codes });
        }
    }

    /// Takes in what a pair that was decided before had taught.
    pub fn learn_again(&mut self, ticket: u64, choice: &Choice) {
        let lessons: Vec<Lesson> = postcard::from_bytes(&choice.learnt).unwrap_or_default();
        let state = self.state.clone();
        for lesson in lessons {
            match lesson {
                Lesson::Kept { part, cluster, scale, codes } => {
                    if let Some(Moving::Rings(rings)) = self.moving.get_mut(part as usize) {
                        rings.remember(cluster, ticket, &Row::from_parts(codes.into(), scale));
                    }
                }
                Lesson::Score { part, source, score } => {
                    let part = part as usize;
                    if let Some(Moving::Sources(followed)) = self.moving.get_mut(part)
                        && let Frozen::Sources(sources) = &state.parts()[part].frozen
                    {
                        followed.take(sources, source, score);
                    }
                }
            }
        }
    }

    /// All that was learnt; empty where nothing is ever learnt.
    pub fn saved(&mut self) -> Vec<u8> {
        if self.state.moving().is_none() {
            return Vec::new();
        }
        let save = |moving: &mut Moving| match moving {
            Moving::Nothing => Saved::Nothing,
            Moving::Rings(rings) => Saved::Rings(rings.saved()),
            Moving::Sources(followed) => Saved::Sources(followed.saved()),
        };
        let saved: Vec<Saved> = self.moving.iter_mut().map(save).collect();
        let bytes = postcard::to_allocvec(&saved).unwrap_or_default();
        // Saving a sketch sorts it: this run goes on as one that is restored will.
        self.restore(&bytes);
        bytes
    }

    /// Goes on from what [`saved`](Self::saved) gave; `false`, and nothing is changed, where the bytes are
    /// none of this state.
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        let Ok(saved) = postcard::from_bytes::<Vec<Saved>>(bytes) else { return false };
        if saved.len() != self.moving.len() {
            return false;
        }
        let parts = saved.into_iter().zip(self.state.parts());
        let restored = parts.map(|(saved, part)| match (saved, &part.frozen) {
            (Saved::Rings(rings), Frozen::Duplicates(of)) => {
                Rings::restored(of, rings).map(Moving::Rings)
            }
            (Saved::Sources(saved), Frozen::Sources(of)) if of.follows => {
                Followed::restored(of, &saved).map(Moving::Sources)
            }
            (Saved::Nothing, Frozen::Duplicates(_)) => None,
            (Saved::Nothing, Frozen::Sources(of)) if of.follows => None,
            (Saved::Nothing, _) => Some(Moving::Nothing),
            _ => None,
        });
        let Some(restored) = restored.collect::<Option<Vec<_>>>() else { return false };
        self.moving = restored;
        true
    }

    /// Forgets all that was learnt.
    pub fn forget(&mut self) {
        *self = Self::new(self.state.clone());
    }
}

/// The place that a value stands for.
fn place(value: f32) -> u32 {
    // A cast of what is no number is 0; places are at most 2^24, which a float holds.
    value as u32
}

/// The value that a scorer is cut by.
fn value_of(scorer: &Scorer, first: f32, seen: &Seen<'_>) -> f32 {
    if scorer.measure.is_some() { first } else { seen.score }
}

/// The rank of a member's value, the best at 1.
fn rank_of(state: &State, member: usize, seen: &Seen<'_>) -> f64 {
    let part = &state.parts()[member];
    let Frozen::Scorer(scorer) = &part.frozen else { return 0.0 };
    let first = state.values(member, seen.measures).first().copied().unwrap_or(f32::NAN);
    let value = value_of(scorer, first, seen);
    // One whose low values are good is turned round.
    let value = if super::fit::is_high_good(&part.name) { value } else { -value };
    ranks::rank(&scorer.quantiles, value)
}

/// The judgement, or a flag in its place where the part flags.
fn flagged(
    state: &State,
    part: usize,
    judged: Result<(), Reason>,
    found: &mut Found,
) -> Result<(), Reason> {
    match judged {
        Err(reason) if state.slots()[part].ending.flags => {
            found.flags.push(reason);
            Ok(())
        }
        judged => judged,
    }
}
