//! A journal as one page that people look at: histogram, reasons, sources, and the pairs themselves.
//!
//! The page holds everything: no network, no file beside it. What a slider at the threshold needs is
//! in it as numbers ([`Data`]), and the rest is `page.html`, `page.css` and `page.js`.

mod select;
mod thumbnails;

use std::collections::BTreeMap;
use std::path::PathBuf;

use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use serde::Serialize;

use crate::disk::IoError;
use crate::journal::{Reader, Record};
use crate::replay::pooled_score;
use crate::source::Source;

pub use select::Chosen;
pub use thumbnails::thumbnail;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Points of the scores' distribution that the page holds where there are more scores: the counts
/// that the slider shows are then right to within 1 in so many.
const MOST_SCORES: usize = 100_000;

/// Sources that are named; the others are counted together.
const MOST_SOURCES: usize = 30;

/// What the page shows.
#[derive(Debug, Serialize)]
pub struct Data {
    journals: Vec<String>,
    model: String,
    threshold: Option<f32>,
    pairs: u64,
    kept: u64,
    rejected: u64,
    failed: u64,
    /// Scores that a threshold decides on, ascending, or points at equal ranks of them.
    scores: Vec<f32>,
    /// How many they are.
    scored: u64,
    reasons: Vec<Row>,
    sources: Vec<SourceRow>,
    sheets: Vec<Sheet>,
}

#[derive(Debug, Serialize)]
struct Row {
    verdict: &'static str,
    reason: &'static str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct SourceRow {
    name: String,
    kept: u64,
    rejected: u64,
    failed: u64,
}

/// Pairs that are shown together.
#[derive(Debug, Serialize)]
struct Sheet {
    /// `scale`: from all over the scores, for the slider; else what it is called.
    name: String,
    pairs: Vec<Card>,
}

/// A pair as it is shown.
#[derive(Debug, Clone, Serialize)]
struct Card {
    key: String,
    shard: String,
    score: Option<f32>,
    verdict: &'static str,
    reason: &'static str,
    width: u32,
    height: u32,
    caption: Option<String>,
    /// A JPEG, as a data URL.
    thumbnail: Option<String>,
}

/// Reads journals twice, and pictures once, and makes the page.
///
/// # Errors
/// [`IoError`] if a journal or the source cannot be read.
pub fn page(journals: &[PathBuf], pictures: &mut dyn Source) -> Result<String, IoError> {
    let mut data = read(journals)?;
    let mut chosen = Chosen::from(journals, data.threshold)?;
    thumbnails::fill(&mut chosen, pictures)?;
    data.sheets = chosen.sheets();
    Ok(fill(&data))
}

fn fill(data: &Data) -> String {
    // `<` could end the script that the numbers are in.
    let json =
        serde_json::to_string(data).unwrap_or_else(|_| "null".into()).replace('<', "\\u003c");
    PAGE.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT).replace("/*DATA*/null", &json)
}

fn read(journals: &[PathBuf]) -> Result<Data, IoError> {
    let mut counts = Counts::default();
    let (mut scores, mut sources) = (Vec::new(), BTreeMap::<String, Counts>::new());
    let (mut terms, mut moved) = (None, None);
    for path in journals {
        let mut journal = Reader::open(path)?;
        while let Some(record) = journal.next().transpose()? {
            // Where the threshold followed the scores, the last one.
            moved = record.threshold.or(moved);
            counts.add(&record.decision());
            sources.entry(record.shard.clone()).or_default().add(&record.decision());
            scores.extend(pooled_score(&record));
        }
        journal.tell_dropped(path);
        // Where others took over within a journal, the last ones.
        terms = Some(journal.terms().clone());
    }
    scores.sort_unstable_by(f32::total_cmp);
    let scored = scores.len() as u64;
    let total = |verdict| counts.total(verdict);
    Ok(Data {
        journals: journals.iter().map(|path| path.display().to_string()).collect(),
        threshold: moved.or(terms.as_ref().and_then(|terms| terms.threshold)),
        model: terms.map_or_else(String::new, |terms| terms.model().to_string()),
        pairs: counts.decided(),
        kept: total(Verdict::Kept),
        rejected: total(Verdict::Rejected),
        failed: total(Verdict::Failed),
        scores: thinned(scores),
        scored,
        reasons: reasons(&counts),
        sources: source_rows(sources),
        sheets: Vec::new(),
    })
}

/// At most [`MOST_SCORES`] of ascending scores, at equal ranks, the least and the greatest among them.
fn thinned(scores: Vec<f32>) -> Vec<f32> {
    let last = scores.len().saturating_sub(1);
    if scores.len() <= MOST_SCORES {
        return scores;
    }
    (0..MOST_SCORES).map(|place| scores[place * last / (MOST_SCORES - 1)]).collect()
}

fn reasons(counts: &Counts) -> Vec<Row> {
    let of = |verdict: Verdict| {
        let row = move |(reason, count): (pairgate_core::decision::Reason, u64)| Row {
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

fn source_rows(sources: BTreeMap<String, Counts>) -> Vec<SourceRow> {
    let row = |name: String, counts: &Counts| SourceRow {
        name,
        kept: counts.total(Verdict::Kept),
        rejected: counts.total(Verdict::Rejected),
        failed: counts.total(Verdict::Failed),
    };
    let mut rows: Vec<_> = sources.into_iter().collect();
    rows.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.decided()));
    let others = rows.split_off(rows.len().min(MOST_SOURCES));
    let mut shown: Vec<_> = rows.into_iter().map(|(name, counts)| row(name, &counts)).collect();
    if !others.is_empty() {
        let mut rest = Counts::default();
        others.iter().for_each(|(_, counts)| rest.merge(counts));
        shown.push(row(format!("{} others", others.len()), &rest));
    }
    shown
}

impl Card {
    fn of(record: &Record) -> Self {
        Self {
            key: record.key.clone(),
            shard: record.shard.clone(),
            score: record.facts.score,
            verdict: record.verdict.name(),
            reason: record.reason.name(),
            width: record.facts.size.width,
            height: record.facts.size.height,
            caption: None,
            thumbnail: None,
        }
    }
}
