//! A cut of values: a number, a band between two percentiles, or the best share.

use crate::select::expression::Cut;
use crate::select::parts::Band;

/// The pairs of `came` that pass a cut, and the values that pass.
pub(super) fn cut(
    came: &[u32],
    values: &[f32],
    cut: Option<Cut>,
    high_is_good: bool,
) -> (Vec<u32>, Band) {
    let band = match cut {
        None => Band::ALL,
        Some(Cut::AtLeast(value)) => Band { low: value as f32, ..Band::ALL },
        Some(Cut::AtMost(value)) => Band { high: value as f32, ..Band::ALL },
        Some(Cut::Within(low, high)) => {
            let mut sorted: Vec<f32> =
                values.iter().copied().filter(|value| !value.is_nan()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let Some(last) = sorted.len().checked_sub(1) else { return (Vec::new(), Band::ALL) };
            let at = |share: f64| sorted[(share * last as f64).round() as usize];
            Band { low: at(low), high: at(high) }
        }
        Some(Cut::Keep(share)) => return best(came, values, share, high_is_good),
    };
    (held(came, values, band), band)
}

/// The best share of the pairs, exactly; of equal ones the first of the pool.
fn best(came: &[u32], values: &[f32], share: f64, high_is_good: bool) -> (Vec<u32>, Band) {
    let count = (share * came.len() as f64) as usize;
    let mut order: Vec<u32> =
        (0..values.len() as u32).filter(|at| !values[*at as usize].is_nan()).collect();
    let value = |at: &u32| values[*at as usize];
    order.sort_unstable_by(|a, b| {
        let rising = value(a).total_cmp(&value(b));
        if high_is_good { rising.reverse() } else { rising }.then(a.cmp(b))
    });
    order.truncate(count);
    let band = match (order.last(), high_is_good) {
        (None, _) => Band { low: f32::INFINITY, high: f32::NEG_INFINITY },
        (Some(last), true) => Band { low: value(last), ..Band::ALL },
        (Some(last), false) => Band { high: value(last), ..Band::ALL },
    };
    let mut kept: Vec<u32> = order.into_iter().map(|at| came[at as usize]).collect();
    kept.sort_unstable();
    (kept, band)
}

/// The pairs of `came` whose values a band holds.
pub(super) fn held(came: &[u32], values: &[f32], band: Band) -> Vec<u32> {
    let holds = came.iter().zip(values).filter(|(_, value)| band.holds(**value));
    holds.map(|(place, _)| *place).collect()
}
