//! What `pairgate model quantize` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Make a bundle small: round its weights to int8, each output channel by its own scale. What is
/// quantized already stays as it is.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model quantize dfn-public -o dfn-int8
  pairgate model verify dfn-int8 --against float shards/     then see what it costs")]
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
