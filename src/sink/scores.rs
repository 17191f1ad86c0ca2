//! Scores as JSON lines, one for each pair, in the input's order.
//!
//! ```json
//! {"key":"000000003","shard":"00000.tar","uid":"3f…","score":0.2734,"reason":null,
//!  "caption_length":41,"width":640,"height":480,"sha256":"9c…"}
//! ```
//! `score` is `null` where the network was not asked or gave no number, `reason` where nothing
//! speaks against the pair, `sha256` where there is no image. A score has the fewest digits that
//! give the same 32-bit float again.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::decision::Reason;
use crate::error::RunError;
use crate::pair::Digest;
use crate::sink::file::{PartialFile, failed};
use crate::sink::{Judged, Sink};

/// Writes the lines.
pub struct ScoresSink {
    target: Target,
    path: PathBuf,
}

enum Target {
    /// Appears under its name when the run is done.
    File(PartialFile),
    /// A pipe, a terminal, a device: something that cannot be renamed.
    Stream(Box<dyn Write + Send>),
    /// The file has got its name, or the run has failed.
    Closed,
}

impl ScoresSink {
    /// A sink into the file at `path`, which appears, or is replaced, when the run is done; `-` is
    /// standard output. What is not a plain file, such as a named pipe, is written directly.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be opened.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        if path == Path::new("-") {
            return Ok(Self::over(Box::new(io::stdout()), Path::new("standard output")));
        }
        let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        if is_special {
            let file = fs::OpenOptions::new().write(true).open(path).map_err(failed(path))?;
            return Ok(Self::over(Box::new(file), path));
        }
        // A link stays, and what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { target: Target::File(PartialFile::create(&path)?), path })
    }

    /// A sink into `writer`, buffered here; `path` is what errors call it.
    pub fn over(writer: Box<dyn Write + Send>, path: &Path) -> Self {
        let buffered = Box::new(BufWriter::with_capacity(64 << 10, writer));
        Self { target: Target::Stream(buffered), path: path.to_owned() }
    }

    fn writer(&mut self) -> io::Result<&mut dyn Write> {
        match &mut self.target {
            Target::File(file) => Ok(file),
            Target::Stream(stream) => Ok(stream),
            Target::Closed => Err(io::Error::other("it is already closed")),
        }
    }
}

impl Sink for ScoresSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        let line = serde_json::to_string(&Line::from(judged)).map_err(io::Error::from);
        let written = line.and_then(|line| self.writer()?.write_all((line + "\n").as_bytes()));
        written.map_err(|why| {
            // What is not whole must not get its name.
            self.target = Target::Closed;
            failed(&self.path)(why)
        })
    }

    fn finish(&mut self) -> Result<(), RunError> {
        match std::mem::replace(&mut self.target, Target::Closed) {
            Target::File(file) => file.publish(),
            Target::Stream(mut stream) => stream.flush().map_err(failed(&self.path)),
            Target::Closed => Err(failed(&self.path)(io::Error::other("it is already closed"))),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    shard: &'a str,
    uid: String,
    score: Option<f32>,
    reason: Option<&'static str>,
    caption_length: u32,
    width: u32,
    height: u32,
    sha256: Option<String>,
}

impl<'a> From<&'a Judged> for Line<'a> {
    fn from(judged: &'a Judged) -> Self {
        let Judged { sample, uid, decision } = judged;
        let facts = decision.facts;
        Self {
            key: &sample.key,
            shard: &sample.shard,
            uid: uid.to_string(),
            score: facts.score,
            reason: (decision.reason != Reason::Passed).then(|| decision.reason.name()),
            caption_length: facts.caption_length,
            width: facts.size.width,
            height: facts.size.height,
            sha256: (facts.content != Digest::default()).then(|| facts.content.to_string()),
        }
    }
}
