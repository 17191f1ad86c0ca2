//! A model from an ARPA file, whoever wrote it: every number is checked, and nothing is believed.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use super::super::ngrams::{GREATEST, MAX_ORDER, NGrams};
use super::super::words::{Word, Words};
use super::SPECIAL;
use super::build::{Entry, Fault, build};

/// Longest line, in bytes.
const LINE: u64 = 16 << 10;

/// What is taken of an ARPA file at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpaLimits {
    /// N-grams of all lengths together: about 100 bytes are needed for each while they are read.
    pub most_ngrams: u64,
}

impl Default for ArpaLimits {
    fn default() -> Self {
        Self { most_ngrams: 20_000_000 }
    }
}

/// What an ARPA file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ArpaModel {
    /// The model.
    pub model: NGrams,
    /// N-grams that were left out because a word of them is no token of the network.
    pub foreign: u64,
}

/// Why a file is no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArpaError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A line is none that may stand there.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// An n-gram stands there twice.
    #[error("an n-gram of {order} words stands there twice")]
    Twice {
        /// Its words.
        order: usize,
    },
    /// The last word of an n-gram is no 1-gram.
    #[error("an n-gram ends with a word that is no 1-gram")]
    NoSingle,
}

/// Reads a model over `words`; `tokens` has the id of each token by its name.
///
/// # Errors
/// [`ArpaError`] if the file cannot be read, is damaged or too large.
pub fn read(
    from: impl BufRead,
    words: Words,
    tokens: &HashMap<String, Word>,
    limits: ArpaLimits,
) -> Result<ArpaModel, ArpaError> {
    let mut lines = Lines { from, number: 0, line: Vec::new() };
    let counts = head(&mut lines, limits)?;
    let mut entries: Vec<Vec<Entry>> = Vec::new();
    let mut foreign = 0;
    for (depth, count) in counts.iter().enumerate() {
        let mut level = Vec::new();
        for _ in 0..*count {
            let line = lines.next()?;
            let is_last = depth + 1 == counts.len();
            let entry = entry(line, depth + 1, is_last, words, tokens);
            match entry.map_err(|why| lines.wrong(why))? {
                Some(entry) => level.push(entry),
                None => foreign += 1,
            }
        }
        entries.push(level);
        let wanted = match counts.get(depth + 1) {
            Some(_) => format!("\\{}-grams:", depth + 2),
            None => "\\end\\".to_owned(),
        };
        lines.heading(&wanted)?;
    }
    let levels = build(entries).map_err(|fault| match fault {
        Fault::Twice(order) => ArpaError::Twice { order },
        Fault::NoSingle => ArpaError::NoSingle,
    })?;
    Ok(ArpaModel { model: NGrams::new(words, levels), foreign })
}

/// Reads up to the first n-gram: how many there are of each length.
fn head<R: BufRead>(lines: &mut Lines<R>, limits: ArpaLimits) -> Result<Vec<u64>, ArpaError> {
    while lines.next()? != "\\data\\" {}
    let mut counts = Vec::new();
    loop {
        let line = lines.next()?;
        if line == "\\1-grams:" {
            break;
        }
        let count = line.strip_prefix("ngram ").and_then(|rest| {
            let (order, count) = rest.split_once('=')?;
            let order = order.trim().parse::<usize>().ok()?;
            (order == counts.len() + 1).then(|| count.trim().parse::<u64>().ok())?
        });
        let Some(count) = count else {
            return Err(lines.wrong("it does not say how many n-grams follow".into()));
        };
        counts.push(count);
        if counts.len() > MAX_ORDER {
            return Err(lines.wrong(format!("n-grams have more than {MAX_ORDER} words")));
        }
        let sum = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        if sum > limits.most_ngrams {
            let most = limits.most_ngrams;
            return Err(lines.wrong(format!("{sum} n-grams are too many, the most is {most}")));
        }
    }
    if counts.is_empty() {
        return Err(lines.wrong("no n-grams were announced".into()));
    }
    Ok(counts)
}

/// An n-gram, or `None` where a word is no token.
fn entry(
    line: &str,
    order: usize,
    is_last: bool,
    words: Words,
    tokens: &HashMap<String, Word>,
) -> Result<Option<Entry>, String> {
    let mut fields = line.split([' ', '\t']).filter(|field| !field.is_empty());
    let probability = number(fields.next().unwrap_or_default())?;
    if probability > 0.0 {
        return Err(format!("{probability} is no logarithm of a probability"));
    }
    let mut path = [0; MAX_ORDER];
    let mut is_foreign = false;
    // The last word first.
    for place in path[..order].iter_mut().rev() {
        let name = fields.next().ok_or_else(|| format!("{order} words were expected"))?;
        match word(name, words, tokens) {
            Some(word) => *place = word,
            None => is_foreign = true,
        }
    }
    let backoff = match fields.next() {
        Some(_) if is_last => return Err("the longest n-grams have no back-off weight".into()),
        Some(field) => number(field)?,
        None => 0.0,
    };
    if let Some(more) = fields.next() {
        return Err(format!("{more:?} is one field too many"));
    }
    Ok((!is_foreign).then_some(Entry { path, probability, backoff }))
}

fn word(name: &str, words: Words, tokens: &HashMap<String, Word>) -> Option<Word> {
    let name = if name == "<UNK>" { "<unk>" } else { name };
    let special = SPECIAL.iter().position(|special| *special == name);
    let special = special.map(|at| words.vocabulary + at as u32);
    special.or_else(|| tokens.get(name).copied().filter(|id| *id < words.vocabulary))
}

fn number(field: &str) -> Result<f32, String> {
    let number = field.parse::<f32>().ok().filter(|number| number.abs() <= GREATEST);
    number.ok_or_else(|| format!("{field:?} is no logarithm from -{GREATEST} to {GREATEST}"))
}

/// Lines that are not empty, none longer than the limit.
struct Lines<R> {
    from: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<&str, ArpaError> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.from.by_ref().take(LINE).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Err(self.wrong("the file ends before \\end\\".into()));
            }
            if read as u64 == LINE && self.line.last() != Some(&b'\n') {
                return Err(self.wrong(format!("it is longer than {LINE} bytes")));
            }
            if self.line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                break;
            }
        }
        match std::str::from_utf8(&self.line) {
            Ok(line) => Ok(line.trim_matches([' ', '\t', '\r', '\n'])),
            Err(_) => Err(self.wrong("it is not UTF-8".into())),
        }
    }

    fn heading(&mut self, wanted: &str) -> Result<(), ArpaError> {
        let found = self.next()?;
        if found == wanted {
            return Ok(());
        }
        Err(self.wrong(format!(
            "{wanted} was expected: there are more n-grams, or fewer, than announced"
        )))
    }

    fn wrong(&self, why: String) -> ArpaError {
        ArpaError::Line { line: self.number, why }
    }
}
