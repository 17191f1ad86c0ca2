//! The linear head.

use pairgate::score::linear::{Standard, sigmoid};
use pairgate::score::{Features, Labelled, Linear, LinearError, LinearOptions, Row};

use super::{Noise, assert_rounds_to, measured, row};

#[test]
fn the_worked_example_of_folding() {
    let standard = Standard { mean: vec![0.1, 0.2], deviation: vec![0.5, 0.25] };
    let head = Linear::folded(Features::Image, &[2.0, -1.0], 0.3, &standard);
    for (weight, wanted) in head.weights().iter().zip([4.0, -4.0]) {
        assert_rounds_to(*weight, wanted, 12);
    }
    assert_rounds_to(head.bias(), 0.7, 12);
    assert_rounds_to(head.logit(&[0.6, 0.1]), 2.7, 12);
    assert_rounds_to(sigmoid(head.logit(&[0.6, 0.1])), 0.937_027, 6);
}

fn labelled(count: usize, is_out: impl Fn(&Row, &Row) -> bool) -> Vec<Labelled> {
    let noise = &mut Noise(4);
    let pair = |_| {
        let (image, text) = (noise.row(16), noise.row(16));
        let is_out = is_out(&image, &text);
        Labelled { image, text, is_out }
    };
    (0..count).map(pair).collect()
}

#[test]
fn what_products_tell_is_learnt_and_the_same_again() {
    let pairs = labelled(600, |image, text| image.dot(text) < 0.0);
    let head = Linear::fit(pairs[..400].to_vec(), LinearOptions::default()).unwrap();
    let is_right =
        |pair: &&Labelled| (measured(&head, &pair.image, &pair.text, 0.0) > 0.5) == pair.is_out;
    let right = pairs[400..].iter().filter(is_right).count();
    assert!(right > 170, "{right} of 200 right");
    assert_eq!(Linear::fit(pairs[..400].to_vec(), LinearOptions::default()).unwrap(), head);
    assert_eq!(Linear::from_arrays(&head.to_arrays(), 16).unwrap(), head);
}

/// Without a penalty there would be no best head.
#[test]
fn labels_that_can_be_told_apart_give_a_head() {
    let pairs = labelled(8, |image, _| image.codes()[0] > 0);
    for features in [Features::Image, Features::Joint] {
        let options = LinearOptions { features, penalty: 1e-4 };
        let head = Linear::fit(pairs.clone(), options).unwrap();
        assert!(head.weights().iter().all(|weight| weight.is_finite()));
        for pair in &pairs {
            assert_eq!(measured(&head, &pair.image, &pair.text, 0.0) > 0.5, pair.is_out);
        }
    }
}

/// One label of a hundred counts as much as the ninety-nine together.
#[test]
fn classes_count_alike() {
    let same = row(&[1.0, 0.0]);
    let pairs =
        (0..100).map(|n| Labelled { image: same.clone(), text: same.clone(), is_out: n == 0 });
    let head = Linear::fit(pairs, LinearOptions::default()).unwrap();
    assert_rounds_to(measured(&head, &same, &same, 0.0).into(), 0.5, 6);
}

#[test]
fn labels_of_one_kind_and_bad_penalties_are_refused() {
    let pairs = labelled(10, |_, _| true);
    let fit =
        |penalty| Linear::fit(pairs.clone(), LinearOptions { penalty, ..LinearOptions::default() });
    assert_eq!(fit(0.1), Err(LinearError::OneKind { out: 10, within: 0 }));
    assert!(matches!(fit(0.0), Err(LinearError::Penalty(_))));
    assert!(matches!(fit(f64::NAN), Err(LinearError::Penalty(_))));
}
