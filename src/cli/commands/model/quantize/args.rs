//! What `pairgate model quantize` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Round a bundle's weights to int8: a quarter of the size.
///
/// Each output channel has its own scale. What is quantized already stays as it is.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model quantize dfn-public -o dfn-int8
  pairgate model verify dfn-int8 --against float shards/     what it costs")]
pub struct QuantizeArgs {
    /// The bundle, a folder or a tar.
    #[arg(value_name = "BUNDLE")]
    pub model: PathBuf,
    /// The bundle to make: a new folder.
    #[arg(short, long, value_name = "BUNDLE")]
    pub output: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
