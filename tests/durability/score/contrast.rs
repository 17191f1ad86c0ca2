//! negCLIPLoss.

use pairgate::score::contrast::{batch, margin};
use pairgate::score::{Contrast, ContrastOptions, Row, Rows};

use super::{Noise, assert_rounds_to, at_degrees, measured, row};

const IMAGES: [f64; 3] = [0.0, 30.0, 90.0];
const TEXTS: [f64; 3] = [20.0, 40.0, 60.0];

fn cosine(image: usize, text: usize) -> f64 {
    let (x, t) = (at_degrees(IMAGES[image]), at_degrees(TEXTS[text]));
    x[0] * t[0] + x[1] * t[1]
}

/// The pair against others: its picture with their captions, its caption with their pictures.
fn score(pair: usize, others: &[usize], weight: f64, temperature: f64) -> f64 {
    let by_image: Vec<f64> = others.iter().map(|other| cosine(pair, *other)).collect();
    let by_text: Vec<f64> = others.iter().map(|other| cosine(*other, pair)).collect();
    margin(cosine(pair, pair), [&by_image, &by_text], weight, temperature)
}

#[test]
fn the_worked_example_of_a_batch() {
    for (pair, similarity) in [0.939_693, 0.984_808, 0.866_025].into_iter().enumerate() {
        assert_rounds_to(cosine(pair, pair), similarity, 6);
    }
    let wanted = [
        (0.01, [-0.022_612, -0.003_466, -0.003_466]),
        (0.07, [-0.040_201, -0.029_086, -0.025_786]),
    ];
    for (temperature, scores) in wanted {
        for (pair, wanted) in scores.into_iter().enumerate() {
            let others: Vec<usize> = (0..3).filter(|other| *other != pair).collect();
            assert_rounds_to(score(pair, &others, 1.0, temperature), wanted, 6);
        }
    }
}

#[test]
fn the_worked_example_of_a_bank() {
    assert_rounds_to(score(1, &[0, 2], 1.0, 0.07), -0.029_086, 6);
    assert_rounds_to(score(1, &[0, 2], 4.0, 0.07), -0.067_672, 6);
}

/// In 32-bit floats the exponential of a cosine of .887 at this temperature is infinite.
#[test]
fn a_low_temperature_overflows_nothing() {
    let score = margin(1.0, [&[1.0, 0.9], &[1.0, -1.0]], 8.0, 0.001);
    assert!((score + 0.001 * 9f64.ln()).abs() < 1e-12, "{score}");
    assert!(margin(1.0, [&[], &[]], 8.0, 0.07).abs() < 1e-12);
}

fn rows(degrees: [f64; 3]) -> Vec<Row> {
    degrees.iter().map(|degrees| row(&at_degrees(*degrees))).collect()
}

fn of(rows: &[Row]) -> Rows {
    let mut all = Rows::new(rows[0].codes().len());
    rows.iter().for_each(|row| all.push(row));
    all
}

/// The error of a score is at most that of a cosine: here 1 / 254 and a little.
#[test]
fn a_bank_in_int8_is_near() {
    let (images, texts) = (rows(IMAGES), rows(TEXTS));
    let similarity = |pair| cosine(pair, pair) as f32;
    let bank = |pairs: &[usize]| {
        let of = |rows: &[Row]| of(&pairs.iter().map(|p| rows[*p].clone()).collect::<Vec<_>>());
        Contrast::new(0.07, 4.0, of(&images), of(&texts))
    };
    let found = measured(&bank(&[0, 2]), &images[1], &texts[1], similarity(1));
    assert!((f64::from(found) + 0.067_672).abs() < 0.006, "{found}");
    // The pair itself in the bank is no rival of itself, and changes nothing.
    assert_eq!(measured(&bank(&[0, 1, 2]), &images[1], &texts[1], similarity(1)), found);
    // Another's caption with its picture is one.
    assert!(measured(&bank(&[0, 1, 2]), &images[1], &texts[0], cosine(1, 0) as f32) < found);
    let all: Vec<f32> = (0..3).map(similarity).collect();
    let whole = batch(&all, &of(&images), &of(&texts), 0.07);
    for (found, wanted) in whole.iter().zip([-0.040_201, -0.029_086, -0.025_786]) {
        assert!((found - wanted).abs() < 0.006, "{found}, {wanted}");
    }
}

#[test]
fn the_bank_is_what_draws_the_least_numbers_whatever_the_order() {
    let noise = &mut Noise(3);
    let pairs: Vec<(u64, Row, Row)> = (0..50u64)
        .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15), noise.row(8), noise.row(8)))
        .collect();
    let options = ContrastOptions { bank: 10, batch: 101, ..ContrastOptions::of(Some(100.0)) };
    assert_eq!(options.temperature, 0.01);
    let bank = Contrast::fit(pairs.clone(), options).unwrap();
    assert_eq!(bank.len(), 10);
    let mut turned = pairs.clone();
    turned.reverse();
    assert_eq!(Contrast::fit(turned, options).unwrap(), bank);
    let mut least = pairs;
    least.sort_by_key(|pair| pair.0);
    least.truncate(10);
    assert_eq!(Contrast::fit(least, options).unwrap(), bank);
    assert_eq!(Contrast::fit([], options), None);
    let arrays = bank.to_arrays();
    assert_eq!(Contrast::from_arrays(&arrays, 8).unwrap(), bank);
    let weight = arrays.iter().find(|array| array.name == "weight").unwrap();
    assert_eq!(weight.values, pairgate::score::Values::F64(vec![10.0]));
    assert_eq!(ContrastOptions::of(None).temperature, 0.07);
}
