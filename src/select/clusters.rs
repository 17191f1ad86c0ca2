//! Density-based pruning: of each concept cluster as many as its complexity says, the farthest ones.
//!
//! Abbas and others, "Effective pruning of web-scale datasets based on complexity of concept clusters"
//! (ICLR 2024). A cluster's complexity is how wide it is times how far its neighbours are; a softmax over
//! these gives each its share of what is kept, and a quota within bounds.

use std::sync::Arc;

use crate::score::{Array, Arrays, Measure, Row, Rows, Scored, StateError, Values};

use super::centroids::{Centroids, distance};
use super::quota::{self, Group, QuotaError};

/// Clusters with the distance from which on each keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// The centroids, of unit length.
    pub centroids: Arc<Centroids>,
    /// The least distance that is kept in each.
    pub cuts: Vec<f32>,
    /// Pairs that each had at the fit, and how many of them were kept.
    pub members: Vec<u64>,
    /// See `members`.
    pub quotas: Vec<u64>,
}

/// How complex each cluster is, and what that makes its share.
#[derive(Debug, Clone, PartialEq)]
pub struct Complexity {
    /// Mean distance of its members to the centroid; NaN where it has none.
    pub intra: Vec<f64>,
    /// Mean distance to the nearest other centroids; NaN where there is none.
    pub inter: Vec<f64>,
    /// Share of what is kept, all together 1.
    pub shares: Vec<f64>,
}

impl Complexity {
    /// Of clusters with these mean distances: `softmax(intra * inter / temperature)`, where a product that
    /// is none counts as the mean of the others.
    pub fn of(intra: Vec<f64>, inter: Vec<f64>, temperature: f64) -> Self {
        let products: Vec<f64> = intra.iter().zip(&inter).map(|(a, b)| a * b).collect();
        let known: Vec<f64> = products.iter().copied().filter(|value| value.is_finite()).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let products =
            products.into_iter().map(|value| if value.is_finite() { value } else { mean });
        let scaled: Vec<f64> = products.map(|value| value / temperature).collect();
        let greatest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers = scaled.iter().map(|value| crate::score::numeric::exp(value - greatest));
        let powers: Vec<f64> = powers.collect();
        let sum: f64 = powers.iter().sum();
        let shares = powers.into_iter().map(|power| power / sum).collect();
        Self { intra, inter, shares }
    }
}

/// For each centroid the mean distance to the `neighbours` nearest other ones.
pub fn inter(
    similarity: impl Fn(usize, usize) -> f64,
    count: usize,
    neighbours: usize,
) -> Vec<f64> {
    let mean = |place: usize| {
        let others = (0..count).filter(|other| *other != place);
        let mut distances: Vec<f64> = others.map(|other| 1.0 - similarity(place, other)).collect();
        distances.sort_by(f64::total_cmp);
        distances.truncate(neighbours);
        distances.iter().sum::<f64>() / distances.len() as f64
    };
    (0..count).map(mean).collect()
}

/// How many each cluster keeps of `total`: its share, at least the part `balance` of an even share, and
/// never more than it has.
///
/// # Errors
/// [`QuotaError`].
pub fn quotas(
    shares: &[f64],
    members: &[u64],
    total: u64,
    balance: f64,
) -> Result<Vec<u64>, QuotaError> {
    // As the authors have it: 1 where nothing is asked for, and never all of a cluster.
    let even = (total as f64 / shares.len() as f64 * balance) as u64;
    let even = if balance == 0.0 { 1 } else { even };
    let group = |(share, members): (&f64, &u64)| Group {
        share: *share,
        least: even.min(members.saturating_sub(1)),
        most: *members,
    };
    let mut groups: Vec<Group> = shares.iter().zip(members).map(group).collect();
    // Lower bounds that come to more than is kept would leave no solution: a total below the number of
    // clusters keeps from the most complex ones.
    if groups.iter().map(|group| group.least).sum::<u64>() > total {
        groups.iter_mut().for_each(|group| group.least = 0);
    }
    quota::whole(&groups, total)
}

/// A pair as its cluster sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The pair's place in the pool.
    pub row: u32,
    /// The cluster's.
    pub cluster: u32,
    /// 1 - cosine to the centroid.
    pub distance: f32,
}

/// What a share of a pool comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruned {
    /// Places of what is kept, in the pool's order.
    pub kept: Vec<u32>,
    /// For each cluster the distance of the nearest member that is kept: infinity where none is.
    pub nearest_kept: Vec<f32>,
    /// How many each had, and how many it keeps.
    pub members: Vec<u64>,
    /// See `members`.
    pub quotas: Vec<u64>,
}

