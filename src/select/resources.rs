//! What methods are fitted with beside the pool: entries, targets, marks, phrases, language models.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::{ImageLimits, SampleLimits};
use pairgate_core::pair::Uid;
use serde::Deserialize;

use super::Expression;
use super::entries::MOST_ENTRIES;
use super::recorded::Tokenize;
use super::runs::RunsError;
use super::scorers::{Mark, Resources, needs_tokens};
use crate::embeddings::Names;
use crate::embeddings::arrays::read_matrix;
use crate::gate::Embedder;
use crate::model::bundle::Bundle;
use crate::model::{Arithmetic, Model};
use crate::recorded::{ReadAs, RecordedRun};
use crate::score::language::Words;
use crate::score::language::arpa::{self, ArpaLimits};
use crate::score::{NGrams, Row};
use crate::text::tokenize::CaptionTokenizer;

/// Longest file of lines.
const MAX_BYTES: u64 = 256 << 20;
/// Most phrases.
const MOST_PHRASES: usize = 4096;

/// The files of what methods are fitted with. Each is read where a method asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceFiles {
    /// Entries for `entries`, a line each.
    pub entries: Option<PathBuf>,
    /// Pictures' embeddings for `targets`: rows of a `.npy`, or a recorded run.
    pub targets: Option<PathBuf>,
    /// Marked pairs for `linear`, `prototypes`, `color`: JSON lines.
    pub labels: Option<PathBuf>,
    /// Examples of base classes for `prototypes`: JSON lines as of `labels`.
    pub base_labels: Option<PathBuf>,
    /// Phrases for `unsafe`, a line each.
    pub phrases: Option<PathBuf>,
    /// A language model of all captions (ARPA).
    pub prior: Option<PathBuf>,
    /// A language model of wanted captions (ARPA).
    pub cond: Option<PathBuf>,
}

/// What the methods of `expression` need; the tokenizer where one looks at tokens. `known_entries` are taken where no
/// file has others. Arrays of targets that are a run's are called `names`.
///
/// # Errors
/// [`RunsError`] that names the file and what is wrong with it.
pub fn of(
    args: &ResourceFiles,
    known_entries: Option<Vec<String>>,
    names: Option<&Names>,
    expression: &Expression,
    bundle: &Bundle,
) -> Result<(Resources, Option<CaptionTokenizer>), RunsError> {
    let has = |method: &str| expression.atoms().iter().any(|atom| atom.method == method);
    let dimension = bundle.manifest.embedding_size;
    let mut found = Resources { logit_scale: bundle.manifest.logit_scale, ..Resources::default() };
    if let Some(path) = &args.entries {
        found.entries = lines(path, MOST_ENTRIES)?;
    } else if let Some(known) = known_entries {
        found.entries = known;
    } else if has("entries") {
        return Err(RunsError::refused("entries needs the entries: --entries FILE"));
    }
    if let Some(path) = &args.targets {
        found.targets = targets(path, names, dimension)?;
    }
    if let Some(path) = &args.labels {
        found.marks = marks(path)?;
    }
    if let Some(path) = &args.base_labels {
        found.base = marks(path)?;
    }
    if let Some(path) = args.phrases.as_ref().filter(|_| has("unsafe")) {
        found.phrases = phrases(path, bundle)?;
    }
    if !expression.atoms().iter().any(|atom| needs_tokens(atom.method)) {
        return Ok((found, None));
    }
    let text = &bundle.manifest.text;
    let tokenizer = tokenizer(bundle)?;
    let words = Words {
        vocabulary: u32::try_from(tokenizer.vocabulary_size()).unwrap_or(u32::MAX),
        start: text.sot_id,
        end: text.eot_id,
        unknown: None,
    };
    found.words = Some(words);
    let model = |path: &Path| language_model(path, words, &tokenizer);
    found.prior = args.prior.as_deref().map(model).transpose()?;
    found.conditional = args.cond.as_deref().map(model).transpose()?;
    Ok((found, Some(tokenizer)))
}

/// From captions to the token ids of a model; what cannot be tokenized has none.
///
/// # Errors
/// [`RunsError::Refused`] where the bundle's tokenizer is none.
pub fn tokens_of(bundle: &Bundle) -> Result<Tokenize, RunsError> {
    let tokenizer = tokenizer(bundle)?;
    Ok(Box::new(move |text| tokenizer.tokenize(text).unwrap_or_default()))
}

