use pairgate::select::quota::{Group, QuotaError, solve, whole};
use proptest::prelude::*;

fn groups(shares: &[f64], least: &[u64], most: &[u64]) -> Vec<Group> {
    let each = shares.iter().zip(least).zip(most);
    each.map(|((share, least), most)| Group { share: *share, least: *least, most: *most }).collect()
}

#[test]
fn the_level_is_the_one_at_which_the_sum_is_right() {
    let groups = groups(&[0.5, 0.3, 0.2], &[10; 3], &[10, 100, 1000]);
    let exact = solve(&groups, 60).unwrap();
    for (found, wanted) in exact.iter().zip([10.0, 28.0, 22.0]) {
        assert!((found - wanted).abs() < 1e-9, "{exact:?}");
    }
    assert_eq!(whole(&groups, 60).unwrap(), [10, 28, 22]);
}

#[test]
fn what_cannot_be_kept_is_an_error() {
    let groups = groups(&[0.5, 0.5], &[3, 3], &[5, 5]);
    assert_eq!(whole(&groups, 5), Err(QuotaError::TooFew { total: 5, least: 6 }));
    assert_eq!(whole(&groups, 11), Err(QuotaError::TooMany { total: 11, most: 10 }));
    let wrong = [Group { share: f64::NAN, least: 0, most: 1 }];
    assert_eq!(whole(&wrong, 1), Err(QuotaError::Group { group: 0 }));
    assert_eq!(whole(&[], 0), Ok(vec![]));
}

/// The least sum of squares, by trying everything.
fn best(groups: &[Group], total: u64) -> f64 {
    fn go(groups: &[Group], total: u64, left: u64) -> f64 {
        let Some((group, rest)) = groups.split_first() else {
            return if left == 0 { 0.0 } else { f64::INFINITY };
        };
        (group.least..=group.most.min(left))
            .map(|kept| {
                (kept as f64 - group.share * total as f64).powi(2) + go(rest, total, left - kept)
            })
            .fold(f64::INFINITY, f64::min)
    }
    go(groups, total, total)
}

proptest! {
    #[test]
    fn quotas_come_to_the_total_within_bounds_and_none_are_nearer(
        raw in prop::collection::vec((1u32..100, 0u64..4, 0u64..8), 1..5),
        part in 0.0f64..=1.0,
    ) {
        let sum: f64 = raw.iter().map(|(share, _, _)| f64::from(*share)).sum();
        let group = |(share, least, more): &(u32, u64, u64)| Group {
            share: f64::from(*share) / sum,
            least: *least,
            most: least + more,
        };
        let groups: Vec<Group> = raw.iter().map(group).collect();
        let least: u64 = groups.iter().map(|group| group.least).sum();
        let most: u64 = groups.iter().map(|group| group.most).sum();
        let total = least + ((most - least) as f64 * part) as u64;
        let quotas = whole(&groups, total).unwrap();
        prop_assert_eq!(quotas.iter().sum::<u64>(), total);
        let within = quotas.iter().zip(&groups).all(|(quota, group)| (group.least..=group.most).contains(quota));
        prop_assert!(within);
        let off: f64 = quotas.iter().zip(&groups)
            .map(|(quota, group)| (*quota as f64 - group.share * total as f64).powi(2)).sum();
        prop_assert!(off <= best(&groups, total) + 1e-6, "{} {:?}", off, quotas);
    }
}
