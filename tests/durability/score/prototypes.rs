//! Nearest means, and TEEN.

use pairgate::score::numeric::unit;
use pairgate::score::prototypes::{SHARE, SHARPNESS, calibrate, softmax};
use pairgate::score::{Prototypes, Side};

use super::{assert_rounds_to, measured, row};

#[test]
fn the_worked_example_of_teen() {
    let (base, own) = (vec![vec![1.0, 0.0], vec![0.0, 1.0]], [0.6, 0.8]);
    let v = softmax([16.0 * 0.6, 16.0 * 0.8].into_iter());
    assert_rounds_to(v[0], 0.039_17, 5);
    assert_rounds_to(v[1], 0.960_83, 5);
    let new = calibrate(&own, &base, SHARPNESS, SHARE);
    assert_rounds_to(new[0], 0.320_36, 5);
    assert_rounds_to(new[1], 0.899_59, 5);
    // With a half, own and others' shares could be changed round.
    let little = calibrate(&own, &base, SHARPNESS, 0.1);
    assert_rounds_to(little[0], 0.544_07, 5);
    assert_rounds_to(little[1], 0.819_92, 5);

    let class = |name: &str, values: &[f64]| (name.to_owned(), row(values));
    let base = Prototypes::fit([class("a", &base[0]), class("b", &base[1])], Side::Image).unwrap();
    let few = Prototypes::fit([class("c", &own)], Side::Image).unwrap();
    let moved = few.calibrated(&base, SHARPNESS, SHARE);
    let wanted = unit(&new);
    let (name, cosine) = moved.nearest(&row(&wanted)).unwrap();
    assert_eq!(name, "c");
    assert!((cosine - 1.0).abs() < 0.01, "{cosine}");
    let all = base.with(&moved);
    assert_eq!(all.names(), ["a", "b", "c"]);
    assert_eq!(all.nearest(&row(&[0.1, -1.0])).unwrap().0, "a");
}

#[test]
fn a_score_is_the_greatest_cosine_with_a_mean() {
    let examples = [("cat", [1.0, 0.0]), ("dog", [0.0, 1.0]), ("cat", [0.0, -1.0])];
    let examples = examples.map(|(name, values)| (name.to_owned(), row(&values)));
    for side in [Side::Image, Side::Text] {
        let scorer = Prototypes::fit(examples.clone(), side).unwrap();
        assert_eq!(scorer.names(), ["cat", "dog"]);
        let (near, far) = (row(&[0.0, 1.0]), row(&[-1.0, 0.0]));
        let (image, text) = if side == Side::Image { (&near, &far) } else { (&far, &near) };
        assert!((measured(&scorer, image, text, 0.0) - 1.0).abs() < 1e-6);
        assert_eq!(Prototypes::from_arrays(&scorer.to_arrays(), 2).unwrap(), scorer);
    }
    assert_eq!(Prototypes::fit([], Side::Image), None);
}
