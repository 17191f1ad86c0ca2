//! What lies on an edge: bounds, ties, orders, and what is forgotten; each was broken on purpose once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pairgate::score::{Array, Row, Rows, Values};
use pairgate::select::centroids::Centroids;
use pairgate::select::chooser::{Chooser, Seen};
use pairgate::select::clusters::quotas;
use pairgate::select::duplicates::Duplicates;
use pairgate::select::entries::{Entries, tail_threshold};
use pairgate::select::fit::Work;
use pairgate::select::pool::InMemory;
use pairgate::select::random::draw;
use pairgate::select::ranks::rank;
use pairgate::select::scorers::Resources;
use pairgate::select::sources::{Followed, Sources};
use pairgate::select::{PoolPair, State, apply, fit, kmeans};
use pairgate::{Reason, Uid};
use pairgate_kernels::Team;

use super::state::fitted;
use super::{about, pairs};

/// A pool of pairs with these scores.
fn scored(scores: &[f32]) -> InMemory {
    let pairs = pairs(scores.len(), 8, 3).into_iter().zip(scores);
    InMemory(pairs.map(|(pair, score)| PoolPair { score: *score, ..pair }).collect())
}

fn kept(pool: &mut InMemory, state: &State) -> Vec<u32> {
    let stop = AtomicBool::new(false);
    apply(pool, state, Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} }).unwrap().kept
}

fn array(state: &State, part: usize, name: &str) -> Array {
    let arrays = state.parts()[part].to_arrays();
    arrays.into_iter().find(|array| array.name == name).unwrap()
}

#[test]
fn a_share_is_rounded_down_and_the_first_of_equal_pairs_are_kept() {
    let mut pool = scored(&[0.1, 0.4, 0.4, 0.4, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1]);
    let state = fitted("score keep 29%", &mut pool, 8);
    assert_eq!(kept(&mut pool, &state), [1, 2]);
}

#[test]
fn percentiles_are_those_of_the_nearest_pair_and_stay_frozen() {
    let mut pool = scored(&[0.1, 0.2, 0.3, 0.4]);
    // The third of four: half of 3 is 1.5, which is rounded up.
    let state = fitted("score within 0% 50%", &mut pool, 8);
    assert_eq!(kept(&mut pool, &state), [0, 1, 2]);
    assert_eq!(kept(&mut scored(&[0.5, 0.25, 0.3, 0.05]), &state), [1, 2]);
}

/// A scorer whose low values are good keeps the lowest, and ranks turn it round.
#[test]
fn low_values_are_kept_where_they_are_the_good_ones() {
    let mut pool = InMemory(pairs(60, 8, 9));
    let phrases = vec![Row::of_f32(&[1.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])];
    let resources = Resources { phrases, ..Resources::default() };
    let stop = AtomicBool::new(false);
    let mut fitted = |expression: &str| {
        let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} };
        fit(&mut pool, about(expression, 8), &resources, work).unwrap().state
    };
    let (alone, ranked) = (fitted("unsafe keep 25%"), Arc::new(fitted("ranks(unsafe) keep 25%")));
    let values: Vec<f32> =
        pool.0.iter().map(|pair| super::pool::measures(&alone, pair).0[0]).collect();
    let mut order: Vec<u32> = (0..60).collect();
    order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
    let mut lowest = order[..15].to_vec();
    lowest.sort_unstable();
    assert_eq!(kept(&mut pool, &alone), lowest);
    assert_eq!(kept(&mut pool, &ranked), lowest);
    let mut chooser = Chooser::new(ranked.clone());
    let mut chosen = |place: u32| {
        let pair = &pool.0[place as usize];
        let (measures, image) = super::pool::measures(&ranked, pair);
        chooser.choose(&seen(pair, 0, &measures, &image)).unwrap().0
    };
    assert_eq!((chosen(order[0]), chosen(order[59])), (Reason::Passed, Reason::NotSelected));
}

