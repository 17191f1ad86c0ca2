//! Small training runs, one table: for each bucket of the pool a network trained on it alone, and its error
//! after so many samples.
//!
//! CSV with a head, or JSON lines. `bucket` counts from 1, the best, in the order of the score; `samples`
//! are those seen in training, repeats included, or `epochs` are passes over the bucket; `error` is 1 less
//! the accuracy, or `accuracy` stands in its place. Other columns are left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use pairgate_core::pair::Digest;
use serde_json::{Map, Value};

use super::PlanError;
use super::law::MAX_BUCKETS;
use crate::digest::sha256;

/// Longest table, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Most runs that are fitted.
pub const MAX_RUNS: usize = 5000;
/// Most passes over a bucket in a run that is fitted.
pub const MAX_EPOCHS: f64 = 200.0;

/// One measured error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The bucket, from 0, the best.
    pub bucket: usize,
    /// Samples seen, repeats included.
    pub samples: f64,
    /// 1 less the accuracy, above 0 and up to 1.
    pub error: f64,
}

/// A table of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    /// In order of bucket, then of samples.
    pub runs: Vec<Run>,
    /// Buckets, 1 or more.
    pub buckets: usize,
    /// SHA-256 of the table's bytes.
    pub digest: Digest,
}

impl Runs {
    /// Reads a table; `bucket_samples` is how many samples a bucket has.
    ///
    /// # Errors
    /// [`PlanError`] that names the file, the line and the column.
    pub fn read(path: &Path, bucket_samples: f64) -> Result<Self, PlanError> {
        let name = path.display().to_string();
        let refused = |why: String| PlanError::File { file: name.clone(), why };
        let file = fs::File::open(path).map_err(|why| refused(why.to_string()))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|why| refused(why.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(refused(format!("it has more than {MAX_BYTES} bytes")));
        }
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let rows = if first == Some(&b'{') { json_rows(&bytes) } else { csv_rows(&bytes) };
        let rows = rows.map_err(refused)?;
        Self::of(rows, bucket_samples, sha256(&bytes)).map_err(refused)
    }

    fn of(rows: Vec<Row>, bucket_samples: f64, digest: Digest) -> Result<Self, String> {
        if rows.is_empty() {
            return Err("it holds no run".into());
        }
        if rows.len() > MAX_RUNS {
            return Err(format!("it holds {} runs, at most {MAX_RUNS} are fitted", rows.len()));
        }
        let run =
            |row: &Row| row.run(bucket_samples).map_err(|why| format!("line {}: {why}", row.line));
        let mut runs = rows.iter().map(run).collect::<Result<Vec<Run>, String>>()?;
        runs.sort_by(|a, b| a.bucket.cmp(&b.bucket).then(a.samples.total_cmp(&b.samples)));
        let buckets = runs.iter().map(|run| run.bucket + 1).max().unwrap_or(0);
        Ok(Self { runs, buckets, digest })
    }

    /// The runs of a bucket, from 0.
    pub fn of_bucket(&self, bucket: usize) -> &[Run] {
        let start = self.runs.partition_point(|run| run.bucket < bucket);
        let end = self.runs.partition_point(|run| run.bucket <= bucket);
        &self.runs[start..end]
    }
}

/// The columns that count, of a line.
struct Row {
    line: usize,
    cells: BTreeMap<&'static str, f64>,
}

const COLUMNS: [&str; 5] = ["bucket", "samples", "epochs", "error", "accuracy"];

impl Row {
    fn run(&self, bucket_samples: f64) -> Result<Run, String> {
        let cell = |key: &str| self.cells.get(key).copied();
        let bucket = cell("bucket").ok_or("it has no bucket")?;
        if bucket.fract() != 0.0 || !(1.0..=MAX_BUCKETS as f64).contains(&bucket) {
            return Err(format!(
                "bucket = {bucket}: it must be a whole number, 1 to {MAX_BUCKETS}"
            ));
        }
        let samples = match (cell("samples"), cell("epochs")) {
            (Some(samples), None) => samples,
            (None, Some(epochs)) => epochs * bucket_samples,
            (Some(_), Some(_)) => return Err("it has samples and epochs: give one of them".into()),
            (None, None) => return Err("it has neither samples nor epochs".into()),
        };
        if !(1.0..=MAX_EPOCHS * bucket_samples).contains(&samples) {
            return Err(format!(
                "samples = {samples}: it must be 1 to {MAX_EPOCHS} passes over a bucket of {bucket_samples}"
            ));
        }
        let error = match (cell("error"), cell("accuracy")) {
            (Some(error), None) => error,
            (None, Some(accuracy)) => 1.0 - accuracy,
            (Some(_), Some(_)) => return Err("it has error and accuracy: give one of them".into()),
            (None, None) => return Err("it has neither error nor accuracy".into()),
        };
        if !(error > 0.0 && error <= 1.0) {
            return Err(format!("error = {error}: it must be above 0 and up to 1, not in percent"));
        }
        Ok(Run { bucket: bucket as usize - 1, samples, error })
    }
}

fn csv_rows(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let head = reader.headers().map_err(|why| why.to_string())?.clone();
    let place = |name: &&'static str| Some((*name, head.iter().position(|cell| cell == *name)?));
    let places: Vec<_> = COLUMNS.iter().filter_map(place).collect();
    if !places.iter().any(|(name, _)| *name == "bucket") {
        return Err("its first line names no column `bucket`; the others are samples (or epochs) and error (or accuracy)".into());
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|why| why.to_string())?;
        let line = record.position().map_or(0, |at| at.line() as usize);
        let mut cells = BTreeMap::new();
        for (name, place) in &places {
            let Some(text) = record.get(*place).filter(|text| !text.is_empty()) else { continue };
            let number = text.parse::<f64>();
            let number =
                number.map_err(|_| format!("line {line}: {name} = {text:?} is no number"))?;
            cells.insert(*name, number);
        }
        rows.push(Row { line, cells });
    }
    Ok(rows)
}

fn json_rows(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let text = std::str::from_utf8(bytes).map_err(|why| why.to_string())?;
    let lines = text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty());
    let row = |(place, text): (usize, &str)| {
        let line = place + 1;
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|why| format!("line {line}: {why}"))?;
        let mut cells = BTreeMap::new();
        for name in COLUMNS {
            let Some(value) = object.get(name).filter(|value| !value.is_null()) else { continue };
            let number = value
                .as_f64()
                .ok_or_else(|| format!("line {line}: {name} = {value} is no number"))?;
            cells.insert(name, number);
        }
        Ok(Row { line, cells })
    };
    lines.map(row).collect()
}
