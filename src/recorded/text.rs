//! The rows of scores as JSON lines, and as CSV.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::Uid;
use serde::Deserialize;

use super::beside::Embedded;
use super::find::{unread, wrong};
use super::{RecordedRow, Rows};
use crate::disk::IoError;

/// Longest line that is read, in bytes: the metadata of a pair have at most one MiB.
const MAX_LINE: u64 = 16 << 20;

/// One row a line.
#[derive(Debug)]
pub(super) struct TextRows {
    path: PathBuf,
    form: Form,
    embedded: Embedded,
    line: u64,
    malformed: u64,
}

enum Form {
    Lines(BufReader<File>, Vec<u8>),
    Csv(Box<csv::DeserializeRecordsIntoIter<File, Line>>),
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines(..) => "Lines",
            Self::Csv(_) => "Csv",
        })
    }
}

/// What is read of a line.
#[derive(Debug, Deserialize)]
struct Line {
    uid: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    shard: String,
    score: Option<f32>,
    reason: Option<String>,
    verdict: Option<String>,
    caption: Option<String>,
    text: Option<String>,
    /// Anybody's.
    #[serde(default)]
    metadata: serde_json::Value,
}

impl TextRows {
    /// JSON lines.
    pub fn lines(path: &Path, embedded: Embedded) -> Result<Self, IoError> {
        let file = File::open(path).map_err(unread(path))?;
        let form = Form::Lines(BufReader::with_capacity(1 << 18, file), Vec::new());
        Ok(Self { path: path.to_owned(), form, embedded, line: 0, malformed: 0 })
    }

    /// CSV with a header.
    pub fn csv(path: &Path, embedded: Embedded) -> Result<Self, IoError> {
        let file = File::open(path).map_err(unread(path))?;
        let form = Form::Csv(Box::new(csv::Reader::from_reader(file).into_deserialize()));
        Ok(Self { path: path.to_owned(), form, embedded, line: 1, malformed: 0 })
    }

    fn next_line(&mut self) -> Result<Option<Line>, IoError> {
        let (path, line) = (&self.path, &mut self.line);
        let damaged = |line: u64, why: String| {
            unread(path)(wrong(format!("line {line}: not a score with its uid: {why}")))
        };
        match &mut self.form {
            Form::Csv(lines) => {
                *line += 1;
                let found = lines.next().transpose();
                found.map_err(|why| damaged(*line, why.to_string()))
            }
            Form::Lines(file, bytes) => loop {
                bytes.clear();
                *line += 1;
                let read = file.take(MAX_LINE).read_until(b'\n', bytes).map_err(unread(path))?;
                if read == 0 {
                    return Ok(None);
                }
                if read as u64 == MAX_LINE {
                    return Err(damaged(*line, format!("it has more than {MAX_LINE} bytes")));
                }
                if !bytes.trim_ascii().is_empty() {
                    let found = serde_json::from_slice(bytes);
                    return found.map(Some).map_err(|why| damaged(*line, why.to_string()));
                }
            },
        }
    }
}

impl Rows for TextRows {
    fn next(&mut self) -> Result<Option<RecordedRow>, IoError> {
        loop {
            let Some(line) = self.next_line()? else {
                self.embedded.end()?;
                return Ok(None);
            };
            let uid: Option<Uid> = line.uid.parse().ok();
            let embeddings = self.embedded.next(uid, 0, None)?;
            let Some(uid) = uid else {
                self.malformed += 1;
                continue;
            };
            let told = |name| Some(line.metadata.get(name)?.as_str()?.to_owned());
            let inner = told("caption").or_else(|| told("text"));
            let word = |text: Option<String>| text.filter(|text| !text.is_empty());
            let (reason, verdict) = (word(line.reason), word(line.verdict));
            return Ok(Some(RecordedRow {
                uid,
                key: line.key,
                shard: line.shard,
                score: line.score.filter(|score| !score.is_nan()),
                reason: reason.as_deref().map(reason_of(&self.path)).transpose()?,
                verdict: verdict.as_deref().map(verdict_of(&self.path)).transpose()?,
                caption: line.caption.or(line.text).or(inner),
                embeddings,
            }));
        }
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}

/// The reason of this name.
pub(super) fn reason_of(path: &Path) -> impl Fn(&str) -> Result<Reason, IoError> + '_ {
    move |name| {
        let found = Reason::ALL.iter().copied().find(|reason| reason.name() == name);
        found.ok_or_else(|| unread(path)(wrong(format!("{name:?} is no reason of this version"))))
    }
}

/// The verdict of this name.
pub(super) fn verdict_of(path: &Path) -> impl Fn(&str) -> Result<Verdict, IoError> + '_ {
    move |name| {
        let found = Verdict::ALL.iter().copied().find(|verdict| verdict.name() == name);
        found.ok_or_else(|| unread(path)(wrong(format!("{name:?} is no verdict"))))
    }
}
