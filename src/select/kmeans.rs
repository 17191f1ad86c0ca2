//! Spherical k-means over rows in int8: the same centroids on every machine and for any number of threads.
//!
//! Rows are taken as if of unit length. A round gives each row to its nearest centroid, by exact integer
//! products, and makes each centroid the direction of its rows' sum, which is a sum of integers too. A
//! cluster that comes out empty begins anew at the row that is farthest from its centroid.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use pairgate_kernels::Team;

use super::centroids::{Centroids, Nearest};
use super::random::Random;
use crate::score::{Row, Rows};

/// A row's weight is a whole number of this part of 1 / its length.
const UNIT: f64 = (1 << 24) as f64;
/// Rows whose weighted codes, of 24 bits and a sign, are summed in 32 bits.
const TOGETHER: usize = 64;

/// What a fit came to.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The centroids.
    pub centroids: Centroids,
    /// Rounds that it took.
    pub rounds: usize,
    /// Whether the last round moved no row to another cluster.
    pub is_stable: bool,
}

/// Why there are no centroids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KMeansError {
    /// Fewer rows than clusters.
    #[error("{points} embeddings cannot make {k} clusters: give a smaller k")]
    TooFew {
        /// Rows.
        points: usize,
        /// Clusters.
        k: usize,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// Finds `k` centroids in at most `rounds` rounds, beginning at rows that `seed` draws. `tell` hears the
/// number of each round, from 1.
///
/// # Errors
/// [`KMeansError`].
pub fn fit(
    points: &Rows,
    k: usize,
    rounds: usize,
    seed: u64,
    team: &Team,
    stop: &AtomicBool,
    mut tell: impl FnMut(usize),
) -> Result<Fitted, KMeansError> {
    if points.len() < k || k == 0 {
        return Err(KMeansError::TooFew { points: points.len(), k });
    }
    let mut centroids = Centroids::new(first(points, k, seed));
    let weights = weights(points);
    let mut before: Vec<u32> = Vec::new();
    for round in 1..=rounds {
        if stop.load(Ordering::SeqCst) {
            return Err(KMeansError::Stopped);
        }
        tell(round);
        let nearest = centroids.nearest(points, team);
        let places: Vec<u32> = nearest.iter().map(|found| found.place).collect();
        if places == before {
            return Ok(Fitted { centroids, rounds: round, is_stable: true });
        }
        let members = Members::of(&places, k);
        let mut rows = means(points, &weights, &members, &centroids, team);
        refill(&mut rows, points, &members, &nearest);
        centroids = Centroids::new(rows);
        before = places;
    }
    Ok(Fitted { centroids, rounds, is_stable: false })
}

/// Rows to begin with, none twice.
fn first(points: &Rows, k: usize, seed: u64) -> Rows {
    let mut random = Random::new(seed);
    let mut places: Vec<u32> = (0..points.len() as u32).collect();
    let mut rows = Rows::new(points.dimension());
    for taken in 0..k {
        let other = taken + random.below((points.len() - taken) as u64) as usize;
        places.swap(taken, other);
        rows.push(&unit(points, places[taken] as usize));
    }
    rows
}

/// A row at unit length.
fn unit(points: &Rows, place: usize) -> Row {
    let codes = &points.codes()[place * points.dimension()..][..points.dimension()];
    let length = f64::from(squares(codes)).sqrt().max(1.0);
    let values: Vec<f32> = codes.iter().map(|code| (f64::from(*code) / length) as f32).collect();
    Row::of_f32(&values)
}

fn squares(codes: &[i8]) -> i32 {
    codes.iter().map(|code| i32::from(*code) * i32::from(*code)).sum()
}

/// What each row's codes are multiplied by, so that all rows count alike.
fn weights(points: &Rows) -> Vec<i32> {
    let rows = points.codes().chunks_exact(points.dimension().max(1));
    // The greatest code of a row is 127, or all are 0.
    let weight = |codes: &[i8]| (UNIT / f64::from(squares(codes)).sqrt().max(127.0)).round() as i32;
    rows.map(weight).collect()
}

/// The rows of each cluster, in their order.
struct Members {
    rows: Vec<u32>,
    /// Where each cluster's begin, and the end.
    starts: Vec<usize>,
}

impl Members {
    fn of(places: &[u32], k: usize) -> Self {
        let mut starts = vec![0; k + 1];
        places.iter().for_each(|place| starts[*place as usize + 1] += 1);
        (0..k).for_each(|cluster| starts[cluster + 1] += starts[cluster]);
        let mut next = starts.clone();
        let mut rows = vec![0; places.len()];
        for (row, place) in places.iter().enumerate() {
            let next = &mut next[*place as usize];
            rows[*next] = row as u32;
            *next += 1;
        }
        Self { rows, starts }
    }

    fn of_cluster(&self, cluster: usize) -> &[u32] {
        &self.rows[self.starts[cluster]..self.starts[cluster + 1]]
    }
}

/// The direction of each cluster's sum; the centroid as it was where there is none.
fn means(
    points: &Rows,
    weights: &[i32],
    members: &Members,
    before: &Centroids,
    team: &Team,
) -> Rows {
    let parts = Mutex::new(Vec::new());
    team.split(before.len(), 1, |clusters| {
        let rows: Vec<Option<Row>> = clusters
            .clone()
            .map(|cluster| direction(points, weights, members.of_cluster(cluster)))
            .collect();
        parts.lock().unwrap_or_else(PoisonError::into_inner).push((clusters.start, rows));
    });
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_by_key(|(start, _)| *start);
    let mut means = before.rows().clone();
    for (start, rows) in parts {
        for (place, row) in rows.iter().enumerate() {
            if let Some(row) = row {
                means.replace(start + place, row);
            }
        }
    }
    means
}

/// The sum of some rows, at unit length; `None` where it has none.
fn direction(points: &Rows, weights: &[i32], rows: &[u32]) -> Option<Row> {
    let dimension = points.dimension();
    let mut sums = vec![0i64; dimension];
    let mut part = vec![0i32; dimension];
    for rows in rows.chunks(TOGETHER) {
        part.fill(0);
        for row in rows {
            let codes = &points.codes()[*row as usize * dimension..][..dimension];
            let weight = weights[*row as usize];
            part.iter_mut().zip(codes).for_each(|(sum, code)| *sum += i32::from(*code) * weight);
        }
        sums.iter_mut().zip(&part).for_each(|(sum, part)| *sum += i64::from(*part));
    }
    let square: f64 = sums.iter().map(|sum| *sum as f64 * *sum as f64).sum();
    if square <= 0.0 {
        return None;
    }
    let length = square.sqrt();
    let values: Vec<f32> = sums.iter().map(|sum| (*sum as f64 / length) as f32).collect();
    Some(Row::of_f32(&values))
}

/// Puts rows that are farthest from their centroids in the place of centroids without rows.
fn refill(rows: &mut Rows, points: &Rows, members: &Members, nearest: &[Nearest]) {
    let empty: Vec<usize> =
        (0..rows.len()).filter(|cluster| members.of_cluster(*cluster).is_empty()).collect();
    if empty.is_empty() {
        return;
    }
    let mut order: Vec<u32> = (0..points.len() as u32).collect();
    let farther = |a: &u32, b: &u32| {
        let similarity = |place: &u32| nearest[*place as usize].similarity;
        similarity(a).total_cmp(&similarity(b)).then(a.cmp(b))
    };
    if empty.len() < order.len() {
        order.select_nth_unstable_by(empty.len(), farther);
        order.truncate(empty.len());
    }
    order.sort_unstable_by(farther);
    for (cluster, place) in empty.into_iter().zip(order) {
        rows.replace(cluster, &unit(points, place as usize));
    }
}
