//! Quotas for sources: the best of each shard, folder or metadata field, as many as its quota says.
//!
//! None of the sources wins everywhere, and a mixture dilutes the best ("Quality not quantity", 2022): what
//! is told of each are its pairs, its scores' quantiles and its quota, and who selects says the shares.

use std::collections::BTreeMap;

use serde_json::Value;

use super::quota::{self, Group, QuotaError};
use crate::decide::sketch::ScoreSketch;
use crate::score::{Array, Arrays, StateError, Values};

/// Most sources; pairs of others, and those that tell of none, are of one source more.
pub const MOST_SOURCES: usize = 10_000;
/// Most sources whose cuts follow their scores: each remembers a sketch.
pub const MOST_FOLLOWED: usize = 1000;
/// Deciles, the least and the greatest among them.
const QUANTILES: usize = 11;
/// Scores of a source after which its cut follows them, and from one cut to the next.
const EVERY: u64 = 100;

/// What a pair's source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The shard, folder or manifest that it came from, as it was named.
    Shard,
    /// The folder of that.
    Folder,
    /// A field of its metadata, with dots between the names of inner ones; of an address, its host alone.
    Field {
        /// The names, from the outermost.
        path: Vec<String>,
        /// Whether it is an address whose host counts.
        host: bool,
    },
}

impl By {
    /// What a word of an expression names: `shard`, `folder`, else a field, `url:host` the host of one.
    pub fn named(word: &str) -> Self {
        match word {
            "shard" => Self::Shard,
            "folder" => Self::Folder,
            field => {
                let (field, host) = match field.strip_suffix(":host") {
                    Some(field) => (field, true),
                    None => (field, false),
                };
                Self::Field { path: field.split('.').map(str::to_owned).collect(), host }
            }
        }
    }

    /// Whether metadata are looked at.
    pub fn needs_metadata(&self) -> bool {
        matches!(self, Self::Field { .. })
    }

    /// A pair's source; `None` where it tells none.
    pub fn of(&self, shard: &str, metadata: Option<&Value>) -> Option<String> {
        match self {
            Self::Shard => Some(shard.to_owned()),
            Self::Folder => {
                let parent = std::path::Path::new(shard).parent();
                parent.map(|folder| folder.to_string_lossy().into_owned())
            }
            Self::Field { path, host } => {
                let value = path.iter().try_fold(metadata?, |value, name| value.get(name))?;
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    Value::Bool(truth) => truth.to_string(),
                    _ => return None,
                };
                if *host { host_of(&text) } else { Some(text) }
            }
        }
    }
}

/// The host of an address, in lower case.
fn host_of(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The cut of each source.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// What a source is, as the expression says it.
    pub by: String,
    /// Their names, sorted. Behind them all, in every list, is the one of all others.
    pub names: Vec<String>,
    /// The least score that each keeps.
    pub cuts: Vec<f32>,
    /// Pairs that each had at the fit.
    pub members: Vec<u64>,
    /// How many of them were kept.
    pub quotas: Vec<u64>,
    /// Deciles of each source's scores at the fit, the least and the greatest among them.
    pub quantiles: Vec<f32>,
    /// Whether the cuts follow the scores, so that each keeps its share.
    pub follows: bool,
}

/// How quotas are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Share of the pool that is kept.
    pub keep: f64,
    /// A source's share is its size to this power: 1 as they are, 0 the same of each.
    pub power: f64,
    /// The least that each keeps, as far as it has as many.
    pub least: u64,
    /// The greatest share of its own pairs that each keeps.
    pub most: f64,
}

/// What a share of a pool comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// Places of what is kept, in the pool's order.
    pub kept: Vec<u32>,
    /// The least score that is kept of each source; infinity where none is.
    pub cuts: Vec<f32>,
    /// Pairs of each.
    pub members: Vec<u64>,
    /// How many of them are kept.
    pub quotas: Vec<u64>,
}

/// A pair as its source sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The pair's place in the pool.
    pub row: u32,
    /// The source's.
    pub source: u32,
    /// Its score.
    pub score: f32,
}

/// Takes a share of a pool: of each source its quota, by score.
///
/// # Errors
/// [`QuotaError`].
pub fn share(members: &mut [Member], count: usize, rule: Rule) -> Result<Shared, QuotaError> {
    members.sort_unstable_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        a.source.cmp(&b.source).then(by_score).then(a.row.cmp(&b.row))
    });
    let mut sizes = vec![0u64; count];
    members.iter().for_each(|member| sizes[member.source as usize] += 1);
    let total = (rule.keep * members.len() as f64) as u64;
    let quotas = quota::whole(&groups(&sizes, rule), total)?;
    let (mut kept, mut cuts) = (Vec::new(), Vec::with_capacity(count));
    let mut rest = &members[..];
    for (size, quota) in sizes.iter().zip(&quotas) {
        let (source, after) = rest.split_at(*size as usize);
        let taken = &source[..*quota as usize];
        kept.extend(taken.iter().map(|member| member.row));
        cuts.push(taken.last().map_or(f32::INFINITY, |member| member.score));
        rest = after;
    }
    kept.sort_unstable();
    Ok(Shared { kept, cuts, members: sizes, quotas })
}

fn groups(sizes: &[u64], rule: Rule) -> Vec<Group> {
    let weight = |size: &u64| match size {
        0 => 0.0,
        size => crate::score::numeric::pow(*size as f64, rule.power),
    };
    let weights: Vec<f64> = sizes.iter().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    let group = |(size, weight): (&u64, &f64)| {
        let most = ((rule.most * *size as f64).ceil() as u64).min(*size);
        Group { share: weight / sum.max(f64::MIN_POSITIVE), least: rule.least.min(most), most }
    };
    sizes.iter().zip(&weights).map(group).collect()
}

