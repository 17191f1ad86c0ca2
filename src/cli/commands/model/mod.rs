//! `pairgate model`: bundles.

mod args;
mod blend;
mod import;
mod inspect;
mod quantize;
mod verify;

use std::error::Error;
use std::process::ExitCode;

pub use args::ModelCommand;

/// Runs the command.
pub fn run(command: &ModelCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        ModelCommand::Import(args) => import::run(args),
        ModelCommand::Inspect(args) => inspect::run(args),
        ModelCommand::Verify(args) => verify::run(args),
        ModelCommand::Quantize(args) => quantize::run(args),
        ModelCommand::Blend(args) => blend::run(args),
    }
}
