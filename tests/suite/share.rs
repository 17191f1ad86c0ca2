//! The threshold of a share, found without holding the scores.

use std::convert::Infallible;

use pairgate::decide::share::{Coarse, fraction_threshold_in_passes};
use pairgate::decide::sketch::ScoreSketch;
use pairgate_core::policy::fraction_threshold;
use proptest::prelude::*;

fn in_passes(scores: &[f32], fraction: f64) -> Option<f32> {
    let pass = || Ok::<_, Infallible>(scores.iter().map(|score| Ok(*score)));
    fraction_threshold_in_passes(pass, fraction).unwrap()
}

/// Ties, zeros of both signs, the smallest and the largest numbers among plain scores.
fn scores() -> impl Strategy<Value = Vec<f32>> {
    let special = [0.0, -0.0, f32::MIN_POSITIVE, 1e-45, -1e-45, 1.0, -1.0, f32::MAX, f32::MIN];
    let score = prop_oneof![
        3 => -1.0f32..1.0,
        1 => (-20i8..20).prop_map(|tie| f32::from(tie) / 20.0),
        1 => prop::sample::select(special.to_vec()),
        // Neighbours, which only the lower bits tell apart.
        1 => (0u32..9).prop_map(|low| f32::from_bits(0x3e80_0000 + low)),
    ];
    prop::collection::vec(score, 0..300)
}

#[test]
fn no_scores_give_no_threshold() {
    assert_eq!(in_passes(&[], 0.5), None);
    assert!(Coarse::default().find(1.0).is_none());
}

#[test]
fn a_second_pass_that_lacks_the_scores_gives_none() {
    let mut first = Coarse::default();
    first.add(0.25);
    assert_eq!(first.find(0.5).unwrap().threshold(), None);
}

#[test]
fn an_error_ends_the_pass() {
    let pass = || Ok([Ok(0.1), Err("torn"), Ok(0.2)]);
    assert_eq!(fraction_threshold_in_passes(pass, 0.5), Err("torn"));
    let closed = || Err::<[Result<f32, &str>; 0], _>("closed");
    assert_eq!(fraction_threshold_in_passes(closed, 0.5), Err("closed"));
}

/// What many machines find: each counts its own part, and counts are added up in any order.
fn in_parts(parts: &[&[f32]], fraction: f64) -> Option<f32> {
    let mut all = Coarse::default();
    for part in parts {
        let mut own = Coarse::default();
        part.iter().for_each(|score| own.add(*score));
        own.counts().into_iter().for_each(|(upper, count)| all.add_count(upper, count));
    }
    let first = all.find(fraction)?;
    let mut sum = first.clone();
    for part in parts {
        let mut own = first.clone();
        part.iter().for_each(|score| own.add(*score));
        sum.merge(&own);
    }
    sum.threshold()
}

/// The share that a threshold of merged sketches keeps is off by 0.1 % at most, in whatever order they are merged.
#[test]
fn merged_sketches_are_as_close_as_is_said() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    // Parts of unlike sizes and places, the sum of some evenly distributed numbers each.
    let parts: Vec<Vec<f32>> = (0..120_usize)
        .map(|part| {
            let centre = (part % 7) as f32 / 30.0;
            let count = 300 + 37 * (part % 11);
            (0..count).map(|_| centre + (next() + next() + next() + next()) / 10.0).collect()
        })
        .collect();
    let mut all: Vec<f32> = parts.concat();
    all.sort_unstable_by(f32::total_cmp);
    let sketches: Vec<ScoreSketch> = parts
        .iter()
        .map(|part| {
            let mut sketch = ScoreSketch::new();
            part.iter().for_each(|score| sketch.add(*score));
            sketch
        })
        .collect();
    let merged = |order: &mut dyn Iterator<Item = &ScoreSketch>| {
        let mut sum = ScoreSketch::new();
        order.for_each(|sketch| sum.merge(sketch));
        sum
    };
    for mut sum in [merged(&mut sketches.iter()), merged(&mut sketches.iter().rev())] {
        assert_eq!(sum.count(), all.len() as u64);
        for keep in [0.01, 0.05, 0.15, 0.3, 0.5, 0.9] {
            let threshold = sum.threshold(keep).unwrap();
            let kept = all.len() - all.partition_point(|score| *score < threshold);
            let off = (kept as f64 / all.len() as f64 - keep).abs();
            assert!(off < 0.001, "{keep}: off by {off}");
        }
    }
}

proptest! {
    #[test]
    fn parts_in_any_order_give_what_all_give(
        scores in scores(),
        cuts in (0usize..300, 0usize..300),
        fraction in 1e-6f64..=1.0,
    ) {
        let (a, b) = (cuts.0.min(cuts.1).min(scores.len()), cuts.0.max(cuts.1).min(scores.len()));
        let parts = [&scores[..a], &scores[a..b], &scores[b..]];
        let whole = in_passes(&scores, fraction).map(f32::to_bits);
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let found = in_parts(&order.map(|part| parts[part]), fraction);
            prop_assert_eq!(found.map(f32::to_bits), whole);
        }
    }

    #[test]
    fn bits_are_those_of_the_sorted_scores(scores in scores(), fraction in 1e-6f64..=1.0) {
        for fraction in [fraction, 1.0] {
            let exact = fraction_threshold(&mut scores.clone(), fraction);
            let found = in_passes(&scores, fraction);
            prop_assert_eq!(found.map(f32::to_bits), exact.map(f32::to_bits));
        }
    }
}
