//! The parts of an expression with their frozen state, and where each finds its values.

use std::sync::Arc;

use pairgate_core::decision::Reason;

use super::clusters::{Clusters, InCluster};
use super::duplicates::{Duplicates, InClusters, ring_bytes};
use super::entries::{Balance, Entries};
use super::expression::{Atom, Ending, Expression};
use super::scorers::{self, ScorerError};
use super::sources::Sources;
use crate::score::{Array, Arrays, Measure, StateError, Values};

/// The name of the part that cuts a sum of ranks.
pub const RANKS: &str = "ranks";

/// Values that pass: from the first to the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The least.
    pub low: f32,
    /// The greatest.
    pub high: f32,
}

impl Band {
    /// Every number.
    pub const ALL: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };

    /// Whether a value passes; what is no number does not.
    pub fn holds(self, value: f32) -> bool {
        value >= self.low && value <= self.high
    }
}

/// Why a pair is left out that a method does not keep.
pub(super) fn reason_of(method: &str) -> Reason {
    match method {
        "unsafe" => Reason::UnsafeConcept,
        "clusters" | "sources" => Reason::OverQuota,
        "duplicates" => Reason::NearDuplicate,
        "entries" => Reason::NotDrawn,
        _ => Reason::NotSelected,
    }
}

/// A scorer of a part.
#[derive(Debug, Clone)]
pub struct Scorer {
    /// `None`: the model's own score.
    pub measure: Option<Arc<dyn Measure>>,
    /// The measure's frozen state.
    pub arrays: Vec<Array>,
    /// Quantiles of its values at the fit, where it is part of ranks.
    pub quantiles: Vec<f32>,
    /// What passes, where it is cut by itself.
    pub band: Band,
}

/// What is frozen of a part.
#[derive(Debug, Clone)]
pub enum Frozen {
    /// A scorer.
    Scorer(Scorer),
    /// The cut of a sum of ranks.
    Ranks(Band),
    /// Clusters of which the farthest are kept.
    Clusters(Clusters),
    /// Clusters in which like pairs are looked for.
    Duplicates(Duplicates),
    /// Sources with their cuts.
    Sources(Sources),
    /// Entries with their counts.
    Entries(Arc<Entries>),
}

/// A part of a state.
#[derive(Debug, Clone)]
pub struct Part {
    /// The method's name, or [`RANKS`].
    pub name: String,
    /// What is frozen of it.
    pub frozen: Frozen,
}

/// A part as the expression has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// The method; `None` of the one that cuts ranks.
    pub atom: Option<Atom>,
    /// Where it cuts; of a member of ranks the default.
    pub ending: Ending,
}

impl Slot {
    /// The name of its part.
    pub fn name(&self) -> &'static str {
        self.atom.as_ref().map_or(RANKS, |atom| atom.method)
    }
}

/// An expression whose parts are told by their places.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Every one must pass.
    All(Vec<Node>),
    /// One must pass.
    Any(Vec<Node>),
    /// A part.
    Leaf(usize),
    /// Weighted members, and the part that cuts their sum.
    Ranks(Vec<(f64, usize)>, usize),
}

/// Lays an expression out: its tree, and its parts in the order of evaluation.
pub fn lay_out(expression: &Expression) -> (Node, Vec<Slot>) {
    let mut slots = Vec::new();
    let root = node(expression, &mut slots);
    (root, slots)
}

fn node(expression: &Expression, slots: &mut Vec<Slot>) -> Node {
    let mut add = |atom: Option<&Atom>, ending| {
        slots.push(Slot { atom: atom.cloned(), ending });
        slots.len() - 1
    };
    match expression {
        Expression::All(parts) => Node::All(parts.iter().map(|part| node(part, slots)).collect()),
        Expression::Any(parts) => Node::Any(parts.iter().map(|part| node(part, slots)).collect()),
        Expression::Atom(atom, ending) => Node::Leaf(add(Some(atom), *ending)),
        Expression::Ranks(sum, ending) => {
            let member =
                |(weight, atom): &(f64, Atom)| (*weight, add(Some(atom), Ending::default()));
            let members = sum.iter().map(member).collect();
            Node::Ranks(members, add(None, *ending))
        }
    }
}

impl Part {
    /// What computes its values in the workers; `None` where it needs none.
    pub fn measure(&self) -> Option<Arc<dyn Measure>> {
        match &self.frozen {
            Frozen::Scorer(scorer) => scorer.measure.clone(),
            Frozen::Clusters(clusters) => Some(Arc::new(InCluster(clusters.centroids.clone()))),
            Frozen::Duplicates(of) => Some(Arc::new(InClusters(of.centroids.clone()))),
            Frozen::Entries(entries) => Some(Arc::new(Balance(entries.clone()))),
            Frozen::Ranks(_) | Frozen::Sources(_) => None,
        }
    }

