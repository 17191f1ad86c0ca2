//! Semantic de-duplication: of pairs of a cluster whose pictures are alike, one.
//!
//! Abbas and others, "SemDeDup" (2023). In a pool, members of a cluster are gone through from the farthest
//! to the nearest, and each that is like one before it is dropped, also where that one was dropped. In a
//! stream, a pair is held against the last pairs that were **kept** in its nearest cluster and in the second
//! nearest: the order is that of arrival.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::score::{Array, Arrays, Measure, Row, Rows, Scored, StateError, Values};

use super::centroids::Centroids;

/// Clusters, and how alike is too alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicates {
    /// The centroids, of unit length.
    pub centroids: Arc<Centroids>,
    /// Pairs are alike from a cosine above 1 - eps on.
    pub eps: f64,
    /// Kept pairs that are remembered of each cluster.
    pub ring: usize,
}

impl Duplicates {
    /// Its arrays in a state.
    pub fn to_arrays(&self) -> Vec<Array> {
        let mut arrays = Array::embeddings("centroids", self.centroids.rows()).to_vec();
        arrays.push(Array::list("eps", Values::F64(vec![self.eps])));
        arrays.push(Array::list("ring", Values::U64(vec![self.ring as u64])));
        arrays
    }

    /// What these arrays hold.
    ///
    /// # Errors
    /// [`StateError`] where they hold nothing of this dimension.
    pub fn from_arrays(found: &[Array], dimension: usize) -> Result<Self, StateError> {
        let centroids = Arc::new(Centroids::new(Arrays(found).rows("centroids", dimension)?));
        let [eps] = Arrays(found).f64s("eps", &[1])?.to_vec()[..] else {
            return Err(StateError::value("eps", "a value is out of its range"));
        };
        let [ring] = Arrays(found).u64s("ring", &[1])?.to_vec()[..] else {
            return Err(StateError::value("ring", "a value is out of its range"));
        };
        let is_good = (0.0..=1.0).contains(&eps);
        if !is_good {
            return Err(StateError::value("eps", "a value is out of its range"));
        }
        let bytes = ring_bytes(centroids.len() as u64, ring, dimension as u64);
        if ring == 0 || bytes > MOST_RING_BYTES {
            return Err(StateError::value("ring", "a value is out of its range"));
        }
        Ok(Self { centroids, eps, ring: ring as usize })
    }

    /// Whether two pictures of this cosine are alike.
    pub fn are_alike(&self, similarity: f64) -> bool {
        similarity > 1.0 - self.eps
    }
}

/// Bytes that rings may take: they are part of each checkpoint, which has a bound.
pub const MOST_RING_BYTES: u64 = 48 << 20;

/// Bytes that full rings take.
pub fn ring_bytes(clusters: u64, ring: u64, dimension: u64) -> u64 {
    clusters.saturating_mul(ring).saturating_mul(dimension.saturating_add(16))
}

/// Which members of a cluster stay. `order` are their places, from the farthest to the nearest;
/// `similarity` is the cosine of two of them.
pub fn stay(
    count: usize,
    similarity: impl Fn(usize, usize) -> f64,
    are_alike: impl Fn(f64) -> bool,
) -> Vec<bool> {
    let is_alone = |place: usize| (0..place).all(|before| !are_alike(similarity(place, before)));
    (0..count).map(is_alone).collect()
}

/// The nearest cluster of a picture, and the second nearest.
#[derive(Debug)]
pub struct InClusters(pub Arc<Centroids>);

impl Measure for InClusters {
    /// The nearest cluster's place.
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        self.0.nearest_to(pair.image).place as f32
    }

    fn width(&self) -> usize {
        3
    }

    /// The nearest cluster's place, 1 - cosine to it, and the second nearest's place.
    fn measure_into(&self, pair: &Scored<'_>, values: &mut Vec<f32>) {
        let [first, second] = self.0.two_nearest(pair.image);
        values.extend([first.place as f32, first.distance(), second.place as f32]);
    }
}

/// The last kept pairs of each cluster.
#[derive(Debug, Clone, Default)]
pub struct Rings {
    most: usize,
    rings: Vec<Ring>,
}

#[derive(Debug, Clone, Default)]
struct Ring {
    rows: Rows,
    tickets: Vec<u64>,
    /// The place of the oldest, where it is full.
    next: usize,
}

/// A ring as it is saved: from the oldest to the newest.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedRing {
    cluster: u32,
    tickets: Vec<u64>,
    scales: Vec<f32>,
    codes: Vec<i8>,
}

impl Rings {
    /// Empty rings for these clusters.
    pub fn new(of: &Duplicates) -> Self {
        let dimension = of.centroids.rows().dimension();
        let ring = Ring { rows: Rows::new(dimension), ..Ring::default() };
        Self { most: of.ring, rings: vec![ring; of.centroids.len()] }
    }

    /// The remembered pair that `row` is most like, among those of `clusters`: its ticket and the cosine;
    /// of equal ones the first.
    pub fn likest(&self, clusters: [u32; 2], row: &Row) -> Option<(u64, f32)> {
        let mut likest: Option<(u64, f32)> = None;
        let count = if clusters[0] == clusters[1] { 1 } else { 2 };
        for cluster in &clusters[..count] {
            let Some(ring) = self.rings.get(*cluster as usize) else { continue };
            for (similarity, ticket) in ring.rows.dots(row).zip(&ring.tickets) {
                if likest.is_none_or(|(_, best)| similarity > best) {
                    likest = Some((*ticket, similarity));
                }
            }
        }
        likest
    }

    /// Remembers a kept pair; the oldest of a full ring is forgotten.
    pub fn remember(&mut self, cluster: u32, ticket: u64, row: &Row) {
        let Some(ring) = self.rings.get_mut(cluster as usize) else { return };
        if row.codes().len() != ring.rows.dimension() {
            return;
        }
        if ring.tickets.len() < self.most {
            ring.rows.push(row);
            ring.tickets.push(ticket);
        } else {
            ring.rows.replace(ring.next, row);
            ring.tickets[ring.next] = ticket;
            ring.next = (ring.next + 1) % self.most;
        }
    }

    /// All that is remembered.
    pub fn saved(&self) -> Vec<SavedRing> {
        let filled = self.rings.iter().enumerate().filter(|(_, ring)| !ring.tickets.is_empty());
        filled.map(|(cluster, ring)| ring.saved(cluster as u32)).collect()
    }

    /// Rings that remember what was saved; `None` where that does not fit these clusters.
    pub fn restored(of: &Duplicates, saved: Vec<SavedRing>) -> Option<Self> {
        let mut rings = Self::new(of);
        let dimension = of.centroids.rows().dimension();
        for ring in saved {
            let rows = Rows::from_parts(dimension, ring.codes, ring.scales)?;
            let place = rings.rings.get_mut(ring.cluster as usize)?;
            if rows.len() != ring.tickets.len() || rows.len() > rings.most {
                return None;
            }
            *place = Ring { rows, tickets: ring.tickets, next: 0 };
        }
        Some(rings)
    }
}

impl Ring {
    fn saved(&self, cluster: u32) -> SavedRing {
        let dimension = self.rows.dimension();
        let turned = |place: usize| (self.next + place) % self.tickets.len();
        let places = || (0..self.tickets.len()).map(turned);
        SavedRing {
            cluster,
            tickets: places().map(|place| self.tickets[place]).collect(),
            scales: places().map(|place| self.rows.scales()[place]).collect(),
            codes: places()
                .flat_map(|place| &self.rows.codes()[place * dimension..][..dimension])
                .copied()
                .collect(),
        }
    }
}
