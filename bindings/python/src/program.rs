//! The command line.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process::ExitCode;

use pyo3::prelude::*;

#[doc = stub!("run_cli")]
#[pyfunction]
pub fn run_cli(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        let ended = pairgate::cli::run(arguments);
        // Rust's own start of a program would do it at its end; there is nowhere to tell a failure.
        let _ = stdout().flush();
        number_of(ended)
    })
}

/// The number in an exit code, which keeps it to itself.
fn number_of(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(u8::MAX)
}
