//! N-grams with back-off, in sorted arrays.
//!
//! A tree from an n-gram's last word to its first: a node at depth n is an n-gram, its parent the same without
//! the first word. So one walk back from a word finds the longest n-gram that is there.

use super::super::array::{Array, Arrays, StateError, Values};
use super::super::numeric::exp10;
use super::words::{MOST, Word, Words};

/// Longest n-grams, in words.
pub const MAX_ORDER: usize = 6;
/// Stands for the probability of an n-gram that is only there for longer ones.
pub(super) const ABSENT: f32 = 1.0;
/// The logarithm of the probability of what a model without `<unk>` does not know.
const NEVER: f64 = -100.0;
/// No node.
const NONE: u32 = u32::MAX;
/// The greatest magnitude of a logarithm.
pub(super) const GREATEST: f32 = 1000.0;

/// The n-grams of one length.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Level {
    /// The first word of each, children of one parent ascending.
    pub words: Vec<Word>,
    /// Where the children of each start, and where the last one's end, in the next level; empty at the last.
    pub children: Vec<u32>,
    /// log10 of the probability of the last word behind the others, or [`ABSENT`].
    pub probabilities: Vec<f32>,
    /// log10 of the back-off weight behind this n-gram; empty at the last level.
    pub backoffs: Vec<f32>,
}

/// A language model.
#[derive(Debug, Clone, PartialEq)]
pub struct NGrams {
    words: Words,
    /// At least one.
    levels: Vec<Level>,
    /// The node of each word at the first level, or [`NONE`].
    places: Vec<u32>,
}

/// How likely a caption is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// log10 of its probability, its end included.
    pub log10: f64,
    /// Its words, its end not counted.
    pub words: usize,
}

impl Likelihood {
    /// The inverse of the geometric mean of its words' probabilities, its end counted as one of them.
    pub fn perplexity(self) -> f64 {
        exp10(-self.log10 / (self.words + 1) as f64)
    }

    /// The mean negative logarithm of them, in nats.
    pub fn loss(self) -> f64 {
        -self.log10 * std::f64::consts::LN_10 / (self.words + 1) as f64
    }
}

impl NGrams {
    pub(super) fn new(words: Words, levels: Vec<Level>) -> Self {
        let mut places = vec![NONE; words.count() as usize];
        for (node, word) in levels[0].words.iter().enumerate() {
            places[*word as usize] = node as u32;
        }
        Self { words, levels, places }
    }

    /// The words that it is a model of.
    pub fn words(&self) -> Words {
        self.words
    }

    /// The longest n-grams, in words.
    pub fn order(&self) -> usize {
        self.levels.len()
    }

