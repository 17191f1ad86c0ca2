//! `pairgate completions` and `pairgate man`: what packages install beside the program.

mod args;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::args::Args;

pub use args::{CompletionsArgs, ManArgs};

/// Prints completions for a shell.
pub fn completions(args: &CompletionsArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "pairgate", &mut script);
    to_stdout(&script)
}

/// Prints the program's page, or writes all pages.
pub fn man(args: &ManArgs) -> Result<ExitCode, Box<dyn Error>> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut page)?;
        return to_stdout(&page);
    };
    let failed = |why| format!("writing {}: {why}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), folder).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// A reader that has seen enough is no error.
fn to_stdout(bytes: &[u8]) -> Result<ExitCode, Box<dyn Error>> {
    match io::stdout().write_all(bytes) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(why.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
