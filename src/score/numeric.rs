//! Functions whose last bit is the same on every machine: those of the standard library are the system's,
//! and sums of floats depend on their order.

pub use libm::{exp, exp10, log as ln, log10, pow, sqrt};

/// Sums side by side, which a machine's vectors can take: lane `i` adds every eighth product.
const LANES: usize = 8;

/// `ln(sum(exp(values)))`, shifted by the greatest value, summed in order in f64; negative infinity where
/// there is none.
pub fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    log_sum_exp_weighted(f64::NEG_INFINITY, values, 1.0)
}

/// `ln(exp(first) + weight * sum(exp(values)))`, shifted by the greatest value, summed in order in f64.
pub fn log_sum_exp_weighted(
    first: f64,
    values: impl Iterator<Item = f64> + Clone,
    weight: f64,
) -> f64 {
    let greatest = values.clone().fold(first, f64::max);
    if !greatest.is_finite() {
        return greatest;
    }
    let sum: f64 = values.map(|value| exp(value - greatest)).sum();
    greatest + ln(exp(first - greatest) + weight * sum)
}

/// The sum of products in f64, in eight lanes that are summed up in order; of slices of unequal lengths the
/// longer one's end counts for nothing.
pub fn dot<T: Copy + Into<f64>>(a: &[T], b: &[f64]) -> f64 {
    let length = a.len().min(b.len());
    let (a, a_rest) = a[..length].as_chunks::<LANES>();
    let (b, b_rest) = b[..length].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += (*a).into() * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (*a).into() * b);
    lanes.into_iter().chain(rest).sum()
}

/// The length of a vector.
pub fn norm(values: &[f64]) -> f64 {
    sqrt(dot(values, values))
}

/// The vector at unit length; zeros stay zeros.
pub fn unit(values: &[f64]) -> Vec<f64> {
    let length = norm(values);
    let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
    values.iter().map(|value| value * factor).collect()
}
