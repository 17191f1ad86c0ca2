//! The lowest score that passes, or the share that is kept.

use clap::Args as ClapArgs;

use crate::cli::args::headings::PASSES;
use crate::cli::args::{fraction, threshold};

/// One of the two, or neither. A command whose own words say more puts them over these.
#[derive(Debug, Clone, Copy, Default, ClapArgs)]
pub struct ThresholdArgs {
    /// Lowest score that passes, -1 to 1.
    #[arg(
        short,
        long,
        value_name = "X",
        allow_negative_numbers = true,
        value_parser = threshold,
        help_heading = PASSES
    )]
    pub threshold: Option<f32>,
    /// Share of the scored pairs to keep, such as 15%.
    ///
    /// By DataComp's rule.
    #[arg(
        short,
        long,
        value_name = "F",
        conflicts_with = "threshold",
        value_parser = fraction,
        help_heading = PASSES
    )]
    pub keep: Option<f64>,
}
