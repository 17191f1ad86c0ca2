//! The kernels with sines in them. Math libraries differ in the last bit of a sine, and pixels must
//! not, so that these are made of products and sums alone.

use std::f64::consts::PI;

use fast_image_resize::{Filter, FilterType};

/// PIL's `HAMMING`, a triangle sharpened by a Hamming window.
pub(super) fn hamming() -> FilterType {
    custom("hamming", hamming_at, 1.0)
}

/// PIL's `LANCZOS`, a sinc over three pixels to each side.
pub(super) fn lanczos() -> FilterType {
    custom("lanczos", lanczos_at, 3.0)
}

fn custom(name: &'static str, value: fn(f64) -> f64, radius: f64) -> FilterType {
    FilterType::Custom(Filter::new(name, value, radius).expect("a radius above 0"))
}

fn hamming_at(x: f64) -> f64 {
    let x = x.abs();
    // The cosine of x is the sine of what is left to a quarter turn.
    if x < 1.0 { sinc(x) * (0.54 + 0.46 * sine_of_half_turns(0.5 - x)) } else { 0.0 }
}

fn lanczos_at(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { sine_of_half_turns(x) / (PI * x) }
}

/// `sin(PI * x)`, error below 2e-15 for |x| up to 4.
fn sine_of_half_turns(x: f64) -> f64 {
    let turns = x.round_ties_even();
    let angle = (x - turns) * PI;
    let square = angle * angle;
    // Up to a quarter turn the series needs no more.
    let sine = angle * SERIES.iter().rev().fold(0.0, |sum, term| sum * square + term);
    if turns % 2.0 == 0.0 { sine } else { -sine }
}

/// Of `sin(x) / x` in `x * x`: 1, -1/3!, 1/5! ...
const SERIES: [f64; 11] = {
    let mut series = [1.0; 11];
    let mut n = 1;
    while n < series.len() {
        series[n] = -series[n - 1] / ((2 * n) * (2 * n + 1)) as f64;
        n += 1;
    }
    series
};
