//! `pairgate select refresh`: a state fitted again under a new model, on the same pairs.

use std::error::Error;
use std::process::ExitCode;

use super::args::RefreshArgs;
use super::fit::{Again, Fitting};
use crate::cli::outputs::check_file;
use crate::recorded::ReadAs;
use crate::select::State;
use crate::select::expression::Cut;
use crate::select::fit::calibration_of;
use crate::select::parts::Frozen;
use crate::select::recorded::RecordedPool;

/// Runs the command.
pub fn run(args: &RefreshArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let state = State::load(&args.state)?;
    check_cuts(&state)?;
    let about = state.about();
    let mut old = RecordedPool::open(args.from.clone(), ReadAs::default(), about.threshold, true)?;
    state
        .check_model(
            "that of --from",
            old.about().model.unwrap_or(about.model),
            old.about().dimension,
        )
        .map_err(|why| format!("{}: {why}", args.state.display()))?;
    let (uids, calibration) = calibration_of(&mut old)?;
    if calibration != about.calibration {
        return Err(format!(
            "{} was fitted on {} pairs that are not the {} of --from: name the runs that it was fitted on, in \
             their order",
            args.state.display(),
            about.pairs,
            uids.len()
        )
        .into());
    }
    let entries = state.parts().iter().find_map(|part| match &part.frozen {
        Frozen::Entries(entries) => Some(entries.names().to_vec()),
        _ => None,
    });
    let fitting = Fitting {
        pool: &args.pool,
        references: &args.references,
        model: args.model.as_deref(),
        output: &args.output,
        expression: state.expression().clone(),
        seed: about.seed,
        again: Some(Again { model: about.model, uids, entries }),
    };
    fitting.run()
}

/// Refuses cuts that are numbers on the old model's scale.
fn check_cuts(state: &State) -> Result<(), String> {
    for slot in state.slots() {
        // A probability has one scale under every model.
        let is_fixed = matches!(slot.ending.cut, Some(Cut::AtLeast(_) | Cut::AtMost(_)));
        if is_fixed && slot.name() != "linear" {
            return Err(format!(
                "the cut of {} is a number on the old model's scale, which tells nothing of the new one's: fit \
                 anew, with a share or another number",
                slot.name()
            ));
        }
    }
    Ok(())
}
