//! What `pairgate model blend` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::share;

/// Average the weights of bundles of one shape.
///
/// A network that was fine-tuned on good pairs, blended with the one that it
/// started from, often filters better than either. Judge a blend by what it
/// keeps, not by its accuracy.
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "pairgate model blend [OPTIONS] -w <W> -o <NEW> <BUNDLE> <BUNDLE>...",
    after_help = "\
Example: pairgate model blend start tuned --weight 0.5 -o blend
         (--help shows more)",
    after_long_help = "\
The blend is not calibrated: scores are on a scale of its own.

Examples:
  pairgate model blend start tuned --weight 0.5 -o blend
                              half of each: 0.5 x start + 0.5 x tuned
  pairgate model blend a b c --weight 0.5,0.3,0.2 -o soup
  pairgate calibrate shards/ --model blend --into blend
                              quantiles and threshold of its own
  pairgate calibrate shards/ --model blend --from start --into blend
                              the share that start's threshold kept"
)]
pub struct BlendArgs {
    /// The bundles, folders or tars.
    ///
    /// Graphs, tokenizer and preparation must be the same in all. They are
    /// taken from the first.
    #[arg(value_name = "BUNDLE", required = true, num_args = 2..)]
    pub models: Vec<PathBuf>,
    /// Share of the second bundle, or one share for each.
    ///
    /// 0 to 1, or in percent. Of several, the sum is 1.
    #[arg(
        short,
        long,
        value_name = "W",
        required = true,
        value_delimiter = ',',
        value_parser = share
    )]
    pub weight: Vec<f64>,
    /// The bundle to make: a new folder.
    #[arg(short, long, value_name = "BUNDLE")]
    pub output: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