/// A bank has the pairs whose uids draw the least numbers.
#[test]
fn a_sample_is_those_that_draw_the_least() {
    let mut pool = InMemory(pairs(40, 8, 5));
    let state = fitted("contrast bank 3 keep 50%", &mut pool, 8);
    let mut drawn: Vec<_> = pool.0.iter().map(|pair| (draw(1234, &pair.uid), pair)).collect();
    drawn.sort_by_key(|(number, _)| *number);
    let mut codes = Vec::new();
    drawn[..3]
        .iter()
        .for_each(|(_, pair)| codes.extend_from_slice(Row::of(&pair.embeddings.image).codes()));
    assert_eq!(array(&state, 0, "images.codes").values, Values::I8(codes));
}

/// The first 8 bytes, little-endian, of SHA-256 over the seed and the uid, by Python's hashlib.
#[test]
fn a_draw_is_a_hash_that_others_can_compute() {
    assert_eq!(draw(1234, &Uid(std::array::from_fn(|at| at as u8))), 12_198_161_437_955_260_336);
}

#[test]
fn clusters_keep_at_least_one_and_never_must_keep_all() {
    // Without a balance each keeps one, however small its share.
    assert_eq!(quotas(&[1.0, 0.0], &[10, 10], 5, 0.0).unwrap(), [4, 1]);
    // An even share of 5 would be all that the second has: it must keep one less.
    assert_eq!(quotas(&[1.0, 0.0], &[20, 3], 10, 1.0).unwrap(), [8, 2]);
}

#[test]
fn a_cosine_at_the_bound_is_not_alike() {
    let centroids = Arc::new(Centroids::new(Rows::new(4)));
    let of = Duplicates { centroids, eps: 0.25, ring: 1 };
    assert!(!of.are_alike(0.75) && of.are_alike(0.750_001));
}

#[test]
fn of_equal_centroids_the_first_is_the_nearest() {
    let (one, other) = (Row::of_f32(&[1.0, 0.0]), Row::of_f32(&[0.0, 1.0]));
    let mut rows = Rows::new(2);
    [&other, &one, &one].into_iter().for_each(|row| rows.push(row));
    assert_eq!(Centroids::new(rows).nearest_to(&one).place, 1);
}

fn sources(follows: bool) -> Sources {
    Sources {
        by: "shard".into(),
        names: vec!["a".into(), "b".into()],
        cuts: vec![0.1, 0.2, 0.3],
        members: vec![10, 10, 10],
        quotas: vec![5, 5, 5],
        quantiles: vec![0.0; 33],
        follows,
    }
}

#[test]
fn a_source_that_is_not_known_is_other() {
    let of = sources(false);
    assert_eq!([of.place(Some("b")), of.place(Some("c")), of.place(None)], [1, 2, 2]);
}

#[test]
fn a_cut_follows_after_100_scores_and_goes_into_checkpoints() {
    let of = sources(true);
    let mut followed = Followed::new(&of);
    (0..99).for_each(|n| followed.take(&of, 1, n as f32 / 100.0));
    assert_eq!(followed.cut(1), 0.2);
    followed.take(&of, 1, 0.99);
    assert_eq!((followed.cut(0), followed.cut(1)), (0.1, 0.5));
    let saved = followed.saved();
    assert_eq!(Followed::restored(&of, &saved).unwrap().cut(1), 0.5);
}

#[test]
fn entries_at_every_sign_and_the_first_of_two_thresholds() {
    let entries = Entries::new(vec!["dog".into()], 1).unwrap();
    for sign in [',', '.', ';', ':', '?', '!', '`', '\t', '\n', '\r'] {
        assert_eq!(entries.found_in(&format!("a dog{sign}cat")), [0], "{sign:?}");
    }
    for sign in ['-', '\'', '"', '('] {
        assert!(entries.found_in(&format!("a dog{sign}cat")).is_empty(), "{sign:?}");
    }
    // A quarter and all of the matches lie as near to five eighths.
    assert_eq!(tail_threshold(&[3, 1], 0.625), 1);
}

#[test]
fn a_frozen_rank_lies_between_its_neighbours() {
    let quantiles: Vec<f32> = (0..1025u16).map(f32::from).collect();
    for value in [0.5, 1.0, 511.75, 1023.5] {
        assert!((rank(&quantiles, value) - f64::from(value) / 1024.0).abs() < 1e-12, "{value}");
    }
}

