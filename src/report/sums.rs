//! What a journal's records come to: counts and scores, all of them, by source and by cluster.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::Digest;
use pairgate_core::stats::Counts;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::disk::IoError;
use crate::journal::{Header, Reader, Record, Terms};
use crate::replay::pooled_score;

use super::clusters::{Clusters, Told};

/// Points of the scores' distribution that the page holds where there are more scores: the counts
/// that the slider shows are then right to within 1 in so many.
const MOST_SCORES: usize = 50_000;
/// The same of each source and cluster.
const MOST_OF_A_GROUP: usize = 2_000;
/// Sources, and clusters, that are named; the others are counted together.
pub(super) const MOST_GROUPS: usize = 30;

/// What the records come to.
#[derive(Debug)]
pub(super) struct Sums {
    pub counts: Counts,
    /// Scores that a threshold decides on, ascending.
    pub scores: Vec<f32>,
    /// Those of them that a state did not select, by the reason, ascending.
    unselected: BTreeMap<Reason, Vec<f32>>,
    /// The sources, the largest first; behind [`MOST_GROUPS`] of them one for all others.
    pub sources: Vec<Group>,
    /// The same of the clusters, where pairs are in any, and one for pairs that are in none.
    pub clusters: Option<(Clusters, Vec<Group>)>,
    /// Of the last record.
    pub terms: Option<Terms>,
    /// The threshold of the last record.
    pub threshold: Option<f32>,
    /// Of the first journal.
    pub header: Option<Header>,
    /// Names what was read: the same records give the same one.
    pub digest: Digest,
}

/// The pairs of one source or cluster.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub name: String,
    /// The cluster's number.
    pub number: Option<u32>,
    counts: Counts,
    scores: Vec<f32>,
    unselected: Vec<f32>,
}

/// The numbers of the page.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pairs: u64,
    kept: u64,
    rejected: u64,
    failed: u64,
    /// Scores that a threshold decides on, ascending, or points at equal ranks of them.
    scores: Vec<f32>,
    /// How many they are.
    scored: u64,
    /// The same of those that a state did not select.
    unselected: u64,
    unselected_scores: Vec<f32>,
    reasons: Vec<ReasonRow>,
    /// What pairs are told apart by; each pair is in one row of each grouping. The page shows any
    /// number of them, by choice: what else a journal tells pairs apart by is one more.
    groupings: Vec<Grouping>,
}

#[derive(Debug, Serialize)]
struct ReasonRow {
    verdict: &'static str,
    reason: &'static str,
    count: u64,
    /// Where it is one of selection: the scores, as those of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<f32>>,
}

#[derive(Debug, Serialize)]
struct Grouping {
    by: &'static str,
    rows: Vec<GroupRow>,
}

#[derive(Debug, Serialize)]
struct GroupRow {
    name: String,
    pairs: u64,
    failed: u64,
    /// Kept, though no score says so.
    kept_otherwise: u64,
    scored: u64,
    scores: Vec<f32>,
    /// Of these, those that a state did not select.
    unselected: u64,
    unselected_scores: Vec<f32>,
}

impl Sums {
    /// Reads the journals once. Pairs are in `clusters`, or in those that the records tell.
    ///
    /// # Errors
    /// [`IoError`] if one cannot be read.
    pub fn read(journals: &[PathBuf], clusters: Option<Clusters>) -> Result<Self, IoError> {
        let (mut counts, mut hash) = (Counts::default(), Sha256::new());
        let mut sources = HashMap::<String, Group>::new();
        let mut groups = HashMap::<Option<u32>, Group>::new();
        let (mut told, mut place) = (Told::default(), 0);
        let mut unselected = BTreeMap::<Reason, Vec<f32>>::new();
        let (mut terms, mut moved, mut header) = (None, None, None);
        for path in journals {
            let mut journal = Reader::open(path)?;
            header = header.or_else(|| Some(journal.header().clone()));
            while let Some(record) = journal.next().transpose()? {
                // Where the threshold followed the scores, the last one.
                moved = record.threshold.or(moved);
                counts.add(&record.decision());
                let score = record.facts.score.map_or(0, f32::to_bits);
                hash.update([&record.uid.0[..], &score.to_le_bytes()].concat());
                match sources.get_mut(&record.shard) {
                    Some(source) => source,
                    None => sources.entry(record.shard.clone()).or_default(),
                }
                .add(&record);
                let number = match &clusters {
                    Some(clusters) => clusters.of(place),
                    None => told.add(&record),
                };
                groups.entry(number).or_default().add(&record);
                if record.reason.is_of_selection() {
                    unselected.entry(record.reason).or_default().extend(pooled_score(&record));
                }
                place += 1;
            }
            journal.tell_dropped(path);
            // Where others took over within a journal, the last ones.
            terms = Some(journal.terms().clone());
        }
        let name = |(name, source)| Group { name, ..source };
        let sources = largest(sources.into_iter().map(name).collect());
        let scores = sources.iter().flat_map(|source| &source.scores).copied().collect();
        unselected.values_mut().for_each(|scores| scores.sort_unstable_by(f32::total_cmp));
        Ok(Self {
            counts,
            scores: sorted(scores),
            unselected,
            sources,
            clusters: clusters.or_else(|| told.clusters()).map(|clusters| {
                let groups = of_clusters(groups);
                (clusters, groups)
            }),
            threshold: moved.or(terms.as_ref().and_then(|terms: &Terms| terms.threshold)),
            terms,
            header,
            digest: Digest(hash.finalize().into()),
        })
    }

