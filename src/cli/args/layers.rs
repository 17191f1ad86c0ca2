//! Configs that are laid one over the other.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// The layers of a config, each laid over the one before it, key by key.
#[derive(Debug, ClapArgs)]
pub struct LayerArgs {
    /// Start from the config of a board: rpi-zero-2w, rpi4, rpi5, imx8mp, jetson-orin-cpu,
    /// graviton-crawler, x86-crawler.
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,
    /// Limits, rules, sizes, model and policy as a TOML file.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
