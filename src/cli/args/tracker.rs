//! A threshold that follows the scores.

use clap::Args as ClapArgs;

use crate::cli::args::threshold;

/// A threshold that follows the scores.
#[derive(Debug, ClapArgs)]
pub struct FollowArgs {
    /// Let the threshold follow the scores of an input that is read once, so that what is kept stays
    /// the share of --keep; and warn where the scores drift. Windows are the config's [follow].
    #[arg(long, conflicts_with = "threshold")]
    pub follow: bool,
    /// With --follow: the threshold to begin with, -1 to 1 [default: the config's, else by the model's
    /// calibration].
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub first_threshold: Option<f32>,
}
