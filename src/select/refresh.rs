//! A state fitted again under another model, on the same pairs.

use pairgate_core::pair::{Digest, Uid};

use super::State;
use super::expression::Cut;
use super::fit::calibration_of;
use super::parts::Frozen;
use super::runs::{Runs, RunsError};

/// What is kept of a state that is fitted again.
#[derive(Debug, Clone)]
pub struct Again {
    /// Its model.
    pub model: Digest,
    /// The pairs that it was fitted on.
    pub uids: Vec<Uid>,
    /// Its entries, where it has any.
    pub entries: Option<Vec<String>>,
}

impl Again {
    /// What is kept of `state`, which was fitted on `from`.
    ///
    /// # Errors
    /// [`RunsError`]: `from` cannot be read, or are other pairs or of another model than the state's; a method's
    /// cut is a number on the old model's scale.
    pub fn of(state: &State, from: &Runs) -> Result<Self, RunsError> {
        check_cuts(state)?;
        let about = state.about();
        let mut old = from.open(about.threshold, true)?;
        let found = old.about();
        let model = found.model.unwrap_or(about.model);
        state.check_model("that of --from", model, found.dimension)?;
        let (uids, calibration) = calibration_of(&mut old)?;
        if calibration != about.calibration {
            return Err(RunsError::refused(format!(
                "it was fitted on {} pairs that are not the {} of --from: name the runs that it was fitted on, in \
                 their order",
                about.pairs,
                uids.len()
            )));
        }
        let entries = state.parts().iter().find_map(|part| match &part.frozen {
            Frozen::Entries(entries) => Some(entries.names().to_vec()),
            _ => None,
        });
        Ok(Self { model: about.model, uids, entries })
    }
}

/// Refuses cuts that are numbers on the old model's scale.
fn check_cuts(state: &State) -> Result<(), RunsError> {
    for slot in state.slots() {
        // A probability has one scale under every model.
        let is_fixed = matches!(slot.ending.cut, Some(Cut::AtLeast(_) | Cut::AtMost(_)));
        if is_fixed && slot.name() != "linear" {
            return Err(RunsError::refused(format!(
                "the cut of {} is a number on the old model's scale, which tells nothing of the new one's: fit anew, \
                 with a share or another number",
                slot.name()
            )));
        }
    }
    Ok(())
}
