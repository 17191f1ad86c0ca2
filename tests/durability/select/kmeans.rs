use std::sync::atomic::AtomicBool;

use pairgate::score::{Row, Rows};
use pairgate::select::centroids::Centroids;
use pairgate::select::kmeans::{self, KMeansError};
use pairgate_kernels::Team;

use super::Drawn;

fn rows(count: usize, dimension: usize, seed: u64) -> Rows {
    let mut drawn = Drawn(seed);
    let mut rows = Rows::new(dimension);
    for _ in 0..count {
        let values: Vec<f32> = (0..dimension).map(|_| drawn.unit()).collect();
        rows.push(&Row::of_f32(&values));
    }
    rows
}

#[test]
fn the_nearest_is_that_of_plain_products() {
    for (count, dimension) in [(1, 1), (2, 3), (15, 8), (16, 31), (17, 64), (130, 65), (257, 130)] {
        let (points, centres) = (rows(140, dimension, 1), rows(count, dimension, 2));
        let centroids = Centroids::new(centres.clone());
        let all = centroids.nearest(&points, &Team::ALONE);
        for (place, found) in all.iter().enumerate() {
            let row = points.row(place);
            let mut best = (0, f32::NEG_INFINITY);
            for (other, scale) in centres.scales().iter().enumerate() {
                let dot: i32 = row
                    .codes()
                    .iter()
                    .zip(centres.row(other).codes())
                    .map(|(a, b)| i32::from(*a) * i32::from(*b))
                    .sum();
                let value = dot as f32 * scale;
                if value > best.1 {
                    best = (other, value);
                }
            }
            assert_eq!(found.place as usize, best.0, "row {place} of {count} x {dimension}");
            assert_eq!(found.similarity.to_bits(), (best.1 * row.scale()).to_bits());
            assert_eq!(centroids.nearest_to(&row), *found);
            let [first, second] = centroids.two_nearest(&row);
            assert_eq!(first, *found);
            assert!(
                second.similarity <= first.similarity
                    && (second.place != first.place || count == 1)
            );
        }
    }
}

fn fit(points: &Rows, k: usize, team: &Team) -> kmeans::Fitted {
    kmeans::fit(points, k, 50, 1234, team, &AtomicBool::new(false), |_| {}).unwrap()
}

#[test]
fn any_number_of_threads_finds_the_same_centroids() {
    let points = rows(1500, 48, 3);
    let one = fit(&points, 20, &Team::ALONE);
    for threads in [2, 3, 5] {
        let team = Team::new(threads).unwrap();
        let found = fit(&points, 20, &team);
        assert_eq!(found.centroids, one.centroids, "{threads} threads");
        assert_eq!(found.rounds, one.rounds);
    }
}

#[test]
fn planted_clusters_are_found() {
    let centres = rows(6, 64, 8);
    let mut drawn = Drawn(5);
    let mut points = Rows::new(64);
    for place in 0..600 {
        let centre = centres.row(place % 6);
        let near = centre.codes().iter().map(|code| f32::from(*code) + 20.0 * drawn.unit());
        points.push(&Row::of_f32(&near.collect::<Vec<_>>()));
    }
    let found = fit(&points, 6, &Team::ALONE);
    assert!(found.is_stable);
    let nearest = found.centroids.nearest(&points, &Team::ALONE);
    // Random beginnings may put two into one cluster; the rows of one are never torn apart otherwise.
    let mean: f32 = nearest.iter().map(|found| found.similarity).sum::<f32>() / 600.0;
    assert!(mean > 0.0);
}

#[test]
fn rows_that_are_all_alike_fill_no_cluster_twice_and_do_not_hang() {
    let mut points = Rows::new(4);
    (0..20).for_each(|_| points.push(&Row::of_f32(&[1.0, 0.5, 0.0, -1.0])));
    let found = fit(&points, 3, &Team::ALONE);
    assert_eq!(found.centroids.len(), 3);
    assert!(found.is_stable);
}

#[test]
fn too_few_rows_and_a_stop_are_errors() {
    let points = rows(3, 4, 1);
    let stop = AtomicBool::new(false);
    let found = kmeans::fit(&points, 4, 10, 1, &Team::ALONE, &stop, |_| {});
    assert_eq!(found.unwrap_err(), KMeansError::TooFew { points: 3, k: 4 });
    let stop = AtomicBool::new(true);
    let found = kmeans::fit(&points, 2, 10, 1, &Team::ALONE, &stop, |_| {});
    assert_eq!(found.unwrap_err(), KMeansError::Stopped);
}
