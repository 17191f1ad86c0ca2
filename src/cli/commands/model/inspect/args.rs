//! What `pairgate model inspect` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::ArithmeticArg;

/// Tell what a bundle is made of: towers, operators, parameters, cost of a pair, memory,
/// quantization, what runs in integer arithmetic, licence, digests.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model inspect                       the model in the binary
  pairgate model inspect dfn-public --measure  and how long it loads, in how much memory")]
pub struct InspectArgs {
    /// The bundle, a folder or a tar [default: the model in the binary].
    #[arg(value_name = "BUNDLE")]
    pub model: Option<PathBuf>,
    /// Load the model, and report the time and the peak memory of it.
    #[arg(long)]
    pub measure: bool,
    /// How the model's products are computed.
    #[arg(long, value_enum, default_value_t = ArithmeticArg::Int8)]
    pub arithmetic: ArithmeticArg,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
