//! Seconds that a round of k-means takes, on points that `benches/peers/kmeans.py` clusters with faiss:
//!
//! ```text
//! cargo bench --bench kmeans -- [POINTS] [CLUSTERS] [DIMENSION] [ROUNDS] [THREADS]
//! ```
//! Defaults: 1000000 1000 512 5, a thread for each core. Points are round centres that the same generator draws in both.

use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Instant;

use pairgate::score::{Row, Rows};
use pairgate::select::centroids::Centroids;
use pairgate::select::kmeans::fit;
use pairgate_kernels::{Isa, Team};

/// A number from -1 to 1: the fraction of a multiplicative hash, as the Python script has it.
fn drawn(place: u64) -> f32 {
    let mixed = (place ^ (place >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn points(count: usize, clusters: usize, dimension: usize) -> Rows {
    let mut rows = Rows::new(dimension);
    let mut values = vec![0.0; dimension];
    for point in 0..count {
        let centre = (point * 7919) % clusters;
        for (at, value) in values.iter_mut().enumerate() {
            let near = drawn(((1 << 40) + centre * dimension + at) as u64);
            *value = near + drawn((point * dimension + at) as u64);
        }
        rows.push(&Row::of_f32(&values));
    }
    rows
}

/// The mean cosine to the nearest centroid.
fn objective(points: &Rows, centroids: &Centroids, team: &Team) -> f64 {
    let nearest = centroids.nearest(points, team);
    // Rows are of any length here.
    let cosine = |place: usize| {
        let row = points.row(place);
        f64::from(nearest[place].similarity) / f64::from(row.dot(&row)).sqrt()
    };
    (0..points.len()).map(cosine).sum::<f64>() / points.len() as f64
}

fn main() {
    let given: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let or = |place: usize, usual: usize| given.get(place).copied().unwrap_or(usual);
    let (count, clusters, dimension) = (or(0, 1_000_000), or(1, 1000), or(2, 512));
    let (rounds, threads) = (or(3, 5), or(4, available_parallelism().map_or(1, usize::from)));
    let team = Team::new(threads).expect("threads");
    let points = points(count, clusters, dimension);
    println!("{count} points of {dimension}, k {clusters}, {threads} threads, {}", Isa::chosen());
    let mut times = Vec::new();
    let mut last = Instant::now();
    let go_on = AtomicBool::new(false);
    let fitted = fit(&points, clusters, rounds, 1234, &team, &go_on, |_| {
        times.push(last.elapsed().as_secs_f64());
        last = Instant::now();
    })
    .expect("enough points");
    times.push(last.elapsed().as_secs_f64());
    let rounds: Vec<String> = times[1..].iter().map(|time| format!("{time:.3}")).collect();
    println!("seconds a round: {}", rounds.join(" "));
    println!("mean cosine {:.5}", objective(&points, &fitted.centroids, &team));
}