    /// How many n-grams of each length have a probability.
    pub fn counts(&self) -> Vec<usize> {
        let present = |level: &Level| level.probabilities.iter().filter(|p| **p != ABSENT).count();
        self.levels.iter().map(present).collect()
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// How likely a caption of these token ids is.
    pub fn likelihood(&self, tokens: &[i64]) -> Likelihood {
        let mut text = vec![self.words.start_word()];
        text.extend(self.words.of(tokens).map(|word| self.known(word)));
        text.push(self.words.end_word());
        let log10 = (1..text.len()).map(|at| self.log10(&text[..at], text[at])).sum();
        Likelihood { log10, words: text.len() - 2 }
    }

    /// The word, or `<unk>` where the model has not seen it.
    fn known(&self, word: Word) -> Word {
        if self.places[word as usize] == NONE { self.words.unknown_word() } else { word }
    }

    /// log10 of the probability of a word behind others: that of the longest n-gram that is there, and the
    /// back-off weights of all longer histories.
    fn log10(&self, history: &[Word], word: Word) -> f64 {
        let (mut log10, mut found) = (NEVER, 0);
        for (depth, node) in self.walk(std::iter::once(word).chain(history.iter().rev().copied())) {
            let probability = self.levels[depth].probabilities[node];
            if probability != ABSENT {
                (log10, found) = (f64::from(probability), depth + 1);
            }
        }
        // A history of `found` words is the first that is one too long.
        for (depth, node) in self.walk(history.iter().rev().copied()) {
            if depth + 1 >= found.max(1)
                && let Some(backoff) = self.levels[depth].backoffs.get(node)
            {
                log10 += f64::from(*backoff);
            }
        }
        log10
    }

    /// The nodes from the last word of an n-gram back to its first, as far as they are there.
    fn walk(&self, mut words: impl Iterator<Item = Word>) -> impl Iterator<Item = (usize, usize)> {
        let first =
            words.next().map(|word| self.places[word as usize]).filter(|node| *node != NONE);
        let first = first.map(|node| (0, node as usize));
        std::iter::successors(first, move |(depth, node)| {
            let next = self.child(*depth, *node, words.next()?)?;
            Some((depth + 1, next))
        })
    }

    /// The child of a node at `depth` by its word.
    pub(super) fn child(&self, depth: usize, node: usize, word: Word) -> Option<usize> {
        child(&self.levels, depth, node, word)
    }

    /// The model as arrays whose names begin with `name`.
    pub fn to_arrays(&self, name: &str) -> Vec<Array> {
        let Words { vocabulary, start, end, unknown } = self.words;
        let id = |id: Option<u32>| id.map_or(u64::MAX, u64::from);
        let words = vec![vocabulary.into(), id(start), id(end), id(unknown)];
        let mut arrays = vec![
            Array::list(&format!("{name}.words"), Values::U64(words)),
            Array::list(&format!("{name}.order"), Values::U64(vec![self.order() as u64])),
        ];
        let mut parents = vec![0; self.levels[0].words.len()];
        for (depth, level) in self.levels.iter().enumerate() {
            let keys = level.words.iter().zip(&parents);
            let keys = keys.map(|(word, parent)| u64::from(*parent) << 32 | u64::from(*word));
            let of = |what: &str| format!("{name}.{}.{what}", depth + 1);
            arrays.extend([
                Array::list(&of("keys"), Values::U64(keys.collect())),
                Array::list(&of("probabilities"), Values::F32(level.probabilities.clone())),
                Array::list(&of("backoffs"), Values::F32(level.backoffs.clone())),
            ]);
            parents = parents_of(level);
        }
        arrays
    }

    /// The model that arrays hold whose names begin with `name`.
    ///
    /// # Errors
    /// [`StateError`] if they hold none.
    pub fn from_arrays(arrays: &[Array], name: &str) -> Result<Self, StateError> {
        let arrays = Arrays(arrays);
        let words_name = format!("{name}.words");
        let numbers = arrays.u64s(&words_name, &[4])?;
        let id = |id: u64| (id != u64::MAX).then(|| u32::try_from(id)).transpose();
        let words = || -> Result<Words, std::num::TryFromIntError> {
            let vocabulary = u32::try_from(numbers[0])?;
            let (start, end, unknown) = (id(numbers[1])?, id(numbers[2])?, id(numbers[3])?);
            Ok(Words { vocabulary, start, end, unknown })
        };
        let words = words().ok().filter(|words| words.vocabulary < MOST / 64);
        let words =
            words.ok_or_else(|| StateError::value(&words_name, "these are no token ids"))?;
        let order_name = format!("{name}.order");
        let order = arrays.u64s(&order_name, &[1])?[0];
        if !(1..=MAX_ORDER as u64).contains(&order) {
            let why = format!("{order} is not from 1 to {MAX_ORDER}");
            return Err(StateError::value(&order_name, why));
        }
        let mut levels = Vec::<Level>::new();
        for depth in 0..order as usize {
            let keys_name = format!("{name}.{}.keys", depth + 1);
            let keys = arrays.u64s(&keys_name, &[0])?;
            let parents = levels.last().map_or(1, |level| level.words.len());
            check_keys(keys, parents, words).map_err(|why| StateError::value(&keys_name, why))?;
            if let Some(above) = levels.last_mut() {
                above.children = starts(keys, parents);
            }
            let of = |what: &str| format!("{name}.{}.{what}", depth + 1);
            let probabilities = arrays.finite(&of("probabilities"), &[keys.len()])?;
            let is_one = |p: &f32| (-GREATEST..=0.0).contains(p) || *p == ABSENT;
            if let Some(wrong) = probabilities.iter().find(|p| !is_one(p)) {
                let why = format!("{wrong} is no logarithm of a probability");
                return Err(StateError::value(&of("probabilities"), why));
            }
            let backoffs_name = of("backoffs");
            let count = if depth + 1 == order as usize { 0 } else { keys.len() };
            let backoffs = arrays.finite(&backoffs_name, &[0])?;
            if backoffs.len() != count || backoffs.iter().any(|x| x.abs() > GREATEST) {
                let why = format!("they are not {count} weights of at most {GREATEST}");
                return Err(StateError::value(&backoffs_name, why));
            }
            levels.push(Level {
                words: keys.iter().map(|key| *key as u32).collect(),
                children: Vec::new(),
                probabilities: probabilities.to_vec(),
                backoffs: backoffs.to_vec(),
            });
        }
        Ok(Self::new(words, levels))
    }
}

/// The child of a node at `depth` by its word.
pub(super) fn child(levels: &[Level], depth: usize, node: usize, word: Word) -> Option<usize> {
    let next = levels.get(depth + 1)?;
    let starts = &levels[depth].children;
    let (start, end) = (starts[node] as usize, starts[node + 1] as usize);
    next.words[start..end].binary_search(&word).ok().map(|at| start + at)
}

/// The parent of each node of the level below.
pub(super) fn parents_of(level: &Level) -> Vec<u32> {
    let mut parents = Vec::with_capacity(level.children.last().map_or(0, |end| *end as usize));
    for (node, range) in level.children.windows(2).enumerate() {
        parents.extend((range[0]..range[1]).map(|_| node as u32));
    }
    parents
}

/// Where the children of each of `parents` nodes start among sorted keys, and where the last one's end.
pub(super) fn starts(keys: &[u64], parents: usize) -> Vec<u32> {
    let mut at = 0;
    let mut starts = Vec::with_capacity(parents + 1);
    for parent in 0..=parents as u64 {
        while at < keys.len() && keys[at] >> 32 < parent {
            at += 1;
        }
        starts.push(at as u32);
    }
    starts
}

fn check_keys(keys: &[u64], parents: usize, words: Words) -> Result<(), String> {
    if keys.len() >= NONE as usize {
        return Err("there are too many".into());
    }
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!("{} stands before {}: they must ascend", pair[0], pair[1]));
    }
    let is_one = |key: &u64| {
        (key >> 32) < parents as u64 && (*key & u64::from(u32::MAX)) < u64::from(words.count())
    };
    match keys.iter().find(|key| !is_one(key)) {
        Some(key) => Err(format!("{key} has no parent, or is no word")),
        None => Ok(()),
    }
}