/// The most frequent names, at most `most` of them, sorted.
pub fn frequent(counts: BTreeMap<String, u64>, most: usize) -> Vec<String> {
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts.truncate(most);
    let mut names: Vec<String> = counts.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

/// Deciles of scores that are sorted, the least and the greatest among them; NaN without any.
pub fn deciles(sorted: &[f32]) -> [f32; QUANTILES] {
    std::array::from_fn(|place| match sorted.len() {
        0 => f32::NAN,
        count => sorted[place * (count - 1) / (QUANTILES - 1)],
    })
}

impl Sources {
    /// The place of a source; that of all others where it is not known.
    pub fn place(&self, name: Option<&str>) -> u32 {
        let found = name
            .and_then(|name| self.names.binary_search_by(|known| known.as_str().cmp(name)).ok());
        found.unwrap_or(self.names.len()) as u32
    }

    /// The name of a place.
    pub fn name(&self, place: u32) -> &str {
        self.names.get(place as usize).map_or("other", String::as_str)
    }

    /// Its arrays in a state.
    pub fn to_arrays(&self) -> Vec<Array> {
        vec![
            Array::list("by", Values::Text(vec![self.by.clone()])),
            Array::list("names", Values::Text(self.names.clone())),
            Array::list("cuts", Values::F32(self.cuts.clone())),
            Array::list("members", Values::U64(self.members.clone())),
            Array::list("quotas", Values::U64(self.quotas.clone())),
            Array::rows("quantiles", QUANTILES, Values::F32(self.quantiles.clone())),
            Array::list("follows", Values::U64(vec![self.follows.into()])),
        ]
    }

    /// The sources that these arrays hold.
    ///
    /// # Errors
    /// [`StateError`] where they hold none.
    pub fn from_arrays(found: &[Array]) -> Result<Self, StateError> {
        let [by] = &Arrays(found).texts("by", &[0])?.to_vec()[..] else {
            return Err(StateError::value("by", "a value is out of its range"));
        };
        let names = Arrays(found).texts("names", &[0])?.to_vec();
        if names.len() > MOST_SOURCES || !names.is_sorted() {
            return Err(StateError::value("names", "a value is out of its range"));
        }
        let count = names.len() + 1;
        let cuts = Arrays(found).f32s("cuts", &[count])?.to_vec();
        if cuts.iter().any(|cut| cut.is_nan()) {
            return Err(StateError::value("cuts", "a value is out of its range"));
        }
        let [follows] = Arrays(found).u64s("follows", &[1])?.to_vec()[..] else {
            return Err(StateError::value("follows", "a value is out of its range"));
        };
        if follows > 1 || (follows == 1 && names.len() > MOST_FOLLOWED) {
            return Err(StateError::value("follows", "a value is out of its range"));
        }
        Ok(Self {
            by: by.clone(),
            names,
            cuts,
            members: Arrays(found).u64s("members", &[count])?.to_vec(),
            quotas: Arrays(found).u64s("quotas", &[count])?.to_vec(),
            quantiles: Arrays(found).f32s("quantiles", &[count, QUANTILES])?.to_vec(),
            follows: follows == 1,
        })
    }

    /// The share of a source that is kept.
    fn rate(&self, place: usize) -> f64 {
        match self.members[place] {
            // Of one that the fit did not see: the share of all.
            0 => {
                let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
                sum(&self.quotas) / sum(&self.members).max(1.0)
            }
            members => self.quotas[place] as f64 / members as f64,
        }
    }
}

/// Cuts that follow the scores of each source.
#[derive(Debug)]
pub struct Followed {
    cuts: Vec<f32>,
    sketches: Vec<Option<ScoreSketch>>,
}

impl Followed {
    /// Begins with the cuts of the fit.
    pub fn new(of: &Sources) -> Self {
        Self { cuts: of.cuts.clone(), sketches: vec![None; of.cuts.len()] }
    }

    /// The least score that a source keeps now.
    pub fn cut(&self, place: u32) -> f32 {
        self.cuts.get(place as usize).copied().unwrap_or(f32::INFINITY)
    }

    /// Takes the score of a pair that was decided on.
    pub fn take(&mut self, of: &Sources, place: u32, score: f32) {
        let place = place as usize;
        let Some(sketch) = self.sketches.get_mut(place) else { return };
        let sketch = sketch.get_or_insert_default();
        sketch.add(score);
        if sketch.count().is_multiple_of(EVERY)
            && let Some(cut) = sketch.threshold(of.rate(place))
        {
            self.cuts[place] = cut;
        }
    }

    /// All that was learnt: for each source its cut and its sketch's bytes.
    pub fn saved(&mut self) -> Vec<(f32, Vec<u8>)> {
        let sketch = |sketch: &mut Option<ScoreSketch>| match sketch {
            Some(sketch) => sketch.save_bytes(),
            None => Vec::new(),
        };
        let sketches = self.sketches.iter_mut().map(sketch);
        self.cuts.iter().copied().zip(sketches).collect()
    }

    /// Goes on from what was saved; `None` where that does not fit.
    pub fn restored(of: &Sources, saved: &[(f32, Vec<u8>)]) -> Option<Self> {
        if saved.len() != of.cuts.len() {
            return None;
        }
        let mut followed = Self::new(of);
        for (place, (cut, bytes)) in saved.iter().enumerate() {
            followed.cuts[place] = *cut;
            if !bytes.is_empty() {
                followed.sketches[place] = Some(ScoreSketch::of_bytes(bytes)?);
            }
        }
        Some(followed)
    }
}
