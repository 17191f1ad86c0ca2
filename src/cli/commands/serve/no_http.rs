//! What stands in for `service` in a binary without it.

use std::error::Error;
use std::process::ExitCode;

use super::ServeArgs;

/// Says that it cannot.
pub fn run(_: &ServeArgs) -> Result<ExitCode, Box<dyn Error>> {
    Err("this build of pairgate serves nothing (it was made without the feature serve)".into())
}
