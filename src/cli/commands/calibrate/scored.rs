//! Scores that a run has recorded, by the pairs' uids: a journal, or a table that `score` wrote.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;
use serde::Deserialize;

use super::super::journal::journal_at;
use crate::journal::Reader;
use crate::replay::pooled_score;

/// What a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Journal,
    Lines,
    Csv,
    Parquet,
    /// Something else: a bundle, or pairs to score.
    Other,
}

impl Kind {
    pub fn of(path: &Path) -> Self {
        if journal_at(path).is_some() {
            return Self::Journal;
        }
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("jsonl") => Self::Lines,
            Some("csv") => Self::Csv,
            Some("parquet") => Self::Parquet,
            _ => Self::Other,
        }
    }
}

/// The pairs of a run. About 24 bytes a pair are held.
#[derive(Debug, Default)]
pub struct Scored {
    /// Each pair with its score, where only a threshold decides on it.
    pub pairs: Vec<(Uid, Option<f32>)>,
    /// Thresholds that decided, by their bits: several where it moved.
    pub thresholds: BTreeSet<u32>,
}

impl Scored {
    pub fn add(&mut self, uid: Uid, score: Option<f32>) {
        self.pairs.push((uid, score.filter(|score| score.is_finite())));
    }

    /// Adds what a file or a journal holds.
    pub fn read(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        match Kind::of(path) {
            Kind::Journal => self.journal(path),
            Kind::Lines => self.lines(path),
            Kind::Csv => self.csv(path),
            Kind::Parquet => self.parquet(path),
            Kind::Other => Err(format!(
                "{}: neither a journal nor scores (.jsonl, .csv, .parquet)",
                path.display()
            )
            .into()),
        }
    }

    /// Puts the pairs in the order of their uids, each once; the first of several counts.
    pub fn sort(&mut self) {
        self.pairs.sort_by_key(|(uid, _)| *uid);
        self.pairs.dedup_by_key(|(uid, _)| *uid);
    }

    fn journal(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut journal = Reader::open(path)?;
        while let Some(record) = journal.next().transpose()? {
            self.add(record.uid, pooled_score(&record));
            let threshold = record.threshold.or(journal.terms().threshold);
            self.thresholds.extend(threshold.map(f32::to_bits));
        }
        Ok(())
    }

    fn lines(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        #[derive(Deserialize)]
        struct Line {
            uid: String,
            // What was not scored is null; a line without the key is no score's.
            #[serde(deserialize_with = "Option::deserialize")]
            score: Option<f32>,
            #[serde(default)]
            reason: Option<String>,
        }
        let wrong =
            |number: usize, why: String| format!("{}: line {number}: {why}", path.display());
        let file = File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
        for (number, line) in (1..).zip(BufReader::new(file).lines()) {
            let line = line.map_err(|why| wrong(number, why.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(&line)
                .map_err(|why| wrong(number, format!("not a score with its uid: {why}")))?;
            let uid = line
                .uid
                .parse()
                .map_err(|_| wrong(number, "its uid is not 32 hex digits".into()))?;
            self.add(uid, line.score.filter(|_| is_open(line.reason.as_deref())));
        }
        Ok(())
    }

    fn csv(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let mut reader = csv::Reader::from_path(path).map_err(|why| wrong(why.to_string()))?;
        let head = reader.headers().map_err(|why| wrong(why.to_string()))?.clone();
        let place = |name: &str| head.iter().position(|column| column == name);
        let needed =
            |name: &str| place(name).ok_or_else(|| wrong(format!("it has no column {name:?}")));
        let (uid, score, reason) = (needed("uid")?, needed("score")?, place("reason"));
        for record in reader.records() {
            let record = record.map_err(|why| wrong(why.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let of_line = |why: &str| wrong(format!("line {line}: {why}"));
            let cell = |place: usize| record.get(place).filter(|text| !text.is_empty());
            let uid = cell(uid).and_then(|text| text.parse().ok());
            let uid = uid.ok_or_else(|| of_line("its uid is not 32 hex digits"))?;
            let score = cell(score).map(str::parse::<f32>).transpose();
            let score = score.map_err(|_| of_line("its score is no number"))?;
            self.add(uid, score.filter(|_| is_open(reason.and_then(cell))));
        }
        Ok(())
    }

    #[cfg(feature = "parquet")]
    fn parquet(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        use crate::datacomp::metadata::Table;

        /// Rows that are read at once.
        const ROWS: u64 = 8192;
        let table = Table::open(path)?;
        let (mut uids, mut scores, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for (group, rows) in table.groups()?.into_iter().enumerate() {
            let (mut uid, mut score) = (table.texts(group, "uid")?, table.numbers(group, "score")?);
            let mut reason = table.texts(group, "reason")?;
            let mut left = rows;
            while left > 0 {
                let next = left.min(ROWS) as usize;
                uid.read(next, &mut uids)?;
                score.read(next, &mut scores)?;
                reason.read(next, &mut reasons)?;
                for ((uid, score), reason) in uids.iter().zip(&scores).zip(&reasons) {
                    let text = |bytes: &parquet::data_type::ByteArray| {
                        String::from_utf8_lossy(bytes.data()).into_owned()
                    };
                    let uid = uid.as_ref().and_then(|uid| text(uid).parse().ok());
                    let uid = uid
                        .ok_or_else(|| format!("{}: a uid is not 32 hex digits", path.display()))?;
                    let score = score.map(|score| score as f32);
                    self.add(uid, score.filter(|_| is_open(reason.as_ref().map(text).as_deref())));
                }
                left -= next as u64;
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        Err(format!("{}: this build reads no .parquet", path.display()).into())
    }
}

/// Whether only a threshold decides on a pair of which this was said.
fn is_open(reason: Option<&str>) -> bool {
    reason.is_none_or(|reason| reason.is_empty() || reason == Reason::LowSimilarity.name())
}