fn seen<'a>(pair: &'a PoolPair, ticket: u64, measures: &'a [f32], image: &'a Row) -> Seen<'a> {
    Seen {
        ticket,
        uid: pair.uid,
        score: pair.score,
        measures,
        image: Some(image),
        shard: &pair.shard,
        metadata: pair.metadata.as_ref(),
    }
}

/// The first method that a pair fails names its reason, and what is dropped is not remembered.
#[test]
fn the_first_reason_is_told_and_dropped_pairs_are_forgotten() {
    let mut pool = scored(&(0..40).map(|n| n as f32 / 100.0).collect::<Vec<_>>());
    let reason = |expression: &str, pool: &mut InMemory| {
        let state = Arc::new(fitted(expression, pool, 8));
        let (measures, image) = super::pool::measures(&state, &pool.0[0]);
        Chooser::new(state).choose(&seen(&pool.0[0], 0, &measures, &image)).unwrap().0
    };
    let (score, source) = ("score keep 5%", "sources by folder keep 5%");
    assert_eq!(reason(&format!("any({score}, {source})"), &mut pool), Reason::NotSelected);
    assert_eq!(reason(&format!("any({source}, {score})"), &mut pool), Reason::OverQuota);
    assert_eq!(reason(&format!("all({source}, {score})"), &mut pool), Reason::OverQuota);
    let state = Arc::new(fitted("all(duplicates k 1 eps 0.001, score >= 0.2)", &mut pool, 8));
    let mut chooser = Chooser::new(state.clone());
    let (measures, image) = super::pool::measures(&state, &pool.0[0]);
    let mut choose = |ticket: u64, score: f32| {
        let pair = PoolPair { score, ..pool.0[0].clone() };
        chooser.choose(&seen(&pair, ticket, &measures, &image)).unwrap()
    };
    assert_eq!(choose(0, 0.1).0, Reason::NotSelected);
    assert_eq!(choose(1, 0.3).0, Reason::Passed, "the one before was dropped");
    let (reason, choice) = choose(2, 0.3);
    assert_eq!((reason, choice.like), (Reason::NearDuplicate, Some(1)));
}

fn plane(length: f32, degrees: f32) -> Row {
    let angle = degrees.to_radians();
    Row::of_f32(&[length * angle.cos(), length * angle.sin()])
}

fn means(points: &Rows, k: usize, rounds: usize, seed: u64) -> Centroids {
    kmeans::fit(points, k, rounds, seed, &Team::ALONE, &AtomicBool::new(false), |_| {})
        .unwrap()
        .centroids
}

/// A row counts by its direction alone: long codes weigh no more than short ones.
#[test]
fn a_centroid_is_the_mean_direction() {
    // At 45 degrees both codes are the greatest, which makes a row of length 1.41.
    let mut points = Rows::new(2);
    [0.0, 0.0, 45.0, 45.0].into_iter().for_each(|degrees| points.push(&plane(1.0, degrees)));
    let centroid = means(&points, 1, 50, 1).rows().row(0);
    let angle = f32::from(centroid.codes()[1]).atan2(f32::from(centroid.codes()[0])).to_degrees();
    assert!((angle - 22.5).abs() < 0.5, "{angle}");
}

/// An empty cluster begins anew at the row that is farthest from its centroid.
#[test]
fn an_empty_cluster_takes_the_farthest_row() {
    let mut points = Rows::new(2);
    (0..30).for_each(|_| points.push(&plane(1.0, 0.0)));
    points.push(&plane(1.0, 20.0));
    points.push(&plane(1.0, 90.0));
    // By most seeds it begins at three of the same rows, two of which get none.
    for seed in 0..5 {
        let (centroids, row) = (means(&points, 3, 1, seed), plane(1.0, 90.0));
        let nearest = centroids.rows().row(centroids.nearest_to(&row).place as usize);
        assert_eq!(nearest.codes(), row.codes(), "seed {seed}");
    }
}

#[test]
fn halves_are_rounded_to_the_even_code() {
    let row = Row::of_f32(&[127.0, 0.5, 1.5, 2.5, -0.5, -1.5]);
    assert_eq!((row.codes(), row.scale()), ([127, 0, 2, 2, 0, -2].as_slice(), 1.0));
}
