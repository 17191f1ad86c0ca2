//! The threshold of a share, found without holding the scores.

use std::convert::Infallible;

use pairgate::decide::share::{Coarse, fraction_threshold_in_passes};
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

proptest! {
    #[test]
    fn bits_are_those_of_the_sorted_scores(scores in scores(), fraction in 1e-6f64..=1.0) {
        for fraction in [fraction, 1.0] {
            let exact = fraction_threshold(&mut scores.clone(), fraction);
            let found = in_passes(&scores, fraction);
            prop_assert_eq!(found.map(f32::to_bits), exact.map(f32::to_bits));
        }
    }
}
