//! A model as an ARPA file.

use std::collections::HashMap;
use std::io::{self, Write};

use super::super::ngrams::{ABSENT, NGrams, parents_of};
use super::super::words::Word;
use super::SPECIAL;

/// A token whose name cannot stand in an ARPA file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty, or has a space or a control character.
    #[error("token {token}: its name {name:?} cannot stand in an ARPA file")]
    Unfit {
        /// Its id.
        token: Word,
        /// Its name.
        name: String,
    },
    /// Two words have one name.
    #[error("{name:?} is the name of two words")]
    Twice {
        /// The name.
        name: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Writes a model; `name` gives the name of a token.
///
/// # Errors
/// [`NameError`] if a token of the model has no name that can be written, or writing fails.
pub fn write(
    model: &NGrams,
    name: impl Fn(Word) -> Option<String>,
    to: &mut impl Write,
) -> Result<(), NameError> {
    let names = names(model, name)?;
    writeln!(to, "\\data\\")?;
    for (depth, count) in model.counts().into_iter().enumerate() {
        writeln!(to, "ngram {}={count}", depth + 1)?;
    }
    // The words of each node of the level above, joined, as they follow each other.
    let mut above = vec![String::new()];
    let mut parents = vec![0; model.levels()[0].words.len()];
    for (depth, level) in model.levels().iter().enumerate() {
        writeln!(to, "\n\\{}-grams:", depth + 1)?;
        let mut texts = Vec::with_capacity(level.words.len());
        for (node, (word, parent)) in level.words.iter().zip(&parents).enumerate() {
            let (first, rest) = (&names[word], &above[*parent as usize]);
            let text = if rest.is_empty() { first.clone() } else { format!("{first} {rest}") };
            let probability = level.probabilities[node];
            if probability != ABSENT {
                write!(to, "{probability}\t{text}")?;
                match level.backoffs.get(node) {
                    Some(backoff) => writeln!(to, "\t{backoff}")?,
                    None => writeln!(to)?,
                }
            }
            texts.push(text);
        }
        above = texts;
        parents = parents_of(level);
    }
    writeln!(to, "\n\\end\\")?;
    Ok(())
}

/// The names of all words of the model, checked.
fn names(
    model: &NGrams,
    name: impl Fn(Word) -> Option<String>,
) -> Result<HashMap<Word, String>, NameError> {
    let (words, mut names) = (model.words(), HashMap::new());
    let mut seen: HashMap<String, Word> = HashMap::new();
    for word in &model.levels()[0].words {
        let special = word.checked_sub(words.vocabulary).and_then(|at| SPECIAL.get(at as usize));
        let found = special.map(|name| (*name).to_owned()).or_else(|| name(*word));
        let found = found.unwrap_or_default();
        if found.is_empty() || found.contains(|c: char| c == ' ' || c.is_control()) {
            return Err(NameError::Unfit { token: *word, name: found });
        }
        let is_taken = special.is_none() && SPECIAL.contains(&found.as_str());
        if is_taken || seen.insert(found.clone(), *word).is_some() {
            return Err(NameError::Twice { name: found });
        }
        names.insert(*word, found);
    }
    Ok(names)
}
