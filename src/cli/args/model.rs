//! The model that is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::MODEL;
use crate::cli::args::{ArithmeticArg, DecodeArg};

/// The model that is asked.
#[derive(Debug, Clone, ClapArgs)]
pub struct ModelArgs {
    /// Model bundle, a folder or a tar.
    ///
    /// Default: the config's, else the model in the binary.
    #[arg(short, long, value_name = "BUNDLE", help_heading = MODEL)]
    pub model: Option<PathBuf>,
    /// Arithmetic of the model.
    ///
    /// Default: int8.
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = ArithmeticArg::Int8,
        hide_default_value = true,
        help_heading = MODEL
    )]
    pub arithmetic: ArithmeticArg,
    /// Resolution to decode.
    ///
    /// Scaled, large JPEGs are decoded at a half, a quarter or an eighth, as long as the shorter side
    /// stays at least twice the model's input. Default: the config's, else exact.
    #[arg(long, value_enum, value_name = "HOW", help_heading = MODEL)]
    pub decode: Option<DecodeArg>,
}
