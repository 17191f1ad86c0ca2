//! The tree of a model from its n-grams in any order.

use super::super::ngrams::{ABSENT, Level, MAX_ORDER, starts};
use super::super::words::Word;

/// An n-gram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Its words, the last first; zeros behind them.
    pub path: [Word; MAX_ORDER],
    /// log10 of its probability.
    pub probability: f32,
    /// log10 of its back-off weight.
    pub backoff: f32,
}

/// Why n-grams make no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Two of this length are the same.
    Twice(usize),
    /// The last word of one is no 1-gram.
    NoSingle,
}

/// The levels of n-grams by their length. An n-gram whose words but the first are no n-gram of their own gets
/// that as one without a probability.
///
/// # Errors
/// [`Fault`].
pub fn build(mut entries: Vec<Vec<Entry>>) -> Result<Vec<Level>, Fault> {
    for (depth, level) in entries.iter_mut().enumerate() {
        level.sort_unstable_by_key(|entry| entry.path);
        if level.windows(2).any(|pair| pair[0].path == pair[1].path) {
            return Err(Fault::Twice(depth + 1));
        }
    }
    for depth in (1..entries.len()).rev() {
        let (above, level) = entries.split_at_mut(depth);
        let singles = above[0].len();
        add_missing(&mut above[depth - 1], &level[0], depth);
        if above[0].len() > singles {
            return Err(Fault::NoSingle);
        }
    }
    let mut levels: Vec<Level> = Vec::new();
    for (depth, level) in entries.iter().enumerate() {
        if depth > 0 {
            let keys = keys(&entries[depth - 1], level, depth);
            levels[depth - 1].children = starts(&keys, entries[depth - 1].len());
        }
        let backoffs = level.iter().map(|entry| entry.backoff);
        levels.push(Level {
            words: level.iter().map(|entry| entry.path[depth]).collect(),
            children: Vec::new(),
            probabilities: level.iter().map(|entry| entry.probability).collect(),
            backoffs: if depth + 1 == entries.len() { Vec::new() } else { backoffs.collect() },
        });
    }
    Ok(levels)
}

/// The first `depth` words of a path.
fn parent(path: [Word; MAX_ORDER], depth: usize) -> [Word; MAX_ORDER] {
    let mut parent = [0; MAX_ORDER];
    parent[..depth].copy_from_slice(&path[..depth]);
    parent
}

fn add_missing(above: &mut Vec<Entry>, level: &[Entry], depth: usize) {
    let mut missing: Vec<Entry> = Vec::new();
    for entry in level {
        let path = parent(entry.path, depth);
        let is_there = above.binary_search_by_key(&path, |entry| entry.path).is_ok();
        if !is_there && missing.last().is_none_or(|last| last.path != path) {
            missing.push(Entry { path, probability: ABSENT, backoff: 0.0 });
        }
    }
    above.extend(missing);
    above.sort_unstable_by_key(|entry| entry.path);
}

/// Keys of the children, as [`starts`] takes them.
fn keys(above: &[Entry], level: &[Entry], depth: usize) -> Vec<u64> {
    let mut at = 0;
    let place = |entry: &Entry| {
        let path = parent(entry.path, depth);
        while at < above.len() && above[at].path < path {
            at += 1;
        }
        (at as u64) << 32
    };
    level.iter().map(place).collect()
}
