//! What `pairgate compare` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::{INPUT, OUTPUT};
use crate::cli::args::{ImageArgs, ThresholdArgs};

/// Compare two runs, models or policies over the same pairs.
///
/// Runs are folders of `filter`, `capture`, `serve` or `watch`, with --one-to-one too, journals, and
/// files of scores (.jsonl, .csv, .parquet). Pairs are matched by uid. Says what differs in their
/// terms, how many verdicts and reasons changed, how alike the scores rank the pairs, and which pairs
/// changed most. Runs in one order take constant memory; where the orders differ, pairs that wait for
/// their partner are held, at most 8 million (about 1 GB).
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate compare old/ new/ --source shards/ -o compare.html
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate compare old/ new/                   what another config changed
  pairgate compare a.parquet b.parquet --keep 15%
                                               two models at one share
  pairgate compare old/ new/ --source shards/ -o compare.html
                                               a page, with pictures",
    mut_arg("threshold", |arg| arg.help("Decide both by this lowest score, -1 to 1")),
    mut_arg("keep", |arg| arg.help("Decide both at one share, such as 15%").long_help(
        "Decide both at one share, such as 15%.\n\n\
         By the threshold of each run that keeps this share of its own scored pairs (DataComp's rule). So \
         models whose scores have different scales compare."
    ))
)]
pub struct CompareArgs {
    /// The earlier run.
    #[arg(value_name = "A")]
    pub old: PathBuf,
    /// The later run, of the same pairs.
    #[arg(value_name = "B")]
    pub new: PathBuf,
    #[command(flatten)]
    pub decide: ThresholdArgs,
    /// Where the pictures are, for -o.
    ///
    /// Folders, shards or manifests that were judged. Default: the kept shards beside the journals.
    #[arg(long, value_name = "IN", num_args = 1.., requires = "output", help_heading = INPUT)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// A page to write.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: Option<PathBuf>,
    /// Pairs to name of each change.
    ///
    /// The page shows 8 times as many.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = OUTPUT)]
    pub examples: usize,
    /// Print as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
