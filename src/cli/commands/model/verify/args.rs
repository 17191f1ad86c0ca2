//! What `pairgate model verify` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::{ArithmeticArg, ImageArgs, cosine};

/// Compare a bundle with its model in Python, or in floats.
///
/// Python's answers are in a golden file. Tells, for each tower, the largest difference and the
/// cosine; for the scores of all pictures with all captions, how far they differ, the rank
/// correlation and the verdicts that flip at the top 15 %.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate model verify dfn-int8 --against float shards/
         (--help shows more)",
    after_long_help = "\
Exit code 1 if a cosine is below --min-cosine or token ids differ.

Examples:
  pairgate model verify dfn-public --golden exported/dfn-public/golden.json
  pairgate model verify dfn-int8 --against float shards/   what int8 costs"
)]
pub struct VerifyArgs {
    /// The bundle, a folder or a tar.
    #[arg(value_name = "BUNDLE")]
    pub model: PathBuf,
    /// With --against: pairs to compare on, as `filter` takes them.
    #[arg(value_name = "IN", requires = "against")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// The golden file, as models/export writes it.
    #[arg(long, value_name = "FILE", required_unless_present = "against")]
    pub golden: Option<PathBuf>,
    /// Compare with itself in.
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "golden", requires = "inputs")]
    pub against: Option<ArithmeticArg>,
    /// With --against: pairs to compare on.
    ///
    /// They are the first that can be decoded.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub pairs: usize,
    /// Arithmetic of the model.
    ///
    /// Default: float with --golden, int8 with --against.
    #[arg(long, value_enum, value_name = "HOW")]
    pub arithmetic: Option<ArithmeticArg>,
    /// Smallest cosine that passes, 0 to 1.
    ///
    /// Default: 0.9999 in floats, 0.995 in int8.
    #[arg(long, value_name = "X", value_parser = cosine)]
    pub min_cosine: Option<f64>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
