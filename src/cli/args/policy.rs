//! What passes: what `filter` and `capture` share.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::PASSES;
use crate::cli::args::{RuleArgs, ThresholdArgs, threshold};

/// What passes.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    mut_arg("threshold", |arg| arg.long_help(
        "Lowest score that passes, -1 to 1.\n\n\
         Default: the config's, else the model's recommended one."
    )),
    mut_arg("keep", |arg| arg.long_help(
        "Share of the scored pairs to keep, such as 15%.\n\n\
         Or 0.15; by DataComp's rule. Files are read twice; of what is read once, such as standard input \
         or a camera, the model's calibration gives the threshold."
    ))
)]
pub struct PolicyArgs {
    #[command(flatten)]
    pub cut: ThresholdArgs,
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
    /// Let a frozen state select among what passes.
    ///
    /// It is what `pairgate select fit` has made with the same model. Rules and threshold come first.
    #[arg(long, value_name = "FILE", help_heading = PASSES)]
    pub select: Option<PathBuf>,
    #[command(flatten)]
    pub rules: RuleArgs,
}