    /// What tables call each of its values in the workers, in their order; none where it needs none.
    pub fn value_names(&self) -> Vec<String> {
        let name = self.name.as_str();
        let suffixes: &[&str] = match &self.frozen {
            Frozen::Scorer(scorer) if scorer.measure.is_some() => &[""],
            Frozen::Clusters(_) => &["", "_distance"],
            Frozen::Duplicates(_) => &["", "_distance", "_second"],
            Frozen::Entries(_) => &[""],
            Frozen::Scorer(_) | Frozen::Ranks(_) | Frozen::Sources(_) => &[],
        };
        suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect()
    }

    /// Bytes that a run takes for it beyond what is loaded: full rings and sketches, and a copy that is
    /// being saved.
    pub fn growth(&self) -> u64 {
        match &self.frozen {
            Frozen::Duplicates(of) => {
                let dimension = of.centroids.rows().dimension() as u64;
                3 * ring_bytes(of.centroids.len() as u64, of.ring as u64, dimension)
            }
            Frozen::Sources(sources) if sources.follows => {
                (sources.cuts.len() as u64) * (3 * (40 << 10))
            }
            _ => 0,
        }
    }

    /// Bytes that it takes once it is loaded.
    pub fn memory(&self) -> u64 {
        match &self.frozen {
            Frozen::Scorer(scorer) => 2 * arrays_bytes(&scorer.arrays),
            Frozen::Ranks(_) => 0,
            Frozen::Clusters(clusters) => {
                clusters.centroids.memory() + 20 * clusters.cuts.len() as u64
            }
            Frozen::Duplicates(of) => of.centroids.memory(),
            Frozen::Sources(sources) => 200 * sources.cuts.len() as u64,
            Frozen::Entries(entries) => entries.memory(),
        }
    }

    /// Its arrays in a file.
    pub fn to_arrays(&self) -> Vec<Array> {
        match &self.frozen {
            Frozen::Scorer(scorer) => {
                let mut arrays = scorer.arrays.clone();
                arrays.push(Array::list("select.quantiles", Values::F32(scorer.quantiles.clone())));
                arrays.push(band_array(scorer.band));
                arrays
            }
            Frozen::Ranks(band) => vec![band_array(*band)],
            Frozen::Clusters(clusters) => clusters.to_arrays(),
            Frozen::Duplicates(duplicates) => duplicates.to_arrays(),
            Frozen::Sources(sources) => sources.to_arrays(),
            Frozen::Entries(entries) => entries.to_arrays(),
        }
    }

    /// The part that these arrays hold, for a place in an expression.
    ///
    /// # Errors
    /// [`ScorerError`] where they hold no such part.
    pub fn from_arrays(
        slot: &Slot,
        found: &[Array],
        dimension: usize,
    ) -> Result<Self, ScorerError> {
        let name = slot.name();
        let frozen = match name {
            RANKS => Frozen::Ranks(band(found)?),
            "clusters" => Frozen::Clusters(Clusters::from_arrays(found, dimension)?),
            "duplicates" => Frozen::Duplicates(Duplicates::from_arrays(found, dimension)?),
            "sources" => Frozen::Sources(Sources::from_arrays(found)?),
            "entries" => Frozen::Entries(Arc::new(Entries::from_arrays(found)?)),
            _ => {
                let is_own = |array: &&Array| !array.name.starts_with("select.");
                let arrays: Vec<Array> = found.iter().filter(is_own).cloned().collect();
                let measure = scorers::from_arrays(name, &arrays, dimension)?;
                let quantiles = Arrays(found).f32s("select.quantiles", &[0])?.to_vec();
                if !quantiles.is_sorted() {
                    return Err(StateError::value(
                        "select.quantiles",
                        "a value is out of its range",
                    )
                    .into());
                }
                Frozen::Scorer(Scorer { measure, arrays, quantiles, band: band(found)? })
            }
        };
        Ok(Self { name: name.to_owned(), frozen })
    }
}

fn arrays_bytes(arrays: &[Array]) -> u64 {
    let bytes = |values: &Values| match values {
        Values::I8(values) => values.len() as u64,
        Values::F32(values) => 4 * values.len() as u64,
        Values::F64(values) => 8 * values.len() as u64,
        Values::U64(values) => 8 * values.len() as u64,
        Values::Text(values) => values.iter().map(|text| text.len() as u64 + 24).sum(),
    };
    arrays.iter().map(|array| bytes(&array.values)).sum()
}

fn band_array(band: Band) -> Array {
    Array::list("select.band", Values::F32(vec![band.low, band.high]))
}

fn band(found: &[Array]) -> Result<Band, StateError> {
    match Arrays(found).f32s("select.band", &[2])?.to_vec()[..] {
        [low, high] if !low.is_nan() && !high.is_nan() => Ok(Band { low, high }),
        _ => Err(StateError::value("select.band", "a value is out of its range")),
    }
}
