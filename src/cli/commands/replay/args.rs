//! What `pairgate replay` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::{INPUT, MODEL, OUTPUT, PASSES, SETTINGS};
use crate::cli::args::{ImageArgs, ThresholdArgs};

/// Decide again on the pairs of journals, by another threshold.
///
/// The scores are those in the journals; no image is read. Prints how many verdicts change, and
/// some of the pairs. A journal of `score` (-o NAME.pairgate) serves too.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate replay kept/ --threshold 0.3      (--help shows more)",
    after_long_help = "\
Exit code 1 if --verify finds a decision that differs.

Examples:
  pairgate replay kept/ --threshold 0.3       what another threshold would change
  pairgate replay scores.pairgate --keep 15%  the threshold of the best 15 %
  pairgate replay kept/ --verify              the journal agrees with itself
  pairgate replay kept/ --verify --source shards/
                                              the images give the same decisions"
)]
pub struct ReplayArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    #[command(flatten)]
    pub decide: ThresholdArgs,
    /// A config whose [policy] decides.
    #[arg(
        short,
        long,
        value_name = "FILE",
        conflicts_with_all = ["threshold", "keep"],
        help_heading = PASSES
    )]
    pub policy: Option<PathBuf>,
    /// Fail where a decision differs from the recorded one.
    #[arg(long, conflicts_with_all = ["threshold", "keep", "policy"], help_heading = PASSES)]
    pub verify: bool,
    /// With --verify: judge these pairs again.
    ///
    /// They are the folders, shards or manifests that were judged.
    #[arg(long, value_name = "IN", requires = "verify", num_args = 1.., help_heading = INPUT)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// With --source: the model of the journal.
    ///
    /// Default: the model in the binary.
    #[arg(short, long, value_name = "BUNDLE", requires = "source", help_heading = MODEL)]
    pub model: Option<PathBuf>,
    /// With --source: the state that selected.
    #[arg(long, value_name = "FILE", requires = "source", help_heading = PASSES)]
    pub select: Option<PathBuf>,
    /// With --source: the config of the journal.
    #[arg(long, value_name = "FILE", requires = "source", help_heading = SETTINGS)]
    pub config: Option<PathBuf>,
    /// Write what would be kept, as JSON lines.
    ///
    /// One line a pair, with key, uid, shard and score.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: Option<PathBuf>,
    /// Pairs to name for each change.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = OUTPUT)]
    pub examples: usize,
    /// Print as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
