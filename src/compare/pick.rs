//! The pairs that changed most.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use pairgate_core::decision::Verdict;

use super::join::{Matched, Pair, Side};

/// How a pair changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Its verdict, from the first to the second.
    Verdict(u8, u8),
    /// Its score's rank rose, its verdict stayed.
    Rose,
    /// Its score's rank fell, its verdict stayed.
    Fell,
}

impl Change {
    fn of(sides: &[Side; 2], shift: Option<f64>) -> Option<Self> {
        let [old, new] = sides.map(|side| side.verdict);
        match shift {
            _ if old != new => Some(Self::Verdict(old as u8, new as u8)),
            Some(shift) if shift > 0.0 => Some(Self::Rose),
            Some(shift) if shift < 0.0 => Some(Self::Fell),
            _ => None,
        }
    }

    /// In words.
    pub fn name(self) -> String {
        let verdict = |code: u8| Verdict::ALL.get(usize::from(code)).map_or("", |v| v.name());
        match self {
            Self::Verdict(old, new) => format!("{} -> {}", verdict(old), verdict(new)),
            Self::Rose => "score rose".into(),
            Self::Fell => "score fell".into(),
        }
    }
}

/// Where a score stands among all of its run, so that scores of different models compare.
#[derive(Debug, Clone, Default)]
pub struct Ranks {
    sorted: [Vec<f32>; 2],
}

impl Ranks {
    /// Of pairs of scores.
    pub fn new(scores: Vec<(f32, f32)>) -> Self {
        let (mut old, mut new): (Vec<_>, Vec<_>) = scores.into_iter().unzip();
        old.sort_unstable_by(f32::total_cmp);
        new.sort_unstable_by(f32::total_cmp);
        Self { sorted: [old, new] }
    }

    /// The share of the scores of a run (0 or 1) that are below this one, equal ones by half.
    pub fn of(&self, run: usize, score: f32) -> f64 {
        let sorted = &self.sorted[run];
        let below = sorted.partition_point(|other| *other < score);
        let upto = sorted.partition_point(|other| *other <= score);
        (below + upto) as f64 / (2 * sorted.len().max(1)) as f64
    }
}

/// A pair that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// The pair.
    pub pair: Pair,
    /// How it changed.
    pub change: Change,
    /// Where its two scores stand among those of their runs, 0 to 1.
    pub ranks: [Option<f64>; 2],
}

impl Picked {
    /// By how much its rank rose; `None` where a score is missing.
    pub fn shift(&self) -> Option<f64> {
        Some(self.ranks[1]? - self.ranks[0]?)
    }

    /// The pair that changed more comes first.
    fn order(&self, other: &Self) -> Ordering {
        let size = |picked: &Self| picked.shift().map_or(-1.0, f64::abs);
        size(other).total_cmp(&size(self)).then(self.pair.uid.cmp(&other.pair.uid))
    }
}

/// Takes pairs, and keeps those of each change that changed most.
#[derive(Debug)]
pub struct Picks {
    ranks: Ranks,
    most: usize,
    found: BTreeMap<Change, Vec<Picked>>,
}

impl Picks {
    /// Keeps at most `most` of each change.
    pub fn new(ranks: Ranks, most: usize) -> Self {
        Self { ranks, most, found: BTreeMap::new() }
    }

    /// What was kept: by change, the most changed first.
    pub fn into_sorted(self) -> Vec<Picked> {
        let most = self.most;
        let sorted = self.found.into_values().map(|mut some| {
            keep_most(&mut some, most);
            some
        });
        sorted.flatten().collect()
    }
}

impl Matched for Picks {
    fn both(&mut self, pair: Pair) {
        let rank = |run: usize| {
            let side = pair.sides[run];
            side.score.filter(|_| side.is_pooled).map(|score| self.ranks.of(run, score))
        };
        let ranks = [rank(0), rank(1)];
        let shift = ranks[0].zip(ranks[1]).map(|(old, new)| new - old);
        let Some(change) = Change::of(&pair.sides, shift).filter(|_| self.most > 0) else { return };
        let some = self.found.entry(change).or_default();
        some.push(Picked { pair, change, ranks });
        if some.len() >= 2 * self.most + 64 {
            keep_most(some, self.most);
        }
    }

    fn only(&mut self, _: usize, _: Side) {}
}

fn keep_most(some: &mut Vec<Picked>, most: usize) {
    some.sort_by(Picked::order);
    some.truncate(most);
}
