//! What `pairgate filter` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::OUTPUT;
use crate::cli::args::{EmbeddingArgs, GroupArgs, InputArgs, MqttArgs, OutputArgs, PolicyArgs};

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
                                                one of many, by any scheduler",
    mut_arg("accept_new_decisions", |arg| arg
        .help("Go on though model or config changed")
        .long_help(
            "Go on though model or config changed.\n\n\
             Go on in a folder although another model, config or version decided there so far."
        ))
)]
pub struct FilterArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub output: OutputArgs,
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
    #[command(flatten)]
    pub embeddings: EmbeddingArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub groups: GroupArgs,
    #[command(flatten)]
    pub mqtt: MqttArgs,
}
