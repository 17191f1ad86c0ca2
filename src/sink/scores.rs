//! Scores as JSON lines, one for each pair, in the input's order.
//!
//! ```json
//! {"key":"000000003","shard":"00000.tar","uid":"3f…","score":0.2734,"reason":null,
//!  "caption_length":41,"width":640,"height":480,"sha256":"9c…","metadata":{"url":"https://…"}}
//! ```
//! `score` is `null` where the network was not asked or gave no number, `reason` where nothing
//! speaks against the pair, `sha256` where there is no image. A score has the fewest digits that
//! give the same 32-bit float again. `metadata` is the sample's own `.json` member, or its
//! manifest's line; the field is not there where the sample has none, or where that is no object
//! or has more than [`MAX_METADATA`] bytes. Where a threshold decides, `verdict` follows `reason`:
//! `kept`, `rejected` or `failed`. Where a state selects, what its scorers gave follows `sha256`, each under its
//! own name, `null` where the pair did not come to selection or has no such value. Each line of a stream is handed over as it is made.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pairgate_core::decision::Reason;
use pairgate_core::pair::Digest;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::disk::IoError;
use crate::disk::failed;
use crate::printable::printable;
use crate::score_text::shortest;
use crate::sink::target::{Target, closed};
use crate::sink::{Judged, RunEnd, Sink};

/// Longest metadata that lines and tables carry, in bytes of the sample's `.json` member.
pub const MAX_METADATA: usize = 1 << 20;

/// Writes the lines.
pub struct ScoresSink {
    /// `None`: it has got its name, or the run has failed.
    target: Option<Target>,
    path: PathBuf,
    /// Whether lines say the verdict.
    verdicts: bool,
    /// What the scorers' values are called.
    measures: Vec<String>,
}

impl ScoresSink {
    /// A sink into the file at `path`, which appears, or is replaced, when the run is done; `-` is
    /// standard output. What is not a plain file, such as a named pipe, is written directly.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be opened.
    pub fn create(path: &Path) -> Result<Self, IoError> {
        Ok(Self::into_target(Target::create(path)?))
    }

    /// A sink into `writer`, buffered here; `path` is what errors call it.
    pub fn over(writer: Box<dyn Write + Send>, path: &Path) -> Self {
        Self::into_target(Target::over(writer, path))
    }

    fn into_target(target: Target) -> Self {
        let path = target.path().to_owned();
        Self { target: Some(target), path, verdicts: false, measures: Vec::new() }
    }

    /// The same with the verdict in each line.
    pub fn with_verdicts(self) -> Self {
        Self { verdicts: true, ..self }
    }

    /// The same with what a state's scorers gave in each line, under these names
    /// ([`State::value_names`](crate::select::State::value_names)).
    pub fn with_measures(self, measures: Vec<String>) -> Self {
        Self { measures, ..self }
    }
}

impl Sink for ScoresSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let mut line = Line::from(judged);
        line.verdict = line.verdict.filter(|_| self.verdicts);
        let values = judged.choice.as_ref().map_or(&[][..], |choice| &choice.measures);
        let value = |place: usize| values.get(place).map_or(Value::Null, |value| shortest(*value));
        let named = self.measures.iter().enumerate();
        line.measures = named.map(|(place, name)| (name.clone(), value(place))).collect();
        let line = serde_json::to_string(&line).map_err(io::Error::from);
        let written = line.and_then(|line| {
            let target = self.target.as_mut().ok_or_else(closed)?;
            target.write_all((printable(&line).into_owned() + "\n").as_bytes())?;
            target.hand_over()
        });
        written.map_err(|why| {
            // What is not whole must not get its name.
            self.target = None;
            failed(&self.path)(why)
        })
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        self.target.take().map_or(Ok(()), |target| target.finish(end))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    shard: &'a str,
    uid: String,
    score: Option<Value>,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    caption_length: u32,
    width: u32,
    height: u32,
    sha256: Option<String>,
    #[serde(flatten)]
    measures: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
}

impl<'a> From<&'a Judged> for Line<'a> {
    fn from(judged: &'a Judged) -> Self {
        let Judged { sample, uid, decision, .. } = judged;
        let facts = decision.facts;
        Self {
            key: &sample.key,
            shard: &sample.shard,
            uid: uid.to_string(),
            score: facts.score.map(shortest),
            reason: (decision.reason != Reason::Passed).then(|| decision.reason.name()),
            verdict: Some(decision.verdict.name()),
            caption_length: facts.caption_length,
            width: facts.size.width,
            height: facts.size.height,
            sha256: (facts.content != Digest::default()).then(|| facts.content.to_string()),
            measures: Map::new(),
            metadata: sample.json(MAX_METADATA),
        }
    }
}
