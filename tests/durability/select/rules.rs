//! Duplicates, sources, entries and ranks by worked examples.

use std::collections::BTreeMap;

use pairgate::Uid;
use pairgate::score::{Row, Rows};
use pairgate::select::centroids::Centroids;
use pairgate::select::duplicates::{Duplicates, Rings, stay};
use pairgate::select::entries::{Entries, probability, tail_threshold};
use pairgate::select::random::{draw, draw_share};
use pairgate::select::ranks::{quantiles, rank, ranks};
use pairgate::select::sources::{By, Member, Rule, deciles, frequent, share};
use std::sync::Arc;

#[test]
fn one_that_is_dropped_still_drops_others_in_a_pool() {
    let angles = [6.0f64, 4.0, 2.0, 0.0];
    let similarity = |a: usize, b: usize| (angles[a] - angles[b]).to_radians().cos();
    assert_eq!(stay(4, similarity, |cosine| cosine > 1.0 - 0.001), [true, false, false, false]);
}

fn plane(angle: f64) -> Row {
    let angle = angle.to_radians();
    Row::of_f32(&[angle.cos() as f32, angle.sin() as f32])
}

#[test]
fn a_stream_holds_pairs_against_kept_ones_alone() {
    let mut rows = Rows::new(2);
    rows.push(&plane(0.0));
    rows.push(&plane(90.0));
    // Codes of two values resolve a third of a degree: angles and eps are ten times those of the example.
    let of = Duplicates { centroids: Arc::new(Centroids::new(rows)), eps: 0.1, ring: 2 };
    let mut rings = Rings::new(&of);
    let mut kept = Vec::new();
    for (ticket, angle) in [60.0, 40.0, 20.0, 0.0].into_iter().enumerate() {
        let row = plane(angle);
        let [first, second] = of.centroids.two_nearest(&row);
        let likest = rings.likest([first.place, second.place], &row);
        if likest.is_none_or(|(_, similarity)| !of.are_alike(f64::from(similarity))) {
            rings.remember(first.place, ticket as u64, &row);
            kept.push(ticket);
        }
    }
    assert_eq!(kept, [0, 2]);
}

#[test]
fn a_full_ring_forgets_the_oldest_and_is_restored_in_its_order() {
    let mut rows = Rows::new(2);
    rows.push(&plane(45.0));
    let of = Duplicates { centroids: Arc::new(Centroids::new(rows)), eps: 0.001, ring: 2 };
    let mut rings = Rings::new(&of);
    for (ticket, angle) in [0.0, 30.0, 60.0].into_iter().enumerate() {
        rings.remember(0, ticket as u64, &plane(angle));
    }
    let mut restored = Rings::restored(&of, rings.saved()).unwrap();
    for rings in [&mut rings, &mut restored] {
        assert_eq!(rings.likest([0, 0], &plane(0.0)).unwrap().0, 1);
        rings.remember(0, 3, &plane(90.0));
        assert_eq!(
            rings.likest([0, 0], &plane(0.0)).unwrap().0,
            2,
            "the one at 30 degrees is gone"
        );
    }
    let small = Duplicates { ring: 1, ..of };
    assert!(Rings::restored(&small, rings.saved()).is_none(), "more than a ring holds");
}

#[test]
fn common_entries_are_drawn_rarely() {
    assert_eq!(probability([5, 40, 400].into_iter(), 20.0), 1.0);
    assert!((probability([40, 400].into_iter(), 20.0) - 0.525).abs() < 1e-12);
    assert_eq!(probability([].into_iter(), 20.0), 0.0);
    assert_eq!(tail_threshold(&[90, 1, 4, 2, 3], 0.1), 4);
}

#[test]
fn entries_stand_between_blanks_case_and_all() {
    let names = ["dog", "a dog", "Dog", "dog . end", "x"].map(str::to_owned).to_vec();
    let entries = Entries::new(names, 1).unwrap();
    assert_eq!(entries.found_in("a dog"), [0, 1]);
    assert_eq!(entries.found_in("a\tdog\nDog"), [0, 1, 2]);
    assert_eq!(entries.found_in("dog.end"), [0, 3], "signs stand by themselves");
    assert_eq!(entries.found_in("dogs hotdog"), [0usize; 0]);
    assert_eq!(entries.found_in("dog"), [0], "also at both ends");
    assert!(Entries::new(vec![String::new()], 1).is_err());
    assert!(Entries::new(vec![], 1).is_err());
}

