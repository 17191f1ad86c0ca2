//! What `pairgate model` is asked.

use clap::Subcommand;

use super::{
    blend::BlendArgs, import::ImportArgs, inspect::InspectArgs, quantize::QuantizeArgs,
    verify::VerifyArgs,
};

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    Import(ImportArgs),
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Quantize(QuantizeArgs),
    Blend(BlendArgs),
}
