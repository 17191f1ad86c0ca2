//! The gate on the sample pairs and on broken ones: each ends under its own reason.

use std::fs;

use pairgate::gate::{Examine, Gate, GateSettings, Screening};
use pairgate_core::decision::{Decision, Reason, Verdict};
use pairgate_core::pair::{PairRef, Size};
use pairgate_core::policy::{OnError, Policy};

use crate::support::{data, default_model};

fn gate(settings: GateSettings) -> Gate {
    Gate::new(default_model(), settings)
}

const POLICY: Policy = Policy { threshold: Some(-1.0), on_error: OnError::Drop };

fn settings(screening: Screening) -> GateSettings {
    GateSettings { policy: POLICY, screening, ..GateSettings::default() }
}

fn sample(name: &str) -> (Vec<u8>, Vec<u8>) {
    let folder = data(if name == "damaged" { "damaged" } else { "pairs" });
    let image = fs::read(folder.join(format!("{name}.jpg")));
    let image = image.or_else(|_| fs::read(folder.join(format!("{name}.png")))).unwrap();
    (image, fs::read(folder.join(format!("{name}.txt"))).unwrap())
}

/// The policy's decision on what the gate finds.
fn judge(gate: &mut Gate, pair: PairRef<'_>) -> Decision {
    let evidence = gate.examine(&[pair]).unwrap().remove(0);
    POLICY.decide(evidence.found, evidence.facts)
}

fn judge_sample(gate: &mut Gate, name: &str) -> Decision {
    let (image, caption) = sample(name);
    let pair = PairRef { image: Some(&image), caption: Some(&caption), ..PairRef::default() };
    judge(gate, pair)
}

#[test]
fn sample_pairs_end_under_their_reasons() {
    let mut gate = gate(settings(Screening::Stop));
    for (name, reason) in [
        ("meadow", Reason::Passed),
        ("wrong-meadow", Reason::Passed),
        ("boilerplate", Reason::CaptionTooFewWords),
        ("thumbnail", Reason::ImageTooSmall),
        ("banner", Reason::AspectTooExtreme),
        ("damaged", Reason::ImageTruncated),
    ] {
        let decision = judge_sample(&mut gate, name);
        assert_eq!(decision.reason, reason, "{name}");
        assert_eq!(decision.facts.score.is_some(), reason == Reason::Passed, "{name}");
    }
}

#[test]
fn noting_a_broken_rule_still_scores() {
    let mut gate = gate(settings(Screening::Note));
    for name in ["boilerplate", "thumbnail", "banner"] {
        let decision = judge_sample(&mut gate, name);
        assert!(decision.facts.score.is_some(), "{name}");
        assert_eq!(decision.verdict, Verdict::Rejected, "{name}");
    }
}

#[test]
fn matched_sample_pairs_score_above_swapped_ones() {
    let mut gate = gate(settings(Screening::Stop));
    let mut score = |name: &str| judge_sample(&mut gate, name).facts.score.unwrap();
    for place in ["meadow", "sunset", "city"] {
        let (matched, swapped) = (score(place), score(&format!("wrong-{place}")));
        assert!(matched > swapped + 0.05, "{place}: {matched} against {swapped}");
    }
}

#[test]
fn a_score_does_not_depend_on_the_company() {
    let mut gate = gate(settings(Screening::Stop));
    let samples: Vec<_> = ["meadow", "wrong-city", "sunset", "ball"].map(sample).into();
    let pairs: Vec<_> = samples
        .iter()
        .map(|(image, caption)| PairRef {
            image: Some(image),
            caption: Some(caption),
            ..PairRef::default()
        })
        .collect();
    let together = gate.examine(&pairs).unwrap();
    for (pair, evidence) in pairs.iter().zip(together).rev() {
        assert_eq!(gate.examine(&[*pair]).unwrap()[0], evidence);
    }
}

#[test]
fn faults_have_their_own_reasons() {
    let (image, caption) = sample("meadow");
    let good = PairRef { image: Some(&image), caption: Some(&caption), ..PairRef::default() };
    let long = vec![b'a'; 70_000];
    let mut gate = gate(settings(Screening::Stop));
    for (pair, reason) in [
        (PairRef { image: None, ..good }, Reason::ImageMissing),
        (PairRef { caption: None, ..good }, Reason::CaptionMissing),
        (PairRef { caption: Some(b"a \xff dog runs"), ..good }, Reason::CaptionNotUtf8),
        (PairRef { caption: Some(b""), ..good }, Reason::CaptionTooFewWords),
        (PairRef { caption: Some(&long), ..good }, Reason::CaptionTooLong),
        (PairRef { image: Some(b""), ..good }, Reason::UnknownFormat),
        (PairRef { image: Some(b"<html><body>404</body></html>"), ..good }, Reason::UnknownFormat),
        (PairRef { fault: Some(Reason::ArchiveTorn), ..good }, Reason::ArchiveTorn),
        (PairRef { original_size: Some(Size::new(100, 100)), ..good }, Reason::ImageTooSmall),
    ] {
        assert_eq!(judge(&mut gate, pair).reason, reason);
    }
}

/// A pair that breaks several rules ends by the first one, and all of them are told.
#[test]
fn every_broken_rule_is_told() {
    let (image, _) = sample("thumbnail");
    let pair = PairRef { image: Some(&image), caption: Some(b"a dog"), ..PairRef::default() };
    for screening in [Screening::Stop, Screening::Note] {
        let evidence = gate(settings(screening)).examine(&[pair]).unwrap().remove(0);
        assert_eq!(evidence.found, Reason::CaptionTooFewWords);
        let all = [Reason::CaptionTooFewWords, Reason::CaptionTooShort, Reason::ImageTooSmall];
        assert!(evidence.broken.iter().eq(all), "{:?}", evidence.broken);
    }
}

#[test]
fn the_original_size_stands_for_a_scaled_image() {
    let (image, _) = sample("thumbnail");
    let pair = PairRef {
        image: Some(&image),
        caption: Some(b"a red ball on the grass"),
        original_size: Some(Size::new(640, 640)),
        fault: None,
    };
    let decision = judge(&mut gate(settings(Screening::Stop)), pair);
    assert_eq!((decision.reason, decision.facts.size), (Reason::Passed, Size::new(64, 64)));
}
