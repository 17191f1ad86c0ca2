//! What `pairgate model` is asked.

use clap::Subcommand;

use super::{import::ImportArgs, inspect::InspectArgs, quantize::QuantizeArgs, verify::VerifyArgs};

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    Import(ImportArgs),
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Quantize(QuantizeArgs),
}
