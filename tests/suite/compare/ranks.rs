//! Rank correlations, against values by hand and the definition.

use pairgate::Uid;
use pairgate::compare::{Class, Points, kendall, spearman};
use proptest::prelude::*;

use super::uid;

/// Two points of Kendall's own example are exchanged; the ties by hand.
#[test]
fn correlations_by_hand() {
    let points = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)];
    // 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15), and (5 - 1) / 6.
    assert!((spearman(&points).unwrap() - 0.8).abs() < 1e-12);
    assert!((kendall(&points).unwrap() - 4.0 / 6.0).abs() < 1e-12);
    // Ranks 1.5 1.5 3 and 1 2.5 2.5: covariance 0.75, variances 1.5 each. Pairs: one agrees, two are tied.
    let tied = [(1.0, 1.0), (1.0, 2.0), (2.0, 2.0)];
    assert!((spearman(&tied).unwrap() - 0.5).abs() < 1e-12);
    assert!((kendall(&tied).unwrap() - 0.5).abs() < 1e-12);
    let turned: Vec<_> = (0..9).map(|i| (i as f32, -i as f32)).collect();
    assert_eq!((spearman(&turned), kendall(&turned)), (Some(-1.0), Some(-1.0)));
    for none in [&[][..], &[(1.0, 2.0)], &[(1.0, 2.0), (1.0, 3.0)]] {
        assert_eq!((spearman(none), kendall(none)), (None, None), "{none:?}");
    }
}

proptest! {
    /// Against the definition, every pair with every other.
    #[test]
    fn kendall_is_what_its_definition_says(points in prop::collection::vec((0u8..6, 0u8..6), 2..40)) {
        let points: Vec<_> = points.into_iter().map(|(a, b)| (f32::from(a), f32::from(b))).collect();
        let (mut sum, mut old, mut new) = (0.0, 0.0, 0.0);
        for (place, a) in points.iter().enumerate() {
            for b in &points[..place] {
                let order = |x: f32, y: f32| if x == y { 0.0 } else { f64::from((x - y).signum()) };
                let (of_old, of_new) = (order(a.0, b.0), order(a.1, b.1));
                sum += of_old * of_new;
                old += of_old.abs();
                new += of_new.abs();
            }
        }
        let wanted = sum / f64::sqrt(old * new);
        match kendall(&points) {
            Some(found) => prop_assert!((found - wanted).abs() < 1e-9, "{found} {wanted}"),
            None => prop_assert!(wanted.is_nan()),
        }
    }
}

/// Of more pairs than are held those that are kept do not depend on the order, and stand for all.
#[test]
fn a_sample_of_the_scores_does_not_depend_on_the_order() {
    let pairs: Vec<_> = (0..5000u32).map(|number| (uid(number), (number as f32, 1.0))).collect();
    let held = |pairs: &mut dyn Iterator<Item = &(Uid, (f32, f32))>| {
        let mut points = Points::with_most(1000);
        pairs.for_each(|(uid, scores)| points.add(uid, *scores, Class::Both));
        assert_eq!((points.seen(), points.is_exact()), (5000, false));
        let mut scores: Vec<_> = points.scores().iter().map(|(score, _)| *score as u32).collect();
        scores.sort_unstable();
        scores
    };
    let (forth, back) = (held(&mut pairs.iter()), held(&mut pairs.iter().rev()));
    assert_eq!(forth, back);
    assert!(forth.len() > 400 && forth.len() <= 1000, "{}", forth.len());
    let mean = forth.iter().sum::<u32>() as usize / forth.len();
    assert!((2200..2800).contains(&mean), "{mean}");
}
