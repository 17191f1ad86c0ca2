//! What `pairgate model inspect` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::ArithmeticArg;

/// Tell what a bundle is made of: size, cost, licence.
///
/// Also towers, operators, parameters, memory, quantization, what runs in integer arithmetic,
/// digests.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model inspect                       the model in the binary
  pairgate model inspect dfn-public --measure  and how long it loads, in how much memory")]
pub struct InspectArgs {
    /// The bundle, a folder or a tar [default: the model in the binary].
    #[arg(value_name = "BUNDLE")]
    pub model: Option<PathBuf>,
    /// Load the model, and tell time and memory of that.
    #[arg(long)]
    pub measure: bool,
    /// Arithmetic of the model.
    ///
    /// Default: int8.
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = ArithmeticArg::Int8,
        hide_default_value = true
    )]
    pub arithmetic: ArithmeticArg,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
