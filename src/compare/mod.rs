//! Two runs over the same pairs, side by side: what changed, and by how much.
//!
//! Pairs are matched by uid. Where both runs have them in one order, a pair of each is held at a time;
//! where they do not, those that wait for their partner are, [`MOST_WAITING`] of them at most.

mod account;
mod join;
mod overlap;
mod pick;
mod rank;
mod read;
mod row;

use std::path::Path;

use crate::decide::share::fraction_threshold_in_passes;
use crate::disk::IoError;

pub use account::{Account, Class, MOST_POINTS, Points, SourceSum, Totals};
pub use join::{JoinError, MOST_WAITING, Matched, Pair, Side, join};
pub use overlap::overlap;
pub use pick::{Change, Picked, Picks, Ranks};
pub use rank::{kendall, spearman};
pub use read::{Rows, Run};
pub use row::Row;

/// What decides on both runs, where it is not what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Rule {
    /// Each run's own decisions.
    #[default]
    Recorded,
    /// One lowest score that passes.
    Threshold(f32),
    /// The threshold of each that keeps this share of its own scored pairs, by DataComp's rule.
    Keep(f64),
}

/// Two runs, compared.
#[derive(Debug)]
pub struct Comparison {
    /// The sums.
    pub account: Account,
    /// The pairs that changed most.
    pub picks: Vec<Picked>,
    /// The thresholds of both runs, where a [`Rule`] gave them.
    pub thresholds: [Option<f32>; 2],
}

impl Comparison {
    /// What differs in the runs' terms, in words, but for what one [`Rule`] for both makes equal; `None`
    /// where one of them tells no terms.
    pub fn differences(&self) -> Option<Vec<String>> {
        let mut found = self.account.differences()?;
        if self.thresholds.iter().any(Option::is_some) {
            found.retain(|line| {
                !line.starts_with("the threshold was") && !line.starts_with("policy.")
            });
        }
        Some(found)
    }

    /// Compares `runs`, the earlier one first, under `rule`, and picks at most `most` pairs of each
    /// kind of change. Both runs are read twice, four times for [`Rule::Keep`].
    ///
    /// # Errors
    /// [`JoinError`]: a run cannot be read; the runs have no pair in common; too many pairs wait.
    pub fn of(runs: [&Run; 2], rule: Rule, most: usize) -> Result<Self, JoinError> {
        let thresholds = thresholds(runs, rule)?;
        let rows = || -> Result<[Rows; 2], JoinError> {
            let [old, new] = runs;
            Ok([old.rows(thresholds[0])?, new.rows(thresholds[1])?])
        };
        let mut account = Account::default();
        let mut first = rows()?;
        join(&mut first, MOST_WAITING, &mut account)?;
        account.note(&first);
        if account.common() == 0 {
            return Err(JoinError::NothingInCommon(Box::new(account.samples())));
        }
        let mut picks = Picks::new(account.ranks(), most);
        join(&mut rows()?, MOST_WAITING, &mut picks)?;
        Ok(Self { account, picks: picks.into_sorted(), thresholds })
    }
}

fn thresholds(runs: [&Run; 2], rule: Rule) -> Result<[Option<f32>; 2], JoinError> {
    let of = |run: &Run, share: f64| -> Result<Option<f32>, JoinError> {
        let scores = || -> Result<_, IoError> {
            Ok(run.rows(None)?.filter_map(|row| row.map(|row| row.pooled_score()).transpose()))
        };
        let found = fraction_threshold_in_passes(scores, share)?;
        found.map(Some).ok_or_else(|| JoinError::NoScores(run.path().to_owned()))
    };
    match rule {
        Rule::Recorded => Ok([None, None]),
        Rule::Threshold(threshold) => Ok([Some(threshold); 2]),
        Rule::Keep(share) => Ok([of(runs[0], share)?, of(runs[1], share)?]),
    }
}

/// Opens both runs.
///
/// # Errors
/// [`IoError::Read`] where one of them is no run.
pub fn open(paths: [&Path; 2]) -> Result<[Run; 2], IoError> {
    let [old, new] = paths;
    Ok([Run::open(old)?, Run::open(new)?])
}
