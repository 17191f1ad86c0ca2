//! Two runs, as the page has them.

use std::collections::BTreeMap;
use std::path::Path;

use pairgate_core::decision::Verdict;
use serde::Serialize;

use super::gallery::Card;
use crate::compare::{self, Account, Class, Points, Totals};

/// Pairs of scores that are drawn one by one; of more, how many lie where.
const MOST_POINTS: usize = 4_000;
/// Fields of that map, in each direction.
const FIELDS: usize = 128;
/// Bars of a histogram.
const BARS: usize = 96;
/// Sources and reasons that are named.
const MOST_ROWS: usize = 200;

#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    old: RunRow,
    new: RunRow,
    /// What differs in the terms; null where a run tells none.
    differences: Option<Vec<String>>,
    one_model: bool,
    pairs: u64,
    changed: u64,
    /// By the old verdict, then by the new one: kept, rejected, failed.
    verdicts: [[u64; 3]; 3],
    reasons: Vec<ReasonRow>,
    more_reasons: usize,
    sources: Vec<SourceRow>,
    more_sources: usize,
    scored: u64,
    /// Pairs of scores that correlations and plots are made of.
    held: u64,
    spearman: Option<f64>,
    kendall: Option<f64>,
    histograms: [Histogram; 2],
    scatter: Scatter,
    pub cards: Vec<Card>,
}

#[derive(Debug, Serialize)]
struct RunRow {
    path: String,
    model: String,
    model_digest: Option<String>,
    program: String,
    threshold: Option<f32>,
    is_decided: bool,
    pairs: u64,
    scored: u64,
    kept: u64,
    only: u64,
    only_kept: u64,
}

#[derive(Debug, Serialize)]
struct ReasonRow {
    old: &'static str,
    new: &'static str,
    pairs: u64,
}

#[derive(Debug, Serialize)]
struct SourceRow {
    name: String,
    pairs: u64,
    kept: [u64; 2],
    changed: u64,
}

/// Scores by equal steps from the least to the greatest.
#[derive(Debug, Default, Serialize)]
struct Histogram {
    from: f32,
    to: f32,
    bars: Vec<u64>,
}

/// The earlier score along, the later one up; within the ranges of the histograms.
#[derive(Debug, Default, Serialize)]
struct Scatter {
    /// Each pair: two scores, and what became of it.
    points: Vec<(f32, f32, u8)>,
    /// Or how many are where: column, row from below, neither keeps, both, the old alone, the new alone.
    fields: Vec<(usize, usize, [u64; 4])>,
    across: usize,
}

impl Comparison {
    pub fn of(paths: [&Path; 2], compared: &compare::Comparison, cards: Vec<Card>) -> Self {
        let account = &compared.account;
        let [old, new] = [0, 1].map(|run| row(&account.runs[run], paths[run]));
        let (spearman, kendall) = account.correlations();
        let count = |old, new| account.confusion.count(old, new);
        let (reasons, sources) = (account.reasons(), account.sources());
        let histograms = histograms(account);
        Self {
            old,
            new,
            differences: compared.differences(),
            one_model: account.is_one_model(),
            pairs: account.common(),
            changed: account.confusion.changed(),
            verdicts: Verdict::ALL.map(|old| Verdict::ALL.map(|new| count(old, new))),
            more_reasons: reasons.len().saturating_sub(MOST_ROWS),
            reasons: reasons
                .into_iter()
                .take(MOST_ROWS)
                .map(|((old, new), pairs)| ReasonRow { old: old.name(), new: new.name(), pairs })
                .collect(),
            more_sources: sources.len().saturating_sub(MOST_ROWS),
            sources: sources
                .into_iter()
                .take(MOST_ROWS)
                .map(|(name, sum)| SourceRow {
                    name: name.to_owned(),
                    pairs: sum.pairs,
                    kept: sum.kept,
                    changed: sum.changed,
                })
                .collect(),
            scored: account.points.seen(),
            held: account.points.scores().len() as u64,
            spearman,
            kendall,
            scatter: Scatter::of(&account.points, &histograms),
            histograms,
            cards,
        }
    }
}

fn row(run: &Totals, path: &Path) -> RunRow {
    let terms = run.terms.as_ref();
    let model = terms.and_then(|terms| terms.models.last());
    RunRow {
        path: path.display().to_string(),
        model: model.map_or_else(String::new, |model| model.name.clone()),
        model_digest: model.map(|model| model.digest.to_string()),
        program: terms.map_or_else(String::new, |terms| terms.program.clone()),
        threshold: run.threshold,
        is_decided: run.is_decided,
        pairs: run.counts.decided(),
        scored: run.scored,
        kept: run.counts.total(Verdict::Kept),
        only: run.only,
        only_kept: run.only_kept,
    }
}

/// Of both runs; one model's scores have one range.
fn histograms(account: &Account) -> [Histogram; 2] {
    let scores = account.points.scores();
    let (old, new): (Vec<f32>, Vec<f32>) = scores.into_iter().unzip();
    let range = |scores: &[f32]| {
        let least = scores.iter().copied().min_by(f32::total_cmp).unwrap_or(-1.0);
        let greatest = scores.iter().copied().max_by(f32::total_cmp).unwrap_or(1.0);
        (least, if greatest > least { greatest } else { least + 1e-6 })
    };
    let mut ranges = [range(&old), range(&new)];
    if account.is_one_model() {
        let least = ranges[0].0.min(ranges[1].0);
        let greatest = ranges[0].1.max(ranges[1].1);
        ranges = [(least, greatest); 2];
    }
    [Histogram::of(&old, ranges[0]), Histogram::of(&new, ranges[1])]
}

impl Histogram {
    fn of(scores: &[f32], (from, to): (f32, f32)) -> Self {
        let mut histogram = Self { from, to, bars: vec![0; BARS] };
        for score in scores {
            let bar = histogram.place(*score, BARS);
            histogram.bars[bar] += 1;
        }
        histogram
    }

    /// Which of so many equal steps a score is in.
    fn place(&self, score: f32, steps: usize) -> usize {
        let part = (score - self.from) / (self.to - self.from);
        ((part * steps as f32) as usize).min(steps - 1)
    }
}

impl Scatter {
    fn of(points: &Points, ranges: &[Histogram; 2]) -> Self {
        let classed = || points.classed();
        if classed().count() <= MOST_POINTS {
            let points = classed().map(|((old, new), class)| (old, new, class as u8));
            return Self { points: points.collect(), ..Self::default() };
        }
        let mut fields = BTreeMap::<(usize, usize), [u64; 4]>::new();
        for ((old, new), class) in classed() {
            let field = (ranges[0].place(old, FIELDS), ranges[1].place(new, FIELDS));
            fields.entry(field).or_default()[class_place(class)] += 1;
        }
        let fields = fields.into_iter().map(|((column, row), counts)| (column, row, counts));
        Self { points: Vec::new(), fields: fields.collect(), across: FIELDS }
    }
}

fn class_place(class: Class) -> usize {
    class as usize
}
