//! What `pairgate filter` is asked.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::headings::{OUTPUT, PASSES};
use crate::cli::args::{EmbeddingArgs, GroupArgs, InputArgs, MqttArgs, PolicyArgs};
use crate::cli::outputs;

/// Keep the good pairs: kept shards, a decision journal, a summary.
///
/// Writes WebDataset shards of those that pass, a table beside each, a journal of every decision,
/// and a summary in which pairs in = kept + rejected + failed. The same command goes on where it
/// was stopped, killed or cut off.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate filter shards/ --keep 15% -o kept      (--help shows more)",
    after_long_help = "\
Examples:
  pairgate filter shards/ -o kept               the model's recommended threshold
  pairgate filter 0000*.tar --keep 15% -o kept  the best 15 % (reads twice)
  curl -s URL | pairgate filter - --threshold 0.28 -o kept
  crawl | pairgate filter - --keep 15% --follow -o kept
                                                the threshold follows the scores
  pairgate filter shards/ --keep 15% --by url:host -o kept
                                                the best 15 % of each host
  pairgate filter photos/ -o kept --rejected why
                                                20 rejected pairs a reason to look at
  pairgate filter --format frames /dev/ttyACM0 -o kept
                                                what a microcontroller sends, after
                                                stty -F /dev/ttyACM0 raw 115200
  pairgate filter 00017.tar --one-to-one -o kept
                                                one of many, by any scheduler"
)]
pub struct FilterArgs {
    #[command(flatten)]
    pub input: InputArgs,
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
    /// Go on though model or config changed.
    ///
    /// Go on in a folder although another model, config or version decided there so far.
    #[arg(long, help_heading = OUTPUT)]
    pub accept_new_decisions: bool,
    /// Add the decision to each kept .json.
    ///
    /// It is a member `pairgate` of the sample's .json; the rest stays as it is.
    #[arg(long, help_heading = OUTPUT)]
    pub annotate: bool,
    /// An output for each input, named by it.
    ///
    /// For many machines, jobs and queues: IN/00000.tar becomes DIR/00000.tar, with its journal, its table
    /// and, last, DIR/00000_stats.json, which says that it is whole. The same command leaves out what is
    /// done; two at the same input write the same bytes. --json prints a line for each input.
    #[arg(
        long,
        conflicts_with_all = ["dry_run", "rejected", "shard_size"],
        help_heading = OUTPUT
    )]
    pub one_to_one: bool,
    /// With --one-to-one: recorded scores decide.
    ///
    /// A folder that `score --one-to-one` has written for the same inputs: the model is not asked again.
    #[arg(long, value_name = "DIR", requires = "one_to_one", help_heading = OUTPUT)]
    pub scores: Option<PathBuf>,
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
    #[command(flatten)]
    pub embeddings: EmbeddingArgs,
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
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub groups: GroupArgs,
    /// If it can't be judged.
    ///
    /// What becomes of pairs that cannot be judged. Default: the config's, else drop.
    #[arg(long, value_enum, value_name = "WHAT", help_heading = PASSES)]
    pub on_error: Option<OnErrorArg>,
    #[command(flatten)]
    pub mqtt: MqttArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnErrorArg {
    /// Leave them out, counted as failed.
    Drop,
    /// Store them with the kept ones.
    Keep,
}
