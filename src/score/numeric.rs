//! Functions whose last bit is the same on every machine: those of the standard library are the system's.

pub use libm::{exp, log as ln, pow};

/// `ln(sum(exp(values)))`, shifted by the greatest value, summed in order in f64; negative infinity where
/// there is none.
pub fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let greatest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if !greatest.is_finite() {
        return greatest;
    }
    let sum: f64 = values.map(|value| exp(value - greatest)).sum();
    greatest + ln(sum)
}
