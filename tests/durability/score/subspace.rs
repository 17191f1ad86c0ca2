//! The subspace of unsafe concepts.

use pairgate::score::Subspace;
use pairgate::score::subspace::{length_within, mean, orthonormal};

use super::{Noise, assert_rounds_to, measured, row};

#[test]
fn the_worked_example() {
    let phrases = vec![vec![1.0, 0.0, 0.0, 0.0], vec![1.0, 1.0, 0.0, 0.0]];
    let basis = orthonormal(phrases.clone());
    let y: [f64; 4] = [0.6, 0.0, 0.8, 0.0];
    let within = length_within(&y, basis.iter().map(Vec::as_slice));
    assert_rounds_to(within, 0.6, 12);
    assert_rounds_to((1.0 - within * within).sqrt(), 0.8, 12);

    let none = [0.0; 4];
    let phrases = phrases.iter().map(|phrase| row(phrase));
    let scorer = Subspace::fit(phrases, &none, &none).unwrap();
    assert_eq!(scorer.rank(), 2);
    let (y, other) = (row(&y), row(&[0.0, 0.0, 1.0, 0.0]));
    // Picture or caption: the greater one counts. A code of .6 beside .8 rounds it by .002.
    assert!((measured(&scorer, &y, &other, 0.0) - 0.6).abs() < 0.003);
    assert!((measured(&scorer, &other, &y, 0.0) - 0.6).abs() < 0.003);
    assert_eq!(measured(&scorer, &other, &other, 0.0), 0.0);
    assert_eq!(Subspace::from_arrays(&scorer.to_arrays(), 4).unwrap(), scorer);
}

/// SAFREE's distances of masked prompts to the span of the first two axes.
#[test]
fn the_worked_example_of_distances() {
    let basis = orthonormal(vec![vec![1.0, 0.0, 0.0, 0.0], vec![1.0, 1.0, 0.0, 0.0]]);
    let prompts = [[0.9, 0.1, 0.4, 0.1], [0.2, 0.1, 0.9, 0.2], [0.8, 0.3, 0.5, 0.1]];
    for (prompt, wanted) in prompts.iter().zip([0.4123, 0.9220, 0.5099]) {
        let within = length_within(prompt, basis.iter().map(Vec::as_slice));
        let square: f64 = prompt.iter().map(|value| value * value).sum();
        assert_rounds_to((square - within * within).sqrt(), wanted, 4);
    }
}

#[test]
fn phrases_that_say_nothing_new_add_no_direction() {
    let noise = &mut Noise(5);
    let [a, b]: [Vec<f64>; 2] = [0, 1].map(|_| noise.row(32).values());
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - 2.0 * b).collect();
    let basis = orthonormal(vec![a.clone(), b, a, sum, vec![0.0; 32]]);
    assert_eq!(basis.len(), 2);
    for (i, one) in basis.iter().enumerate() {
        for (j, other) in basis.iter().enumerate() {
            let dot: f64 = one.iter().zip(other).map(|(a, b)| a * b).sum();
            assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-14);
        }
    }
    let none = [0.0; 3];
    assert_eq!(Subspace::fit([row(&[0.0; 3])], &none, &none), None);
    assert_eq!(Subspace::fit([], &none, &none), None);
}

/// A mean that all embeddings share lies in nearly any span.
#[test]
fn what_all_of_a_modality_share_counts_for_nothing() {
    let shared = row(&[0.8, 0.6, 0.0]);
    let mean = mean([shared.clone(), shared.clone()]).unwrap();
    let scorer = Subspace::fit([row(&[1.0, 0.0, 0.0])], &mean, &mean).unwrap();
    assert!(measured(&scorer, &shared, &shared, 0.0) < 1e-6);
    let raw = Subspace::fit([row(&[1.0, 0.0, 0.0])], &[0.0; 3], &[0.0; 3]).unwrap();
    assert!(measured(&raw, &shared, &shared, 0.0) > 0.7);
    assert_eq!(pairgate::score::subspace::mean([]), None);
}
