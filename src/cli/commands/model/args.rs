//! What `pairgate model` is asked.

use clap::Subcommand;

use super::{import::ImportArgs, inspect::InspectArgs, quantize::QuantizeArgs, verify::VerifyArgs};

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Make a bundle from an ONNX folder of transformers or optimum, or of open_clip_export.py.
    Import(ImportArgs),
    /// Tell what a bundle is made of: towers, operators, size, cost, quantization, licence.
    Inspect(InspectArgs),
    /// Compare a bundle with what its model says in Python, or in floats.
    Verify(VerifyArgs),
    /// Round a bundle's weights to int8: a quarter of the size, quicker to load.
    Quantize(QuantizeArgs),
}
