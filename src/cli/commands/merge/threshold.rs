//! One threshold for the scores of many machines.

use std::error::Error;
use std::fmt;
use std::fs;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::sum::{Output, Sum};
use crate::decide::share::Fine;
use crate::decide::sketch::ScoreSketch;
use crate::disk::IoError;
use crate::journal::{Entry, SegmentReader};
use crate::replay::pooled_score;
use crate::score_text::shortest;
use crate::store::one_to_one::{JOURNAL, Marker, Names, SKETCH};

/// How far the share that a threshold of sketches keeps may be off, of all scored pairs.
const SKETCH_ERROR: f64 = 0.001;

/// The threshold that keeps a share.
pub struct Threshold {
    pub keep: f64,
    pub threshold: f32,
    /// Scores that it is the threshold of.
    pub scored: u64,
    pub is_exact: bool,
}

impl Threshold {
    /// What `filter --keep` finds over all inputs at once, bit for bit: the markers' counts say which scores
    /// may be it, and of these the journals have the rest of their bits. Counts add up in any order.
    ///
    /// # Errors
    /// Outputs that are no scores, scores of several models, a journal that cannot be read, no scores.
    pub fn exact(sum: &Sum, folder: &Path, keep: f64) -> Result<Self, Box<dyn Error>> {
        if !sum.is_of_scores() {
            return Err("these outputs were filtered, not scored: give the folder that \
                        `score --one-to-one` wrote, or --sketch"
                .into());
        }
        let scored = sum.scores.counts().iter().map(|(_, count)| count).sum();
        let fine = sum.scores.clone().find(keep).ok_or("no pair was scored")?;
        let threshold = count_fine(fine, folder, &sum.outputs)?;
        let threshold = threshold.ok_or("the journals lack scores that the markers have")?;
        Ok(Self { keep, threshold, scored, is_exact: true })
    }

    /// About the same from sketches, merged in the order of their names.
    ///
    /// # Errors
    /// A sketch that cannot be read, sketches of several models, no scores.
    pub fn of_sketches(sum: &Sum, folder: &Path, keep: f64) -> Result<Self, Box<dyn Error>> {
        let mut merged = ScoreSketch::new();
        for Output { name, .. } in &sum.outputs {
            let names = Names::new(folder, name);
            merged.merge(&ScoreSketch::load(&names.path(SKETCH))?.0);
        }
        let threshold = merged.threshold(keep).ok_or("no pair was scored")?;
        Ok(Self { keep, threshold, scored: merged.count(), is_exact: false })
    }

    /// Writes a config that decides by it.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let how = if self.is_exact { "exactly" } else { "about" };
        let text = format!(
            "# The threshold that keeps {} % of {} scored pairs, {how}.\n[policy]\nthreshold = {}\n",
            100.0 * self.keep,
            self.scored,
            exact_text(self.threshold)
        );
        fs::write(path, text).map_err(|why| format!("writing {}: {why}", path.display()))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keep, threshold) = (100.0 * self.keep, exact_text(self.threshold));
        let scored = self.scored;
        match self.is_exact {
            true => writeln!(f, "threshold {threshold} keeps {keep} % of {scored} scores"),
            false => writeln!(
                f,
                "threshold {threshold} keeps about {keep} % of {scored} scores: to within {} %",
                100.0 * SKETCH_ERROR
            ),
        }
    }
}

/// Digits that give the same 32-bit float again, also where they are read as a 64-bit one.
fn exact_text(threshold: f32) -> String {
    let short = shortest(threshold);
    let is_same = short.as_f64().is_some_and(|read| (read as f32).to_bits() == threshold.to_bits());
    let text = if is_same { short.to_string() } else { f64::from(threshold).to_string() };
    // TOML tells floats from integers by their point.
    if text.contains(['.', 'e']) { text } else { text + ".0" }
}

/// Counts the lower bits of the scores in all of these journals, on as many threads as there are cores.
fn count_fine(fine: Fine, folder: &Path, outputs: &[Output]) -> Result<Option<f32>, IoError> {
    let next = AtomicUsize::new(0);
    let count = || -> Result<Fine, IoError> {
        let mut own = fine.clone();
        while let Some(output) = outputs.get(next.fetch_add(1, Ordering::Relaxed)) {
            add_scores(&mut own, &Names::new(folder, &output.name))?;
        }
        Ok(own)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(outputs.len().max(1));
    let counted: Vec<Result<Fine, IoError>> = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        let joined = started.into_iter().map(|thread| thread.join());
        joined.map(|joined| joined.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut all = fine.clone();
    for own in counted {
        all.merge(&own?);
    }
    Ok(all.threshold())
}

/// Counts the scores of one output, whose journal is not read where its marker says that none may be the
/// threshold.
fn add_scores(fine: &mut Fine, names: &Names) -> Result<(), IoError> {
    let marker = Marker::read(names)?;
    let counts = marker.iter().flat_map(|marker| &marker.score_counts);
    if !counts.clone().any(|(upper, _)| *upper == fine.upper()) {
        return Ok(());
    }
    for entry in SegmentReader::open(&names.path(JOURNAL))? {
        if let Entry::Record(record) = entry?
            && let Some(score) = pooled_score(&record)
        {
            fine.add(score);
        }
    }
    Ok(())
}
