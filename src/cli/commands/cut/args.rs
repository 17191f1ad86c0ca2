//! What `pairgate cut` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::{INPUT, MODEL, PASSES, SPEED};
use crate::cli::args::{GroupArgs, ImageArgs, LayerArgs, OutputArgs, ThresholdArgs};

/// Keep by recorded scores: score once, cut often.
///
/// Takes what `score` has written, reads the pairs once more, and writes what `filter` would have
/// written by the same threshold or share: kept shards, a journal, a summary. The model is not asked.
/// Each pair must be the one that was scored. The same command goes on where it was stopped.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate cut scores.jsonl --source shards/ --keep 15% -o kept
(--help shows more)",
    after_long_help = "\
Examples:
  pairgate score shards/ -o scores.parquet && \\
      pairgate cut scores.parquet --source shards/ --keep 15% -o kept
  pairgate cut kept/ --source shards/ --threshold 0.3 -o stricter
                                        by the journal of an earlier run
  pairgate cut scores/ --source shards/ --keep 15% -o kept
                                        by the scores of score --one-to-one
  pairgate cut scores.jsonl --source shards/ --keep 15% --by shard -o kept
                                        the best 15 % of each shard
  pairgate cut scores.jsonl --source shards/ -o kept --by url:host \\
      --keep 15% --group en.wikipedia.org=40%
  pairgate cut scores.jsonl --source 00017.tar --part --threshold 0.28 -o k17
                                        a part of what was scored
  pairgate cut scores.parquet --source shards/ --select a.pgsel -o chosen
                                        by what `select fit` has made
  pairgate cut scores.jsonl --source shards/ --keep 15% --dry-run
                                        what would be kept",
    mut_arg("accept_new_decisions", |arg| arg.help("Go on though scores or config changed")),
    mut_arg("threshold", |arg| arg.long_help(
        "Lowest score that passes, -1 to 1.\n\n\
         Default: the config's, else, with --select, that of the state."
    )),
    mut_arg("keep", |arg| arg.long_help(
        "Share of the scored pairs to keep, such as 15%.\n\n\
         Or 0.15; by DataComp's rule, of all scores."
    ))
)]
pub struct CutArgs {
    /// What `score` wrote, or journals, or folders of them.
    ///
    /// Files .jsonl, .parquet, .csv and .pairgate, output folders, folders of `score --one-to-one`; one
    /// after the other. JSON lines of other programs do where uid, key, shard, sha256, score and
    /// reason are as they were.
    #[arg(required = true, value_name = "SCORES")]
    pub scores: Vec<PathBuf>,
    /// The pairs that were scored, named as they were then.
    ///
    /// As for `filter`: folders, shards, tables. In another order than that of the scores, pairs are
    /// looked up by uid, for which all scores are held: 80 bytes each.
    #[arg(long, required = true, value_name = "IN", num_args = 1.., help_heading = INPUT)]
    pub source: Vec<PathBuf>,
    /// The sources are a part of what was scored.
    ///
    /// Scores of pairs that do not come are then no error. A share is still of all scores.
    #[arg(long, help_heading = INPUT)]
    pub part: bool,
    #[command(flatten)]
    pub images: ImageArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub passes: ThresholdArgs,
    /// Let a frozen state select among what passes.
    ///
    /// It is what `pairgate select fit` has made of the same model's scores; those here must have been
    /// recorded with --embeddings. Rules and threshold come first. Without --keep and --threshold the
    /// state's own threshold is taken.
    #[arg(long, value_name = "FILE", help_heading = PASSES)]
    pub select: Option<PathBuf>,
    /// With --select: the model whose tokens its methods read.
    ///
    /// Default: the config's, else the model in the binary.
    #[arg(long, value_name = "BUNDLE", requires = "select", help_heading = MODEL)]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub groups: GroupArgs,
    /// Workers side by side, which read and compare.
    ///
    /// Default: the config's, else one for each core.
    #[arg(short, long, value_name = "N", help_heading = SPEED)]
    pub workers: Option<usize>,
    #[command(flatten)]
    pub layers: LayerArgs,
}
