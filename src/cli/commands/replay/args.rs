//! What `pairgate replay` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::{ImageArgs, fraction, threshold};

/// Decide again on the pairs of journals, from the scores in them; no image is read. Prints how many
/// verdicts change, and some of the pairs. A journal of `score` (-o NAME.pairgate) serves too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if --verify finds a decision that differs.

Examples:
  pairgate replay kept/ --threshold 0.3       what another threshold would change
  pairgate replay scores.pairgate --keep 15%  the threshold of the best 15 %, and what it keeps
  pairgate replay kept/ --verify              the journal agrees with itself
  pairgate replay kept/ --verify --source shards/
                                              the images still give the same decisions")]
pub struct ReplayArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Lowest score that passes, -1 to 1.
    #[arg(short, long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub threshold: Option<f32>,
    /// Share of the scored pairs to keep, such as 15%, by DataComp's rule.
    #[arg(short, long, value_name = "F", conflicts_with = "threshold", value_parser = fraction)]
    pub keep: Option<f64>,
    /// A config whose [policy] decides.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["threshold", "keep"])]
    pub policy: Option<PathBuf>,
    /// Fail where a decision differs from the recorded one.
    #[arg(long, conflicts_with_all = ["threshold", "keep", "policy"])]
    pub verify: bool,
    /// With --verify: the pairs that were judged, judged again; folders, shards or manifests.
    #[arg(long, value_name = "IN", requires = "verify", num_args = 1..)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// With --source: the model of the journal [default: the model in the binary].
    #[arg(short, long, value_name = "BUNDLE", requires = "source")]
    pub model: Option<PathBuf>,
    /// With --source: the config of the journal.
    #[arg(long, value_name = "FILE", requires = "source")]
    pub config: Option<PathBuf>,
    /// Write the keys that would be kept, one a line with uid, shard and score, as JSON lines.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Pairs to name for each change.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub examples: usize,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
