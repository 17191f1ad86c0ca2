//! Configs that are laid one over the other.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::SETTINGS;

/// The layers of a config, each laid over the one before it, key by key.
#[derive(Debug, Clone, ClapArgs)]
pub struct LayerArgs {
    /// Start from the config of a board, such as rpi4.
    ///
    /// There are rpi-zero-2w, rpi4, rpi5, imx8mp, jetson-orin-cpu, graviton-crawler, x86-crawler.
    #[arg(long, value_name = "NAME", help_heading = SETTINGS)]
    pub board: Option<String>,
    /// A TOML file of limits, rules, model and policy.
    ///
    /// It is laid over the config of --board, key by key.
    #[arg(short, long, value_name = "FILE", help_heading = SETTINGS)]
    pub config: Option<PathBuf>,
}
