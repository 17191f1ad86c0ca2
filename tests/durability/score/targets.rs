//! NormSim and VAS.

use pairgate::score::{Row, TargetNorm, Targets};

use super::{assert_rounds_to, row};

fn example() -> (Vec<Row>, Row) {
    let targets = [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]];
    (targets.iter().map(|target| row(target)).collect(), row(&[0.8, 0.6, 0.0]))
}

/// Codes of .6 beside .8 are 95 of 127: that rounds the worked example's values by less than .006.
#[test]
fn the_worked_example() {
    let (targets, x) = example();
    let wanted =
        [(TargetNorm::Two, 1.249_640), (TargetNorm::Infinity, 0.96), (TargetNorm::Squares, 1.5616)];
    for (norm, wanted) in wanted {
        let scorer = Targets::fit(targets.clone(), norm).unwrap();
        assert!((f64::from(scorer.of(&x)) - wanted).abs() < 0.006, "{norm:?}");
        // Exact on the rounded values.
        let values = x.values();
        let products = targets
            .iter()
            .map(|target| target.values().iter().zip(&values).map(|(g, x)| g * x).sum::<f64>());
        let squares: f64 = products.clone().map(|product| product * product).sum();
        let exact = match norm {
            TargetNorm::Two => squares.sqrt(),
            TargetNorm::Squares => squares,
            _ => products.map(f64::abs).fold(0.0, f64::max),
        };
        assert_rounds_to(scorer.of(&x).into(), exact, 6);
        assert_eq!(Targets::from_arrays(&scorer.to_arrays(), 3).unwrap(), scorer);
        assert_eq!(TargetNorm::by_name(norm.name()), Some(norm));
    }
    assert_eq!(Targets::fit([], TargetNorm::Two), None);
}

#[test]
fn the_opposite_of_a_target_is_like_it() {
    let (targets, _) = example();
    for norm in [TargetNorm::Two, TargetNorm::Infinity] {
        let scorer = Targets::fit(targets.clone(), norm).unwrap();
        assert_eq!(scorer.of(&row(&[-0.8, -0.6, 0.0])), scorer.of(&row(&[0.8, 0.6, 0.0])));
    }
}
