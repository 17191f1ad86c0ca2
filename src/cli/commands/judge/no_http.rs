//! What stands in for `ask` in a binary without it.

use std::error::Error;
use std::process::ExitCode;

use super::JudgeArgs;

/// Says that it cannot.
pub fn run(_: &JudgeArgs) -> Result<ExitCode, Box<dyn Error>> {
    Err("this build of pairgate asks nobody (it was made without the feature serve)".into())
}
