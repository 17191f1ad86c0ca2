//! Balancing by what captions speak of: captions whose every entry is common are drawn more rarely.
//!
//! Xu and others, "Demystifying CLIP data" (MetaCLIP, ICLR 2024). An entry matches where it stands between
//! blanks, case and all. An entry that more captions have than a threshold has the probability
//! threshold / count, a rarer one 1; a caption is kept if one of its entries draws it, and one without an entry
//! is not. The draw is a hash of the seed and the uid: it is the same whatever the order.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::score::{Array, Arrays, Measure, Scored, StateError, Values};

/// Most entries.
pub const MOST_ENTRIES: usize = 4 << 20;
/// Longest entry, in bytes.
const LONGEST: usize = 1024;

/// Entries with their counts.
#[derive(Debug, Clone)]
pub struct Entries {
    names: Vec<String>,
    counts: Vec<u64>,
    threshold: f64,
    seed: u64,
    automaton: AhoCorasick,
}

/// Why entries cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntriesError {
    /// There is none, or too many.
    #[error("{found} entries: there are 1 to {MOST_ENTRIES}")]
    Number {
        /// How many there are.
        found: usize,
    },
    /// One is too long, or empty.
    #[error("entry {place}: it has {bytes} bytes; entries have 1 to {LONGEST}")]
    Length {
        /// Its place, from 1.
        place: usize,
        /// How long it is.
        bytes: usize,
    },
    /// The automaton cannot be made.
    #[error("the entries make no automaton: {0}")]
    Automaton(String),
}

impl Entries {
    /// Entries that no caption was counted for yet.
    ///
    /// # Errors
    /// [`EntriesError`].
    pub fn new(names: Vec<String>, seed: u64) -> Result<Self, EntriesError> {
        if names.is_empty() || names.len() > MOST_ENTRIES {
            return Err(EntriesError::Number { found: names.len() });
        }
        let is_wrong = |name: &String| name.is_empty() || name.len() > LONGEST;
        if let Some(place) = names.iter().position(is_wrong) {
            return Err(EntriesError::Length { place: place + 1, bytes: names[place].len() });
        }
        let patterns = names.iter().map(|name| format!(" {name} "));
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns)
            .map_err(|why| EntriesError::Automaton(why.to_string()))?;
        let counts = vec![0; names.len()];
        Ok(Self { names, counts, threshold: 0.0, seed, automaton })
    }

    /// The places of the entries that a caption has, rising.
    pub fn found_in(&self, caption: &str) -> Vec<usize> {
        let caption = spaced(caption);
        let found = self.automaton.find_overlapping_iter(&caption);
        let mut places: Vec<usize> = found.map(|found| found.pattern().as_usize()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Counts a caption of the pool.
    pub fn count(&mut self, caption: &str) {
        for place in self.found_in(caption) {
            self.counts[place] += 1;
        }
    }

    /// Sets the threshold.
    pub fn set_threshold(&mut self, threshold: f64) {
        self.threshold = threshold;
    }

    /// The threshold.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// How often each entry was found.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The entries.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What draws hash.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The probability that a caption is kept.
    pub fn probability(&self, caption: &str) -> f64 {
        let found = self.found_in(caption);
        probability(found.into_iter().map(|place| self.counts[place]), self.threshold)
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> u64 {
        let names: usize = self.names.iter().map(|name| name.len() + 24).sum();
        (names + 8 * self.counts.len() + self.automaton.memory_usage()) as u64
    }

    /// Its arrays in a state.
    pub fn to_arrays(&self) -> Vec<Array> {
        vec![
            Array::list("entries", Values::Text(self.names.clone())),
            Array::list("counts", Values::U64(self.counts.clone())),
            Array::list("threshold", Values::F64(vec![self.threshold])),
            Array::list("seed", Values::U64(vec![self.seed])),
        ]
    }

    /// The entries that these arrays hold.
    ///
    /// # Errors
    /// [`StateError`] where they hold none.
    pub fn from_arrays(found: &[Array]) -> Result<Self, StateError> {
        let [seed] = Arrays(found).u64s("seed", &[1])?.to_vec()[..] else {
            return Err(StateError::value("seed", "a value is out of its range"));
        };
        let [threshold] = Arrays(found).f64s("threshold", &[1])?.to_vec()[..] else {
            return Err(StateError::value("threshold", "a value is out of its range"));
        };
        if !(threshold >= 0.0 && threshold.is_finite()) {
            return Err(StateError::value("threshold", "a value is out of its range"));
        }
        let entries = Self::new(Arrays(found).texts("entries", &[0])?.to_vec(), seed);
        let mut entries =
            entries.map_err(|_| StateError::value("entries", "a value is out of its range"))?;
        entries.counts = Arrays(found).u64s("counts", &[entries.names.len()])?.to_vec();
        entries.threshold = threshold;
        Ok(entries)
    }
}

/// The probability that a caption is kept whose entries have these counts: 0 without any.
pub fn probability(counts: impl Iterator<Item = u64>, threshold: f64) -> f64 {
    let missed =
        |count: u64| 1.0 - threshold / (count as f64).max(threshold).max(f64::MIN_POSITIVE);
    1.0 - counts.map(missed).product::<f64>()
}

/// The threshold below which a share `tail` of all matches lies: counts in rising order are summed up, and it
/// is the count at which the sum's share is nearest to `tail`.
pub fn tail_threshold(counts: &[u64], tail: f64) -> u64 {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    let total: u64 = counts.iter().sum();
    let (mut sum, mut nearest) = (0, (f64::INFINITY, 0));
    for count in counts {
        sum += count;
        let off = (sum as f64 / total.max(1) as f64 - tail).abs();
        if off < nearest.0 {
            nearest = (off, count);
        }
    }
    nearest.1
}

/// A caption as entries are looked for in it: blanks around it and around signs, lines and tabs as blanks.
fn spaced(caption: &str) -> String {
    let mut spaced = String::with_capacity(caption.len() + 16);
    spaced.push(' ');
    for letter in caption.chars() {
        match letter {
            ',' | '.' | ';' | ':' | '?' | '!' | '`' => {
                spaced.push(' ');
                spaced.push(letter);
                spaced.push(' ');
            }
            '\t' | '\n' | '\r' => spaced.push(' '),
            other => spaced.push(other),
        }
    }
    spaced.push(' ');
    spaced
}

/// The probability that a caption is kept.
#[derive(Debug)]
pub struct Balance(pub std::sync::Arc<Entries>);

impl Measure for Balance {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        self.0.probability(pair.caption) as f32
    }
}
