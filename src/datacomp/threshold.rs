//! DataComp's fraction rule over a whole pool, with the rows that have no number.

use std::cmp::Ordering;

use pairgate_core::policy::fraction_index;

/// All scores of a pool, NaN for rows that have none.
#[derive(Debug, Clone, PartialEq)]
pub enum Pool {
    /// Of tables that hold single precision, four bytes a row.
    Single(Vec<f32>),
    /// Of any others.
    Double(Vec<f64>),
}

impl Pool {
    /// The score that rows must reach so that `fraction` of the pool is kept: as NumPy sorts, with
    /// NaN below all numbers, the one at [`fraction_index`]. It is NaN, which no row reaches, where
    /// that row has no number. A fraction of 1, at which DataComp's script fails, takes the lowest
    /// number.
    pub fn threshold(self, fraction: f64) -> f64 {
        match self {
            Self::Single(scores) => {
                nth(scores, fraction, f32::is_nan, f32::total_cmp).map_or(f64::NAN, f64::from)
            }
            Self::Double(scores) => {
                nth(scores, fraction, f64::is_nan, f64::total_cmp).unwrap_or(f64::NAN)
            }
        }
    }
}

/// The score at the fraction's place, in descending order; `None` where it is no number.
fn nth<T: Copy>(
    mut scores: Vec<T>,
    fraction: f64,
    is_nan: fn(T) -> bool,
    order: fn(&T, &T) -> Ordering,
) -> Option<T> {
    let rows = scores.len();
    let index = fraction_index(rows, fraction);
    scores.retain(|&score| !is_nan(score));
    let index = if index < rows { index } else { scores.len().checked_sub(1)? };
    if index >= scores.len() {
        return None;
    }
    Some(*scores.select_nth_unstable_by(index, |a, b| order(b, a)).1)
}
