//! A threshold that follows the scores.

use clap::Args as ClapArgs;

use crate::cli::args::headings::PASSES;
use crate::cli::args::threshold;

/// A threshold that follows the scores.
#[derive(Debug, ClapArgs)]
pub struct TrackerArgs {
    /// Let the threshold follow the scores.
    ///
    /// For an input that is read once: what is kept stays the share of --keep, and a warning says
    /// where the scores drift. Windows are the config's [follow].
    #[arg(long, conflicts_with = "threshold", help_heading = PASSES)]
    pub follow: bool,
    /// With --follow: the threshold to begin with.
    ///
    /// It is -1 to 1. Default: the config's, else by the model's calibration.
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        value_parser = threshold,
        help_heading = PASSES
    )]
    pub first_threshold: Option<f32>,
}