impl Pruned {
    /// What a stream is cut at: as `nearest_kept`, and 0 where a cluster keeps all.
    pub fn cuts(&self) -> Vec<f32> {
        let counts = self.members.iter().zip(&self.quotas);
        let cut = |(cut, (members, quota)): (&f32, (&u64, &u64))| {
            if members == quota && *members > 0 { 0.0 } else { *cut }
        };
        self.nearest_kept.iter().zip(counts).map(cut).collect()
    }
}

/// How a share of a pool is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Share of the pool that is kept, above 0, at most 1.
    pub keep: f64,
    /// Of the softmax.
    pub temperature: f64,
    /// The part of an even share that each cluster keeps at least.
    pub balance: f64,
    /// Other centroids that a cluster's distance is taken to.
    pub neighbours: usize,
}

/// Takes a share of a pool whose `members` lie in the clusters of `centroids`.
///
/// # Errors
/// [`QuotaError`].
pub fn prune(
    members: &mut [Member],
    similarity: impl Fn(usize, usize) -> f64,
    count: usize,
    rule: Rule,
) -> Result<Pruned, QuotaError> {
    // The farthest first; of equal ones the first of the pool.
    members.sort_unstable_by(|a, b| {
        let by_distance = b.distance.total_cmp(&a.distance);
        a.cluster.cmp(&b.cluster).then(by_distance).then(a.row.cmp(&b.row))
    });
    let mut sizes = vec![0u64; count];
    let mut sums = vec![0f64; count];
    for member in members.iter() {
        sizes[member.cluster as usize] += 1;
        sums[member.cluster as usize] += f64::from(member.distance);
    }
    let intra = sums.iter().zip(&sizes).map(|(sum, size)| sum / *size as f64).collect();
    let inter = inter(similarity, count, rule.neighbours);
    let complexity = Complexity::of(intra, inter, rule.temperature);
    let total = (rule.keep * members.len() as f64) as u64;
    let quotas = quotas(&complexity.shares, &sizes, total, rule.balance)?;
    let (mut kept, mut nearest_kept) = (Vec::new(), Vec::with_capacity(count));
    let mut rest = &members[..];
    for (size, quota) in sizes.iter().zip(&quotas) {
        let (cluster, after) = rest.split_at(*size as usize);
        let taken = &cluster[..*quota as usize];
        kept.extend(taken.iter().map(|member| member.row));
        nearest_kept.push(taken.last().map_or(f32::INFINITY, |member| member.distance));
        rest = after;
    }
    kept.sort_unstable();
    Ok(Pruned { kept, nearest_kept, members: sizes, quotas })
}

impl Clusters {
    /// Whether a pair of this cluster and distance is kept.
    pub fn keeps(&self, cluster: u32, distance: f32) -> bool {
        self.cuts.get(cluster as usize).is_some_and(|cut| distance >= *cut)
    }

    /// The cosine of two centroids, about.
    pub fn similarity(centroids: &Rows) -> impl Fn(usize, usize) -> f64 {
        let rows: Vec<Row> = (0..centroids.len()).map(|place| centroids.row(place)).collect();
        move |a, b| f64::from(rows[a].dot(&rows[b]))
    }

    /// Its arrays in a state.
    pub fn to_arrays(&self) -> Vec<Array> {
        let mut arrays = Array::embeddings("centroids", self.centroids.rows()).to_vec();
        arrays.push(Array::list("cuts", Values::F32(self.cuts.clone())));
        arrays.push(Array::list("members", Values::U64(self.members.clone())));
        arrays.push(Array::list("quotas", Values::U64(self.quotas.clone())));
        arrays
    }

    /// The clusters that these arrays hold.
    ///
    /// # Errors
    /// [`StateError`] where they hold none of this dimension.
    pub fn from_arrays(found: &[Array], dimension: usize) -> Result<Self, StateError> {
        let centroids = Arrays(found).rows("centroids", dimension)?;
        let count = centroids.len();
        let cuts = Arrays(found).f32s("cuts", &[count])?.to_vec();
        if cuts.iter().any(|cut| cut.is_nan()) {
            return Err(StateError::value("cuts", "a value is out of its range"));
        }
        let members = Arrays(found).u64s("members", &[count])?.to_vec();
        let quotas = Arrays(found).u64s("quotas", &[count])?.to_vec();
        Ok(Self { centroids: Arc::new(Centroids::new(centroids)), cuts, members, quotas })
    }
}

/// The cluster of a picture, and its distance there.
#[derive(Debug)]
pub struct InCluster(pub Arc<Centroids>);

impl Measure for InCluster {
    /// The cluster's place.
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        self.0.nearest_to(pair.image).place as f32
    }

    fn width(&self) -> usize {
        2
    }

    /// The cluster's place, and 1 - cosine to its centroid.
    fn measure_into(&self, pair: &Scored<'_>, values: &mut Vec<f32>) {
        let nearest = self.0.nearest_to(pair.image);
        values.extend([nearest.place as f32, distance(nearest.similarity)]);
    }
}
