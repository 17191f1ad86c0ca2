//! How many each group may keep: shares of a total, within bounds.

/// Steps of the bisection: more than halve any difference of two doubles away.
const STEPS: usize = 200;

/// Why there are no quotas.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// The groups must keep more than the total.
    #[error("{total} are to be kept, and the groups must keep at least {least}")]
    TooFew {
        /// What is to be kept.
        total: u64,
        /// The sum of the lower bounds.
        least: u64,
    },
    /// The groups may not keep as many.
    #[error("{total} are to be kept, and the groups may keep at most {most}")]
    TooMany {
        /// What is to be kept.
        total: u64,
        /// The sum of the upper bounds.
        most: u64,
    },
    /// A group's lower bound lies above its upper one, or a share is no share.
    #[error("group {group}: its bounds or its share are none")]
    Group {
        /// Its place, from 0.
        group: usize,
    },
}

/// A group that wants a share of a total.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// The share of the total that it would have without bounds, at least 0; those of all groups come to 1.
    pub share: f64,
    /// The least that it keeps.
    pub least: u64,
    /// The most, such as all that it has.
    pub most: u64,
}

/// The quotas `x` that are nearest to the shares: the sum of `(x - share * total)^2` is the least for which
/// each lies within its group's bounds and all come to `total`. That is `share * total + level`, held within
/// the bounds, for the one level at which the sum is right.
///
/// # Errors
/// [`QuotaError`] where the bounds leave no solution.
pub fn solve(groups: &[Group], total: u64) -> Result<Vec<f64>, QuotaError> {
    check(groups, total)?;
    let at = |group: &Group, level: f64| {
        (group.share * total as f64 + level).clamp(group.least as f64, group.most as f64)
    };
    let sum = |level: f64| -> f64 { groups.iter().map(|group| at(group, level)).sum() };
    // Beyond these every group lies at a bound.
    let widest = groups.iter().map(|group| group.most as f64).fold(total as f64, f64::max);
    let (mut low, mut high) = (-widest - total as f64, widest + total as f64);
    for _ in 0..STEPS {
        let middle = low + (high - low) / 2.0;
        if sum(middle) < total as f64 { low = middle } else { high = middle }
    }
    Ok(groups.iter().map(|group| at(group, high)).collect())
}

/// The quotas of [`solve`] as whole numbers that come to `total`: each loses its fraction, and those with
/// the largest ones get one more; of equal ones the first.
///
/// # Errors
/// As [`solve`].
pub fn whole(groups: &[Group], total: u64) -> Result<Vec<u64>, QuotaError> {
    let exact = solve(groups, total)?;
    // What bisection is off by must not make 4 of 3.9999999.
    let floor = |value: f64| (value + 1e-9).floor();
    let mut quotas: Vec<u64> = exact.iter().map(|value| floor(*value) as u64).collect();
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|a, b| {
        let rest = |place: usize| exact[place] - floor(exact[place]);
        rest(*b).total_cmp(&rest(*a))
    });
    let mut missing = total.saturating_sub(quotas.iter().sum());
    while missing > 0 {
        let before = missing;
        for &place in &order {
            if missing > 0 && quotas[place] < groups[place].most {
                quotas[place] += 1;
                missing -= 1;
            }
        }
        if missing == before {
            break;
        }
    }
    Ok(quotas)
}

fn check(groups: &[Group], total: u64) -> Result<(), QuotaError> {
    let is_wrong = |group: &Group| {
        group.least > group.most || !(group.share >= 0.0 && group.share.is_finite())
    };
    if let Some(group) = groups.iter().position(is_wrong) {
        return Err(QuotaError::Group { group });
    }
    let least = groups.iter().map(|group| group.least).sum();
    let most = groups.iter().map(|group| group.most).sum();
    match total {
        _ if total < least => Err(QuotaError::TooFew { total, least }),
        _ if total > most => Err(QuotaError::TooMany { total, most }),
        _ => Ok(()),
    }
}