#[test]
fn a_draw_is_the_pairs_own() {
    let uid = |n: u64| {
        let mut uid = Uid::default();
        uid.0[..8].copy_from_slice(&n.to_le_bytes());
        uid
    };
    assert_eq!(draw(1, &uid(5)), draw(1, &uid(5)));
    assert_ne!(draw(1, &uid(5)), draw(2, &uid(5)));
    let below = (0..10_000).filter(|n| draw_share(9, &uid(*n)) < 0.3).count();
    assert!((2800..3200).contains(&below), "{below} of 10000 below 0.3");
}

#[test]
fn each_source_keeps_its_best() {
    let scores = [0.5, 0.9, 0.1, 0.8, 0.3, 0.7, 0.2, 0.6];
    let member = |(row, score): (usize, &f32)| Member {
        row: row as u32,
        source: u32::from(row >= 6),
        score: *score,
    };
    let mut members: Vec<Member> = scores.iter().enumerate().map(member).collect();
    let rule = Rule { keep: 0.5, power: 1.0, least: 0, most: 1.0 };
    let shared = share(&mut members, 3, rule).unwrap();
    assert_eq!((&shared.members[..], &shared.quotas[..]), (&[6, 2, 0][..], &[3, 1, 0][..]));
    assert_eq!(shared.kept, [1, 3, 5, 7]);
    assert_eq!(shared.cuts[..2], [0.7, 0.6]);
    let even = share(&mut members, 3, Rule { power: 0.0, ..rule }).unwrap();
    assert_eq!(even.quotas, [2, 2, 0], "the same of each, as far as there are as many");
    assert!(
        share(&mut members, 3, Rule { most: 0.1, ..rule }).is_err(),
        "fewer than are to be kept"
    );
}

#[test]
fn sources_are_shards_folders_or_fields() {
    let metadata =
        serde_json::json!({ "a": { "url": "https://User@Host.Example:8080/x?y#z" }, "n": 3 });
    let of = |word: &str| By::named(word).of("in/one/0.tar", Some(&metadata));
    assert_eq!(of("shard").as_deref(), Some("in/one/0.tar"));
    assert_eq!(of("folder").as_deref(), Some("in/one"));
    assert_eq!(of("a.url:host").as_deref(), Some("host.example"));
    assert_eq!(of("n").as_deref(), Some("3"));
    assert_eq!(of("a"), None, "an object is no name");
    assert_eq!(of("a.missing"), None);
    assert_eq!(By::named("n").of("", None), None);
}

#[test]
fn the_most_frequent_sources_have_names() {
    let counts = [("a", 1), ("b", 5), ("c", 5), ("d", 3)].map(|(name, n)| (name.to_owned(), n));
    let counts: BTreeMap<String, u64> = counts.into();
    assert_eq!(frequent(counts, 3), ["b", "c", "d"]);
    assert_eq!(deciles(&[1.0, 2.0, 3.0])[10], 3.0);
    assert!(deciles(&[])[0].is_nan());
}

#[test]
fn ranks_are_those_of_the_pool() {
    assert_eq!(ranks(&[3.0, 1.0, f32::NAN, 1.0, 5.0]), [0.625, 0.25, 0.0, 0.25, 0.875]);
    let values: Vec<f32> = (0..5000).map(|n| (n as f32 * 0.7).sin()).collect();
    let (exact, frozen) = (ranks(&values), quantiles(&values));
    for (value, exact) in values.iter().zip(exact) {
        let rank = rank(&frozen, *value);
        assert!((rank - exact).abs() < 0.002, "{value}: {rank}, not {exact}");
    }
    assert_eq!((rank(&frozen, -2.0), rank(&frozen, 2.0), rank(&[], 1.0)), (0.0, 1.0, 0.0));
}
