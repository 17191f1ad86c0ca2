//! `pairgate`: filters and scores image-text pairs.

use std::process::ExitCode;

fn main() -> ExitCode {
    pairgate::cli::run(std::env::args_os())
}
