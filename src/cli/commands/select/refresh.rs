//! `pairgate select refresh`: a state fitted again under a new model, on the same pairs.

use std::error::Error;
use std::process::ExitCode;

use super::args::RefreshArgs;
use super::fit::fit;
use crate::select::State;
use crate::select::refresh::Again;
use crate::select::runs::{Fitting, Runs};

/// Runs the command.
pub fn run(args: &RefreshArgs) -> Result<ExitCode, Box<dyn Error>> {
    let state = State::load(&args.state)?;
    let from = Runs { paths: args.from.clone(), ..Runs::default() };
    let again =
        Again::of(&state, &from).map_err(|why| format!("{}: {why}", args.state.display()))?;
    let fitting = Fitting {
        method: state.expression().to_string(),
        threshold: args.pool.threshold,
        seed: state.about().seed,
        files: args.references.files(),
        again: Some(again),
    };
    fit(&fitting, &args.pool, args.model.as_deref(), &args.output)
}
