//! What `pairgate merge` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::fraction;
use crate::cli::args::headings::{INPUT, OUTPUT, PASSES};

/// Add up one-to-one outputs; say what is missing or wrong.
///
/// Sums what `filter --one-to-one` or `score --one-to-one` has written, wherever it was made, checks
/// every file against its marker, and names inputs that have no output. Of scores, --keep finds the one
/// threshold that keeps a share of them all, exactly.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Exit code 1 if anything is missing or wrong.
Example: pairgate merge kept/ --inputs shards/      (--help shows more)",
    after_long_help = "\
Exit code 1 if anything is missing or wrong.

Examples:
  pairgate merge kept/                    counts, and whether all is whole
  pairgate merge kept/ --inputs shards/   and whether all inputs are there
  pairgate merge scores/ --keep 15% -o policy.toml
                                          then, on each machine:
  pairgate filter IN --one-to-one --scores scores --config policy.toml -o kept"
)]
pub struct MergeArgs {
    /// A folder of one-to-one outputs.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The inputs that must have an output.
    ///
    /// As `filter` takes them: shards, folders of shards, braces.
    #[arg(long, value_name = "IN", num_args = 1.., help_heading = INPUT)]
    pub inputs: Vec<PathBuf>,
    /// A file that names them, a line each.
    #[arg(long, value_name = "FILE", conflicts_with = "inputs", help_heading = INPUT)]
    pub list: Option<PathBuf>,
    /// Look at lengths, not at bytes.
    ///
    /// Files are not read: digests are not checked, and nothing is counted anew.
    #[arg(long, help_heading = INPUT)]
    pub quick: bool,
    /// Find the threshold that keeps this share.
    ///
    /// Of recorded scores, such as 15%: the threshold that `filter --keep` would find over all of the
    /// inputs on one machine. It reads the scores once.
    #[arg(short, long, value_name = "F", value_parser = fraction, help_heading = PASSES)]
    pub keep: Option<f64>,
    /// With --keep: from the sketches alone, about.
    ///
    /// The share kept may be off by 0.1 % of the pairs: a folder of 10,000 outputs takes seconds. It
    /// works on what `filter` has written too.
    #[arg(long, requires = "keep", help_heading = PASSES)]
    pub sketch: bool,
    /// With --keep: write the threshold as a config.
    #[arg(short, long, value_name = "FILE", requires = "keep", help_heading = OUTPUT)]
    pub output: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
