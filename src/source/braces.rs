//! `{00000..00099}.tar`: many paths in one, as webdataset expands them (Python's `braceexpand`).
//!
//! Lists (`{a,b}`) and ranges of numbers and letters, with a step or without (`{08..1..3}`), may
//! stand in each other and beside each other. A number with a zero in front gives all of its range
//! the same width. A backslash takes a character for itself.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::disk::IoError;

/// Paths that one may stand for at most.
const MOST_PATHS: usize = 100_000;
/// Braces in each other at most.
const MAX_DEPTH: usize = 32;

/// The paths, those with braces expanded that do not exist as they are written.
///
/// # Errors
/// [`IoError::Read`], which names the path, for one that stands for more than 100,000.
pub fn expand_paths(paths: &[PathBuf]) -> Result<Vec<PathBuf>, IoError> {
    let mut all = Vec::new();
    for path in paths {
        match expanded(path)? {
            Some(expanded) => all.extend(expanded),
            None => all.push(path.clone()),
        }
        if all.len() > MOST_PATHS {
            return Err(too_many(path));
        }
    }
    Ok(all)
}

fn expanded(path: &Path) -> Result<Option<Vec<PathBuf>>, IoError> {
    let Some(text) = path.to_str().filter(|text| text.contains('{')) else { return Ok(None) };
    if path.exists() || !is_balanced(text) {
        return Ok(None);
    }
    match pattern(text, 0) {
        Ok(texts) => {
            Ok(Some(texts.iter().map(|text| PathBuf::from(without_escapes(text))).collect()))
        }
        Err(Fault::TooMany) => Err(too_many(path)),
        // Not meant as braces.
        Err(Fault::Unbalanced) => Ok(None),
    }
}

fn too_many(path: &Path) -> IoError {
    let why = format!("it stands for more than {MOST_PATHS} paths; give some of them at a time");
    let why = io::Error::new(ErrorKind::InvalidInput, why);
    IoError::Read { from: path.to_string_lossy().into_owned(), why }
}

#[derive(Debug)]
enum Fault {
    Unbalanced,
    TooMany,
}

/// All texts that a text with braces stands for.
fn pattern(text: &str, depth: usize) -> Result<Vec<String>, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::TooMany);
    }
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some(open) = brace(rest) {
        let close = closing(&rest[open..]).ok_or(Fault::Unbalanced)? + open;
        let inside = &rest[open + 1..close];
        let alternatives = match expression(inside, depth)? {
            Some(alternatives) => alternatives,
            // Braces that are none.
            None => pattern(inside, depth + 1)?.iter().map(|text| format!("{{{text}}}")).collect(),
        };
        all = product(&all, &rest[..open], &alternatives)?;
        rest = &rest[close + 1..];
    }
    product(&all, rest, &[String::new()])
}

fn product(fronts: &[String], between: &str, ends: &[String]) -> Result<Vec<String>, Fault> {
    if fronts.len().saturating_mul(ends.len()) > MOST_PATHS {
        return Err(Fault::TooMany);
    }
    let joined = |front: &String| {
        let front = front.clone();
        ends.iter().map(move |end| format!("{front}{between}{end}"))
    };
    Ok(fronts.iter().flat_map(joined).collect())
}

/// What stands in braces: a range or a list; `None` for neither.
fn expression(text: &str, depth: usize) -> Result<Option<Vec<String>>, Fault> {
    if let Some(range) = range(text) {
        return range.map(Some);
    }
    let commas: Vec<usize> =
        plain(text).filter(|(_, c, open)| *c == ',' && *open == 0).map(|(at, ..)| at).collect();
    if commas.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    let mut start = 0;
    for end in commas.into_iter().chain([text.len()]) {
        all.extend(pattern(&text[start..end], depth + 1)?);
        start = end + 1;
        if all.len() > MOST_PATHS {
            return Err(Fault::TooMany);
        }
    }
    Ok(Some(all))
}

/// A range of numbers or letters; `None` where the text is none.
fn range(text: &str) -> Option<Result<Vec<String>, Fault>> {
    let parts: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => {
            (first, last, number(step.strip_prefix('-').unwrap_or(step))?.max(1))
        }
        _ => return None,
    };
    let step = step.unsigned_abs();
    if let (Some(from), Some(to)) = (number(first), number(last)) {
        let is_padded = |text: &str| {
            text.len() > 1 && text != "-0" && (text.starts_with('0') || text.starts_with("-0"))
        };
        let width =
            if is_padded(first) || is_padded(last) { first.len().max(last.len()) } else { 0 };
        let count = from.abs_diff(to) / step + 1;
        if count > MOST_PATHS as u64 {
            return Some(Err(Fault::TooMany));
        }
        let sign = if from < to { 1 } else { -1 };
        let nth = |i: u64| from + sign * i64::try_from(i * step).unwrap_or(0);
        return Some(Ok((0..count).map(|i| format!("{:0width$}", nth(i))).collect()));
    }
    let (from, to) = (letter(first)?, letter(last)?);
    let place = |at: usize| ALPHABET.get(at).map(|byte| char::from(*byte).to_string());
    let places = (0..=from.abs_diff(to)).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    let places = places.map(|i| if from < to { from + i } else { from - i });
    Some(Ok(places.filter_map(place).collect()))
}

/// The letters in the order of a range.
const ALPHABET: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn letter(text: &str) -> Option<usize> {
    let &[byte] = text.as_bytes() else { return None };
    ALPHABET.iter().position(|letter| *letter == byte)
}

fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // With room for a step.
    text.parse().ok().filter(|n: &i64| is_number && n.unsigned_abs() < 1 << 60)
}

/// Whether each brace that closes has one that opens before it.
fn is_balanced(text: &str) -> bool {
    let braces = plain(text).map(|(_, c, _)| i64::from(c == '{') - i64::from(c == '}'));
    let depth = |open: i64, step: i64| Some(open + step).filter(|open| *open >= 0);
    braces.into_iter().try_fold(0, depth) == Some(0)
}

/// The place of the first brace that opens.
fn brace(text: &str) -> Option<usize> {
    plain(text).find(|(_, c, _)| *c == '{').map(|(at, ..)| at)
}

/// The place of the brace that closes the one at the start.
fn closing(text: &str) -> Option<usize> {
    plain(text).find(|(_, c, open)| *c == '}' && *open == 0).map(|(at, ..)| at)
}

/// The characters that no backslash stands before, each with its place and the number of braces open
/// around it; a closing brace counts as outside.
fn plain(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let (mut open, mut is_escaped) = (0_usize, false);
    text.char_indices().filter_map(move |(at, c)| {
        let is_plain = !std::mem::replace(&mut is_escaped, false);
        if is_plain && c == '\\' && !cfg!(windows) {
            is_escaped = true;
            return None;
        }
        if !is_plain {
            return None;
        }
        if c == '}' {
            open = open.saturating_sub(1);
        }
        let around = open;
        open += usize::from(c == '{');
        Some((at, c, around))
    })
}

fn without_escapes(text: &str) -> String {
    if cfg!(windows) {
        return text.to_owned();
    }
    let mut is_escaped = false;
    let kept = text.chars().filter(|&c| {
        is_escaped = c == '\\' && !is_escaped;
        !is_escaped
    });
    kept.collect()
}
