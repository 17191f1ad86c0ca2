//! What `pairgate config` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::args::LayerArgs;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a config: keys, units, ranges, and memory at worst.
    Check(ConfigArgs),
    /// Print a config resolved: every key, its value, where it is from.
    Show(ConfigArgs),
    Pack(PackArgs),
}

/// A board's config, a file, or a file laid over a board's.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate config check --board rpi4
  pairgate config show --board rpi4 --config mine.toml")]
pub struct ConfigArgs {
    #[command(flatten)]
    pub layers: LayerArgs,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Write a config as the bytes that firmware reads.
///
/// They are versioned, with a checksum.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  pairgate config pack --config camera.toml -o camera.pgcf")]
pub struct PackArgs {
    #[command(flatten)]
    pub layers: LayerArgs,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}
