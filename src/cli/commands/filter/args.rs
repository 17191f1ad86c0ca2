//! What `pairgate filter` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::{FollowArgs, InputArgs, MqttArgs, RulesArg, fraction, threshold};

/// Keep the good pairs: WebDataset shards of those that pass, a table beside each, a journal of every
/// decision, and a summary in which pairs in = kept + rejected + failed. The same command goes on where
/// it was stopped, killed or cut off.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate filter shards/ -o kept                      the model's recommended threshold
  pairgate filter 0000*.tar --keep 15% -o kept         the best 15 % (reads the input twice)
  curl -s URL | pairgate filter - --threshold 0.28 -o kept
  crawl | pairgate filter - --keep 15% --follow -o kept    the threshold follows the scores
  pairgate filter photos/ -o kept --rejected why       20 rejected pairs a reason, to look at
  pairgate filter --format frames /dev/ttyACM0 -o kept  what a microcontroller sends, after
                                                       stty -F /dev/ttyACM0 raw 115200")]
pub struct FilterArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Folder for the kept shards and the journal; made if it is missing.
    #[arg(short, long, value_name = "DIR", required_unless_present = "dry_run")]
    pub output: Option<PathBuf>,
    /// Replace the shards and journal of an earlier run in the output folder, which is gone on with
    /// else.
    #[arg(long)]
    pub overwrite: bool,
    /// Go on in a folder although another model, config or version decided there so far.
    #[arg(long)]
    pub accept_new_decisions: bool,
    /// Add the decision to each kept sample's .json, as a member `pairgate`; the rest stays as it is.
    #[arg(long)]
    pub annotate: bool,
    /// Lowest score that passes, -1 to 1 [default: the config's, else the model's recommended
    /// one].
    #[arg(short, long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub threshold: Option<f32>,
    /// Share of the scored pairs to keep, such as 15% or 0.15, by DataComp's rule. Files are read
    /// twice; on standard input the model's calibration gives the threshold.
    #[arg(short, long, value_name = "F", conflicts_with = "threshold", value_parser = fraction)]
    pub keep: Option<f64>,
    #[command(flatten)]
    pub follow: FollowArgs,
    /// What becomes of pairs that cannot be judged [default: the config's, else drop].
    #[arg(long, value_enum)]
    pub on_error: Option<OnErrorArg>,
    /// The cheap rules in front of the model [default: the config's, else basic].
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Kept pairs a shard [default: the config's, else 10000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=9_999_999))]
    pub shard_size: Option<u64>,
    /// Folder for a look at what was not kept: some pairs for each reason.
    #[arg(long, value_name = "DIR")]
    pub rejected: Option<PathBuf>,
    /// Pairs for each reason in the folder of --rejected.
    #[arg(long, value_name = "K", default_value_t = 20, requires = "rejected")]
    pub rejected_per_reason: usize,
    /// Decide and count, but write no shards and no journal.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub mqtt: MqttArgs,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnErrorArg {
    /// Leave them out, counted as failed.
    Drop,
    /// Store them with the kept ones.
    Keep,
}
