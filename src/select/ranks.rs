//! Ranks of values among those of a pool: exact there, and by frozen quantiles in a stream.

/// Quantiles that are frozen.
const QUANTILES: usize = 1025;

/// The rank of each value, 0 to 1: the share of values below it, and half of those that are equal. What is no
/// number has the rank 0.
pub fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<u32> =
        (0..values.len() as u32).filter(|place| !values[*place as usize].is_nan()).collect();
    let value = |place: &u32| values[*place as usize];
    order.sort_unstable_by(|a, b| value(a).total_cmp(&value(b)));
    let mut ranks = vec![0.0; values.len()];
    let count = order.len() as f64;
    let mut start = 0;
    for equal in order.chunk_by(|a, b| value(a) == value(b)) {
        let rank = (start as f64 + equal.len() as f64 / 2.0) / count;
        equal.iter().for_each(|place| ranks[*place as usize] = rank);
        start += equal.len();
    }
    ranks
}

/// Quantiles of values, rising; none where no value is a number.
pub fn quantiles(values: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    (0..QUANTILES).map(|place| sorted[place * last / (QUANTILES - 1)]).collect()
}

/// The rank of a value among those whose quantiles these are, between two of them by a straight line.
pub fn rank(quantiles: &[f32], value: f32) -> f64 {
    if value.is_nan() || quantiles.is_empty() {
        return 0.0;
    }
    let below = quantiles.partition_point(|quantile| *quantile < value);
    let up_to = quantiles.partition_point(|quantile| *quantile <= value);
    let steps = (quantiles.len() - 1).max(1) as f64;
    if up_to > below {
        return ((below + up_to - 1) as f64 / 2.0 / steps).clamp(0.0, 1.0);
    }
    if below == 0 || below == quantiles.len() {
        return if below == 0 { 0.0 } else { 1.0 };
    }
    let (low, high) = (f64::from(quantiles[below - 1]), f64::from(quantiles[below]));
    ((below - 1) as f64 + (f64::from(value) - low) / (high - low)) / steps
}