    /// What the page has of it.
    pub fn shown(self) -> Shown {
        let total = |verdict| self.counts.total(verdict);
        let unselected = sorted(self.unselected.values().flatten().copied().collect());
        let rows = |groups: Vec<Group>| groups.into_iter().map(Group::row).collect();
        let reasons = reasons(&self.counts, &self.unselected);
        let by_cluster = self
            .clusters
            .map(|(clusters, groups)| Grouping { by: clusters.by(), rows: rows(groups) });
        let by_source = Grouping { by: "source", rows: rows(self.sources) };
        Shown {
            pairs: self.counts.decided(),
            kept: total(Verdict::Kept),
            rejected: total(Verdict::Rejected),
            failed: total(Verdict::Failed),
            scored: self.scores.len() as u64,
            scores: thinned(&self.scores, MOST_SCORES),
            unselected: unselected.len() as u64,
            unselected_scores: thinned(&unselected, MOST_SCORES),
            reasons,
            groupings: std::iter::once(by_source).chain(by_cluster).collect(),
        }
    }
}

impl Group {
    fn add(&mut self, record: &Record) {
        let score = pooled_score(record);
        self.counts.add(&record.decision());
        self.scores.extend(score);
        self.unselected.extend(score.filter(|_| record.reason.is_of_selection()));
    }

    fn merge(&mut self, mut other: Self) {
        self.counts.merge(&other.counts);
        self.scores.append(&mut other.scores);
        self.unselected.append(&mut other.unselected);
    }

    fn row(self) -> GroupRow {
        let otherwise =
            self.counts.reasons(Verdict::Kept).filter(|(reason, _)| *reason != Reason::Passed);
        GroupRow {
            kept_otherwise: otherwise.map(|(_, count)| count).sum(),
            name: self.name,
            pairs: self.counts.decided(),
            failed: self.counts.total(Verdict::Failed),
            scored: self.scores.len() as u64,
            unselected: self.unselected.len() as u64,
            scores: thinned(&sorted(self.scores), MOST_OF_A_GROUP),
            unselected_scores: thinned(&sorted(self.unselected), MOST_OF_A_GROUP),
        }
    }
}

/// The largest groups, and one of all others.
fn largest(mut rows: Vec<Group>) -> Vec<Group> {
    rows.sort_unstable_by(|a, b| {
        b.counts.decided().cmp(&a.counts.decided()).then_with(|| a.name.cmp(&b.name))
    });
    let others = rows.split_off(rows.len().min(MOST_GROUPS));
    if !others.is_empty() {
        let mut rest = Group { name: format!("{} others", others.len()), ..Group::default() };
        others.into_iter().for_each(|other| rest.merge(other));
        rows.push(rest);
    }
    rows
}

/// The same of clusters; pairs that are in none come last.
fn of_clusters(mut groups: HashMap<Option<u32>, Group>) -> Vec<Group> {
    let outside = groups.remove(&None).map(|group| Group { name: "in none".into(), ..group });
    let named = |(number, group): (Option<u32>, Group)| {
        let name = number.map(|number| number.to_string()).unwrap_or_default();
        Group { name, number, ..group }
    };
    let mut rows = largest(groups.into_iter().map(named).collect());
    rows.extend(outside);
    rows
}

fn sorted(mut scores: Vec<f32>) -> Vec<f32> {
    scores.sort_unstable_by(f32::total_cmp);
    scores
}

/// At most `most` of ascending scores, at equal ranks, the least and the greatest among them.
fn thinned(scores: &[f32], most: usize) -> Vec<f32> {
    let last = scores.len().saturating_sub(1);
    if scores.len() <= most {
        return scores.to_vec();
    }
    (0..most).map(|place| scores[place * last / (most - 1)]).collect()
}

fn reasons(counts: &Counts, unselected: &BTreeMap<Reason, Vec<f32>>) -> Vec<ReasonRow> {
    let of = |verdict: Verdict| {
        let row = move |(reason, count): (Reason, u64)| ReasonRow {
            verdict: verdict.name(),
            reason: reason.name(),
            count,
            scores: unselected.get(&reason).map(|scores| thinned(scores, MOST_SCORES)),
        };
        counts.reasons(verdict).map(row)
    };
    let mut rows: Vec<_> = Verdict::ALL.into_iter().flat_map(of).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}
