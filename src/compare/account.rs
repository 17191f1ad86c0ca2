//! Sums over the pairs of two runs.

use std::collections::{BTreeMap, HashMap};

use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::Uid;
use pairgate_core::stats::Counts;

use super::join::{Matched, Pair, Side};
use super::overlap::mixed;
use super::pick::Ranks;
use super::rank::{kendall, spearman};
use super::read::Rows;
use super::row::Row;
use crate::journal::Terms;
use crate::replay::Confusion;

/// Pairs of scores that are held for correlations and plots: 24 MB. Of more, those with the least
/// hashes of their uids, a fair sample.
pub const MOST_POINTS: usize = 1 << 20;
/// Sources that are counted by name; the others are counted together.
const MOST_SOURCES: usize = 100_000;
/// What they are called.
const OTHERS: &str = "other sources";

/// How the verdicts of a pair's two runs stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Neither keeps it.
    Neither = 0,
    /// Both keep it.
    Both = 1,
    /// The earlier one alone keeps it.
    Lost = 2,
    /// The later one alone keeps it.
    Won = 3,
}

impl Class {
    /// Of what two runs say.
    pub fn of(sides: &[Side; 2]) -> Self {
        match sides.map(|side| side.verdict == Verdict::Kept) {
            [false, false] => Self::Neither,
            [true, true] => Self::Both,
            [true, false] => Self::Lost,
            [false, true] => Self::Won,
        }
    }
}

/// One run by itself.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// All its pairs, decided.
    pub counts: Counts,
    /// Pairs with a score that a threshold decides on.
    pub scored: u64,
    /// Pairs that the other run does not have.
    pub only: u64,
    /// Of these, kept ones.
    pub only_kept: u64,
    /// What decided at its end; `None` of files of scores.
    pub terms: Option<Terms>,
    /// The threshold at its end, where one decided.
    pub threshold: Option<f32>,
    /// Whether a threshold decided at all.
    pub is_decided: bool,
    /// Rows whose uid is none.
    pub malformed: u64,
    /// The first pair.
    first: Option<Row>,
}

/// Pairs of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceSum {
    /// Pairs that are in both runs.
    pub pairs: u64,
    /// Those that each run keeps.
    pub kept: [u64; 2],
    /// Those whose verdict differs.
    pub changed: u64,
}

/// Pairs of scores.
#[derive(Debug, Clone)]
pub struct Points {
    points: Vec<(u64, (f32, f32), Class)>,
    /// Hashes above are left out.
    limit: u64,
    seen: u64,
    most: usize,
}

impl Default for Points {
    fn default() -> Self {
        Self { points: Vec::new(), limit: u64::MAX, seen: 0, most: MOST_POINTS }
    }
}

impl Points {
    /// An empty one that holds at most `most`.
    pub fn with_most(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Adds the scores of a pair.
    pub fn add(&mut self, uid: &Uid, scores: (f32, f32), class: Class) {
        self.seen += 1;
        let hash = mixed(uid);
        if hash > self.limit {
            return;
        }
        self.points.push((hash, scores, class));
        while self.points.len() > self.most && self.limit > 0 {
            self.limit /= 2;
            self.points.retain(|point| point.0 <= self.limit);
        }
    }

    /// Pairs that had two scores.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether all of them are held.
    pub fn is_exact(&self) -> bool {
        self.seen == self.points.len() as u64
    }

    /// The scores that are held.
    pub fn scores(&self) -> Vec<(f32, f32)> {
        self.points.iter().map(|point| point.1).collect()
    }

    /// The same with what became of the pair.
    pub fn classed(&self) -> impl Iterator<Item = ((f32, f32), Class)> + '_ {
        self.points.iter().map(|point| (point.1, point.2))
    }
}

/// The sums.
#[derive(Debug, Default)]
pub struct Account {
    /// Each run by itself, the earlier one first.
    pub runs: [Totals; 2],
    /// Verdicts of the pairs that are in both.
    pub confusion: Confusion,
    /// Pairs whose reason differs, by both reasons.
    pub reasons: BTreeMap<(Reason, Reason), u64>,
    /// Pairs that both scored, where the score alone decides.
    pub points: Points,
    sources: HashMap<String, SourceSum>,
    common: u64,
}