fn tokenizer(bundle: &Bundle) -> Result<CaptionTokenizer, RunsError> {
    let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, bundle.manifest.text.framing());
    tokenizer.map_err(|why| RunsError::refused(why.to_string()))
}

fn unread(path: &Path, why: impl std::fmt::Display) -> RunsError {
    RunsError::refused(format!("reading {}: {why}", path.display()))
}

/// The lines of a file, at most `most`; empty ones are left out.
fn lines(path: &Path, most: usize) -> Result<Vec<String>, RunsError> {
    let mut text = String::new();
    let file = File::open(path).map_err(|why| unread(path, why))?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|why| unread(path, why))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unread(path, format!("more than {} MiB", MAX_BYTES >> 20)));
    }
    let lines: Vec<String> =
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    match lines.len() > most {
        true => Err(unread(path, format!("more than {most} lines"))),
        false => Ok(lines),
    }
}

/// The pictures' embeddings of a target: rows of a `.npy`, or those of a recorded run.
fn targets(path: &Path, names: Option<&Names>, dimension: usize) -> Result<Vec<Row>, RunsError> {
    let wrong = |found: usize| {
        unread(path, format!("its embeddings have {found} values, and the model's {dimension}"))
    };
    if path.extension().is_some_and(|extension| extension == "npy") {
        let (values, columns) = read_matrix(path)?;
        if columns != dimension {
            return Err(wrong(columns));
        }
        return Ok(values.chunks_exact(columns).map(Row::of_f32).collect());
    }
    let read = ReadAs { names: names.cloned(), ..ReadAs::default() };
    let mut run = RecordedRun::open(&[path.to_owned()], &read)?;
    if let Some(found) = run.dimension().filter(|found| *found != dimension) {
        return Err(wrong(found));
    }
    let mut rows = Vec::new();
    while let Some(row) = run.next()? {
        rows.extend(row.embeddings.map(|pair| Row::of(&pair.image)));
    }
    Ok(rows)
}

/// A line of marks, as the report exports them.
#[derive(Deserialize)]
struct Line {
    uid: String,
    mark: String,
    #[serde(default)]
    class: Option<String>,
}

fn marks(path: &Path) -> Result<HashMap<Uid, Mark>, RunsError> {
    let mut marks = HashMap::new();
    for (place, line) in lines(path, MOST_ENTRIES)?.iter().enumerate() {
        let wrong = |why: String| unread(path, format!("line {}: {why}", place + 1));
        let Line { uid, mark, class } =
            serde_json::from_str(line).map_err(|why| wrong(why.to_string()))?;
        let uid = uid.parse::<Uid>().map_err(|why| wrong(format!("uid: {why}")))?;
        let is_good = match mark.as_str() {
            "good" => true,
            "bad" => false,
            other => return Err(wrong(format!("mark {other:?} is neither good nor bad"))),
        };
        marks.insert(uid, Mark { is_good, class });
    }
    Ok(marks)
}

fn phrases(path: &Path, bundle: &Bundle) -> Result<Vec<Row>, RunsError> {
    let phrases = lines(path, MOST_PHRASES)?;
    let model = Arc::new(Model::load(bundle, Arithmetic::int8())?);
    let mut embedder = Embedder::new(model, ImageLimits::default(), SampleLimits::default());
    let mut rows = Vec::with_capacity(phrases.len());
    for phrase in &phrases {
        let embedding = embedder.embed_captions(&[phrase.as_bytes()]);
        let embedding = embedding.map_err(|(_, why)| unread(path, format!("{phrase:?}: {why}")))?;
        rows.push(Row::of_f32(embedding));
    }
    Ok(rows)
}

fn language_model(
    path: &Path,
    words: Words,
    tokenizer: &CaptionTokenizer,
) -> Result<NGrams, RunsError> {
    let file = File::open(path).map_err(|why| unread(path, why))?;
    let from: Box<dyn BufRead> = Box::new(BufReader::new(file));
    let read = arpa::read(from, words, &tokenizer.tokens(), ArpaLimits::default());
    let read = read.map_err(|why| unread(path, why))?;
    if read.foreign > 0 {
        log::warn!(
            "{}: {} n-grams have words that are no tokens of the model, and are left out",
            path.display(),
            read.foreign
        );
    }
    Ok(read.model)
}
