//! Embeddings in int8: what rounding costs, and that fast products are the plain ones.

use half::f16;
use pairgate::score::{Row, Rows};

use super::Noise;

#[test]
fn many_products_are_those_of_one_and_one() {
    let noise = &mut Noise(1);
    for dimension in [1, 3, 31, 32, 33, 64, 100, 512] {
        for count in [0, 1, 3, 4, 5, 9] {
            let row = noise.row(dimension);
            let others: Vec<Row> = (0..count).map(|_| noise.row(dimension)).collect();
            let mut rows = Rows::new(dimension);
            others.iter().for_each(|other| rows.push(other));
            let wanted: Vec<f32> = others.iter().map(|other| row.dot(other)).collect();
            assert_eq!(rows.dots(&row).collect::<Vec<_>>(), wanted, "{count} rows of {dimension}");
            assert!((0..count).all(|place| rows.row(place) == others[place]));
        }
    }
}

/// The bound that docs/selection.md states.
#[test]
fn rounding_to_int8_costs_a_cosine_no_more_than_the_bound() {
    let noise = &mut Noise(2);
    let mut most: f64 = 0.0;
    for _ in 0..500 {
        let mut values = || {
            let row: Vec<f64> = (0..512).map(|_| noise.value() * noise.value()).collect();
            let row = pairgate::score::numeric::unit(&row);
            row.into_iter().map(f16::from_f64).collect::<Vec<_>>()
        };
        let (a, b) = (values(), values());
        let exact: f64 = a.iter().zip(&b).map(|(a, b)| a.to_f64() * b.to_f64()).sum();
        let (rows, sums) = (
            [Row::of(&a), Row::of(&b)],
            [&a, &b].map(|v| v.iter().map(|value| value.to_f64().abs()).sum::<f64>()),
        );
        let halves = [0, 1].map(|i| f64::from(rows[i].scale()) / 2.0);
        let bound = halves[0] * sums[1] + halves[1] * sums[0] + 512.0 * halves[0] * halves[1];
        let found = f64::from(rows[0].dot(&rows[1]));
        assert!((found - exact).abs() <= bound + 1e-6);
        most = most.max((found - exact).abs());
    }
    assert!(most < 0.003, "rounding costs up to {most}");
}

#[test]
fn rows_of_zeros_and_of_what_is_no_number_are_zeros() {
    for values in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0], [1e-45, 0.0]] {
        let row = Row::of_f32(&values);
        assert_eq!((row.codes(), row.scale()), ([0, 0].as_slice(), 0.0), "{values:?}");
    }
}