impl Account {
    /// Pairs that are in both runs.
    pub fn common(&self) -> u64 {
        self.common
    }

    /// By source, the one with the most pairs first.
    pub fn sources(&self) -> Vec<(&str, SourceSum)> {
        let mut rows: Vec<_> =
            self.sources.iter().map(|(name, sum)| (name.as_str(), *sum)).collect();
        rows.sort_unstable_by(|a, b| b.1.pairs.cmp(&a.1.pairs).then(a.0.cmp(b.0)));
        rows
    }

    /// By reasons, the most pairs first.
    pub fn reasons(&self) -> Vec<((Reason, Reason), u64)> {
        let mut rows: Vec<_> =
            self.reasons.iter().map(|(reasons, count)| (*reasons, *count)).collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        rows
    }

    /// Spearman's and Kendall's rank correlation of the scores.
    pub fn correlations(&self) -> (Option<f64>, Option<f64>) {
        let scores = self.points.scores();
        (spearman(&scores), kendall(&scores))
    }

    /// What differs in the runs' terms, in words; `None` where one of them tells no terms.
    pub fn differences(&self) -> Option<Vec<String>> {
        let [Some(old), Some(new)] = self.runs.each_ref().map(|run| run.terms.as_ref()) else {
            return None;
        };
        let mut old = old.clone();
        if new.program.is_empty() {
            // A table of scores tells no settings.
            old.program.clear();
        }
        let mut found = old.differences(new);
        let are_known = old.decision_version != 0 && new.decision_version != 0;
        found.extend(old.version_difference(new).filter(|_| are_known));
        Some(found)
    }

    /// Whether both runs are known to have the scores of one model.
    pub fn is_one_model(&self) -> bool {
        let models = self.runs.each_ref().map(|run| run.terms.as_ref().map(Terms::model));
        models[0].is_some() && models[0] == models[1]
    }

    pub(super) fn ranks(&self) -> Ranks {
        Ranks::new(self.points.scores())
    }

    pub(super) fn samples(&mut self) -> [Option<Row>; 2] {
        self.runs.each_mut().map(|run| run.first.take())
    }

    /// Notes what the rows tell of their runs, when they have been read.
    pub(super) fn note(&mut self, rows: &[Rows; 2]) {
        for (run, rows) in self.runs.iter_mut().zip(rows) {
            run.terms = rows.terms();
            run.threshold = rows.threshold();
            run.is_decided = rows.is_decided();
            run.malformed = rows.malformed();
        }
    }
}

impl Matched for Account {
    fn both(&mut self, pair: Pair) {
        let [old, new] = pair.sides;
        self.common += 1;
        self.confusion.count_one(old.verdict, new.verdict);
        if old.reason != new.reason {
            *self.reasons.entry((old.reason, new.reason)).or_default() += 1;
        }
        if let (Some(a), Some(b), true) = (old.score, new.score, old.is_pooled && new.is_pooled) {
            self.points.add(&pair.uid, (a, b), Class::of(&pair.sides));
        }
        let is_known = self.sources.contains_key(&pair.shard) || self.sources.len() < MOST_SOURCES;
        let name = if is_known { pair.shard } else { OTHERS.to_owned() };
        let sum = self.sources.entry(name).or_default();
        sum.pairs += 1;
        sum.changed += u64::from(old.verdict != new.verdict);
        for (kept, side) in sum.kept.iter_mut().zip([old, new]) {
            *kept += u64::from(side.verdict == Verdict::Kept);
        }
    }

    fn only(&mut self, run: usize, side: Side) {
        self.runs[run].only += 1;
        self.runs[run].only_kept += u64::from(side.verdict == Verdict::Kept);
    }

    fn read(&mut self, run: usize, row: &Row) {
        let run = &mut self.runs[run];
        run.scored += u64::from(row.pooled_score().is_some());
        let facts = Facts::default();
        run.counts.add(&Decision { verdict: row.verdict, reason: row.reason, facts });
        if run.first.is_none() {
            run.first = Some(row.clone());
        }
    }
}
