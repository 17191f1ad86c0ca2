//! Scores that a run made, found again by uid.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use pairgate_core::pair::Uid;
use serde::Deserialize;

use super::unread;
use crate::disk::IoError;
use crate::journal::Reader;

/// The scores of a run by uid.
#[derive(Debug, Clone, Default)]
pub struct UidScores {
    /// Sorted by uid, each once.
    scores: Vec<(Uid, f32)>,
    /// Lines whose uid was there before; the first score counts.
    pub repeated: u64,
    /// Lines whose uid is not 32 hex digits.
    pub malformed: u64,
}

impl UidScores {
    /// Takes scores in the order in which they were made, NaN where there is none.
    pub fn new(mut scores: Vec<(Uid, f32)>, malformed: u64) -> Self {
        let all = scores.len();
        // The sort is stable, so that the first of equal uids stays the first.
        scores.sort_by_key(|&(uid, _)| uid);
        scores.dedup_by_key(|&mut (uid, _)| uid);
        Self { repeated: (all - scores.len()) as u64, malformed, scores }
    }

    /// Uids with a line, scored or not.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// The score of `uid`; NaN where its line has none, `None` where it has no line.
    pub fn find(&self, uid: &Uid) -> Option<f32> {
        let place = self.scores.binary_search_by(|(other, _)| other.cmp(uid)).ok()?;
        Some(self.scores[place].1)
    }
}

/// Reads the lines of `pairgate score -o NAME.jsonl`.
///
/// # Errors
/// [`IoError::Read`], with the line's number, where a line is not an object with a `uid` and a
/// `score`.
pub fn read_lines(path: &Path) -> Result<UidScores, IoError> {
    let file = File::open(path).map_err(unread(path))?;
    let mut scores = Vec::new();
    let mut malformed = 0;
    for (number, line) in BufReader::with_capacity(1 << 20, file).lines().enumerate() {
        let line = line.map_err(unread(path))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|why| {
            unread(path)(std::io::Error::other(format!(
                "line {}: not a score with its uid: {why}",
                number + 1
            )))
        })?;
        match line.uid.parse() {
            Ok(uid) => scores.push((uid, line.score.unwrap_or(f32::NAN))),
            Err(_) => malformed += 1,
        }
    }
    Ok(UidScores::new(scores, malformed))
}

#[derive(Deserialize)]
struct Line {
    uid: String,
    // What was not scored is null; a line without the key is no score's.
    #[serde(deserialize_with = "Option::deserialize")]
    score: Option<f32>,
}

/// Reads the scores of a journal.
///
/// # Errors
/// [`IoError::Read`] where it cannot be read or is torn.
pub fn read_journal(path: &Path) -> Result<UidScores, IoError> {
    let records = Reader::open(path)?;
    let scores = records.map(|record| {
        let record = record?;
        Ok((record.uid, record.facts.score.unwrap_or(f32::NAN)))
    });
    Ok(UidScores::new(scores.collect::<Result<_, IoError>>()?, 0))
}
