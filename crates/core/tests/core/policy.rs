//! What passes.

use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::policy::*;
use proptest::prelude::*;

fn scored(score: f32) -> Facts {
    Facts { score: Some(score), ..Facts::default() }
}

#[test]
fn nan_never_passes() {
    for on_error in [OnError::Drop, OnError::Keep] {
        for threshold in [None, Some(f32::NEG_INFINITY), Some(0.2)] {
            let policy = Policy { threshold, on_error };
            for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let decision = policy.decide(Reason::Passed, scored(score));
                assert_eq!(decision.verdict, Verdict::Failed);
                assert_eq!(decision.reason, Reason::ScoreNotFinite);
            }
        }
    }
}

#[test]
fn a_score_at_the_threshold_passes() {
    let policy = Policy { threshold: Some(0.25), on_error: OnError::Drop };
    assert_eq!(policy.decide(Reason::Passed, scored(0.25)).verdict, Verdict::Kept);
    let below = policy.decide(Reason::Passed, scored(0.249_999_99));
    assert_eq!((below.verdict, below.reason), (Verdict::Rejected, Reason::LowSimilarity));
}

#[test]
fn faults_follow_on_error_and_rules_do_not() {
    let keep = Policy { threshold: None, on_error: OnError::Keep };
    assert_eq!(keep.decide(Reason::Undecodable, Facts::default()).verdict, Verdict::Kept);
    assert_eq!(keep.decide(Reason::ImageTooSmall, Facts::default()).verdict, Verdict::Rejected);
}

#[test]
fn fractions_are_the_nearest_double() {
    assert_eq!(parse_fraction("15%"), Some(0.15));
    assert_eq!(parse_fraction("0.1 %"), Some(0.001));
    assert_eq!(parse_fraction("0.15"), Some(0.15));
    assert_eq!(parse_fraction("100%"), Some(1.0));
    for bad in ["", "%", "0%", "101%", "-5%", "15e1%", "nan", "inf", "1.5"] {
        assert_eq!(parse_fraction(bad), None, "{bad}");
    }
}

proptest! {
    /// The rule, written as DataComp writes it.
    #[test]
    fn threshold_is_datacomps(
        mut scores in prop::collection::vec((-20i8..20).prop_map(|s| f32::from(s) / 20.0), 1..200),
        fraction in 0.001f64..1.0,
    ) {
        let mut sorted = scores.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let n = (scores.len() as f64 * fraction) as usize;
        let threshold = fraction_threshold(&mut scores, fraction).unwrap();
        prop_assert_eq!(threshold, sorted[n]);
        prop_assert!(scores.iter().filter(|s| **s >= threshold).count() > n);
    }
}
