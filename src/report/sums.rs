//! What a journal's records come to: counts and scores, all of them and by source.

use std::collections::HashMap;
use std::path::PathBuf;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::Digest;
use pairgate_core::stats::Counts;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::disk::IoError;
use crate::journal::{Header, Reader, Terms};
use crate::replay::pooled_score;

/// Points of the scores' distribution that the page holds where there are more scores: the counts
/// that the slider shows are then right to within 1 in so many.
const MOST_SCORES: usize = 50_000;
/// The same of each source.
const MOST_OF_A_SOURCE: usize = 2_000;
/// Sources that are named; the others are counted together.
pub(super) const MOST_SOURCES: usize = 30;

/// What the records come to.
#[derive(Debug)]
pub(super) struct Sums {
    pub counts: Counts,
    /// Scores that a threshold decides on, ascending.
    pub scores: Vec<f32>,
    /// The sources, the largest first; behind [`MOST_SOURCES`] of them one for all others.
    pub sources: Vec<Source>,
    /// Of the last record.
    pub terms: Option<Terms>,
    /// The threshold of the last record.
    pub threshold: Option<f32>,
    /// Of the first journal.
    pub header: Option<Header>,
    /// Names what was read: the same records give the same one.
    pub digest: Digest,
}

/// The pairs of one source.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub name: String,
    counts: Counts,
    scores: Vec<f32>,
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
}

impl Sums {
    /// Reads the journals once.
    ///
    /// # Errors
    /// [`IoError`] if one cannot be read.
    pub fn read(journals: &[PathBuf]) -> Result<Self, IoError> {
        let (mut counts, mut hash) = (Counts::default(), Sha256::new());
        let mut sources = HashMap::<String, Source>::new();
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
                let source = match sources.get_mut(&record.shard) {
                    Some(source) => source,
                    None => sources.entry(record.shard.clone()).or_default(),
                };
                source.counts.add(&record.decision());
                source.scores.extend(pooled_score(&record));
            }
            journal.tell_dropped(path);
            // Where others took over within a journal, the last ones.
            terms = Some(journal.terms().clone());
        }
        let sources = largest(sources);
        let mut scores: Vec<f32> =
            sources.iter().flat_map(|source| &source.scores).copied().collect();
        scores.sort_unstable_by(f32::total_cmp);
        Ok(Self {
            counts,
            scores,
            sources,
            threshold: moved.or(terms.as_ref().and_then(|terms: &Terms| terms.threshold)),
            terms,
            header,
            digest: Digest(hash.finalize().into()),
        })
    }

    /// What the page has of it.
    pub fn shown(self) -> Shown {
        let total = |verdict| self.counts.total(verdict);
        Shown {
            pairs: self.counts.decided(),
            kept: total(Verdict::Kept),
            rejected: total(Verdict::Rejected),
            failed: total(Verdict::Failed),
            scored: self.scores.len() as u64,
            scores: thinned(&self.scores, MOST_SCORES),
            reasons: reasons(&self.counts),
            groupings: vec![Grouping {
                by: "source",
                rows: self.sources.into_iter().map(Source::row).collect(),
            }],
        }
    }
}

impl Source {
    fn row(mut self) -> GroupRow {
        self.scores.sort_unstable_by(f32::total_cmp);
        let otherwise =
            self.counts.reasons(Verdict::Kept).filter(|(reason, _)| *reason != Reason::Passed);
        GroupRow {
            name: self.name,
            pairs: self.counts.decided(),
            failed: self.counts.total(Verdict::Failed),
            kept_otherwise: otherwise.map(|(_, count)| count).sum(),
            scored: self.scores.len() as u64,
            scores: thinned(&self.scores, MOST_OF_A_SOURCE),
        }
    }
}

/// The largest sources, and one of all others.
fn largest(sources: HashMap<String, Source>) -> Vec<Source> {
    let mut rows: Vec<_> =
        sources.into_iter().map(|(name, source)| Source { name, ..source }).collect();
    rows.sort_unstable_by(|a, b| {
        b.counts.decided().cmp(&a.counts.decided()).then_with(|| a.name.cmp(&b.name))
    });
    let others = rows.split_off(rows.len().min(MOST_SOURCES));
    if !others.is_empty() {
        let mut rest = Source { name: format!("{} others", others.len()), ..Source::default() };
        for mut other in others {
            rest.counts.merge(&other.counts);
            rest.scores.append(&mut other.scores);
        }
        rows.push(rest);
    }
    rows
}

/// At most `most` of ascending scores, at equal ranks, the least and the greatest among them.
fn thinned(scores: &[f32], most: usize) -> Vec<f32> {
    let last = scores.len().saturating_sub(1);
    if scores.len() <= most {
        return scores.to_vec();
    }
    (0..most).map(|place| scores[place * last / (most - 1)]).collect()
}

fn reasons(counts: &Counts) -> Vec<ReasonRow> {
    let of = |verdict: Verdict| {
        let row = move |(reason, count): (Reason, u64)| ReasonRow {
            verdict: verdict.name(),
            reason: reason.name(),
            count,
        };
        counts.reasons(verdict).map(row)
    };
    let mut rows: Vec<_> = Verdict::ALL.into_iter().flat_map(of).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}
