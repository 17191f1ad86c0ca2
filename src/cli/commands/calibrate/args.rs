//! What `pairgate calibrate` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::{INPUT, OUTPUT, PASSES};
use crate::cli::args::{InputArgs, RuleArgs, fraction, threshold};

/// Find the threshold that keeps a share of the pairs.
///
/// It comes with an interval, the quantiles of the scores, and how many pairs a wanted precision
/// takes. The scores are held as a sketch of less than 1 MB, whatever their number, which can be
/// saved and merged with those of other machines.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate calibrate shards/ --keep 15% -o policy.toml
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate calibrate shards/ --keep 15% -o policy.toml
                                          then: filter --config policy.toml
  pairgate calibrate kept/ --keep 20%     from the scores in a journal
  pairgate calibrate shards/ --sketch node1.sketch
                                          on each node, and then:
  pairgate calibrate --merge node*.sketch --keep 15% --into bundle
  pairgate calibrate shards/ --model new --from old --into new
                                          keep what the old model kept
  pairgate calibrate new.jsonl --from old.jsonl --threshold 0.21
                                          the same from recorded scores"
)]
pub struct CalibrateArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Share to keep.
    #[arg(
        short,
        long,
        value_name = "F",
        default_value = "15%",
        value_parser = fraction,
        help_heading = PASSES
    )]
    pub keep: f64,
    /// Wanted precision of that share.
    ///
    /// Both ways, as +- 0.5 %.
    #[arg(
        long,
        value_name = "P",
        default_value = "0.5%",
        value_parser = fraction,
        help_heading = PASSES
    )]
    pub precision: f64,
    /// Probability that the interval holds.
    #[arg(
        long,
        value_name = "P",
        default_value = "95%",
        value_parser = fraction,
        help_heading = PASSES
    )]
    pub confidence: f64,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// The inputs are sketches: their scores together.
    ///
    /// They were written by --sketch.
    #[arg(long, help_heading = INPUT)]
    pub merge: bool,
    /// Keep the share that another model kept.
    ///
    /// OLD is its bundle, which then scores the inputs too, or what it has
    /// recorded of the same pairs: journals, or files that `score` wrote.
    /// Without --model, the inputs may be such files as well.
    #[arg(
        long,
        value_name = "OLD",
        conflicts_with_all = ["keep", "precision", "merge", "sketch"],
        help_heading = PASSES
    )]
    pub from: Vec<PathBuf>,
    /// With --from: the old threshold, -1 to 1.
    ///
    /// Default: the one in OLD's journal, or that OLD recommends.
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        requires = "from",
        value_parser = threshold,
        help_heading = PASSES
    )]
    pub threshold: Option<f32>,
    /// Write the sketch of all scores.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub sketch: Option<PathBuf>,
    /// Write the threshold as a config with a [policy].
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: Option<PathBuf>,
    /// Write quantiles and threshold into a bundle, a folder.
    #[arg(long, value_name = "BUNDLE", help_heading = OUTPUT)]
    pub into: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
