//! The output folder, and what is said of a run into it: what `filter` and `cut` share.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::headings::{OUTPUT, PASSES};
use crate::cli::outputs;

/// Where what is kept goes, and how.
#[derive(Debug, Clone, ClapArgs)]
pub struct OutputArgs {
    /// Folder for the kept shards and the journal.
    ///
    /// It is made if it is missing; a run that is in it is gone on with.
    #[arg(
        short,
        long,
        value_name = "DIR",
        required_unless_present = "dry_run",
        value_parser = PathBufValueParser::new().try_map(outputs::folder),
        help_heading = OUTPUT
    )]
    pub output: Option<PathBuf>,
    /// Begin anew where an earlier run is.
    ///
    /// Replaces the shards and the journal of an earlier run in the output folder. Without it, that
    /// run is gone on with.
    #[arg(long, help_heading = OUTPUT)]
    pub overwrite: bool,
    /// Go on though what decides has changed.
    #[arg(long, help_heading = OUTPUT)]
    pub accept_new_decisions: bool,
    /// Add the decision to each kept .json.
    ///
    /// It is a member `pairgate` of the sample's .json; the rest stays as it is.
    #[arg(long, help_heading = OUTPUT)]
    pub annotate: bool,
    /// Kept pairs a shard.
    ///
    /// Default: the config's, else 10000.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=9_999_999),
        help_heading = OUTPUT
    )]
    pub shard_size: Option<u64>,
    /// Folder for a look at what was not kept.
    ///
    /// It gets some pairs for each reason.
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub rejected: Option<PathBuf>,
    /// Pairs for each reason there.
    #[arg(
        long,
        value_name = "K",
        default_value_t = 20,
        requires = "rejected",
        help_heading = OUTPUT
    )]
    pub rejected_per_reason: usize,
    /// Decide and count, but write nothing.
    #[arg(long, help_heading = OUTPUT)]
    pub dry_run: bool,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// If it can't be judged.
    ///
    /// What becomes of pairs that cannot be judged. Default: the config's, else drop.
    // Behind what says what passes.
    #[arg(long, value_enum, value_name = "WHAT", display_order = 999, help_heading = PASSES)]
    pub on_error: Option<OnErrorArg>,
}

impl OutputArgs {
    /// The folder that the run writes to; `None` where it writes nothing.
    pub fn folder(&self) -> Option<&Path> {
        self.output.as_deref().filter(|_| !self.dry_run)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnErrorArg {
    /// Leave them out, counted as failed.
    Drop,
    /// Store them with the kept ones.
    Keep,
}

impl OnErrorArg {
    /// The value of `policy.on_error` in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
        }
    }
}
