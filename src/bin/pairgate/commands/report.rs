//! `pairgate report`: a journal as a page to look at.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pairgate::config::SampleLimits;
use pairgate::report::page;
use pairgate::source::Inputs;

use super::journal::journal_in;
use crate::args::ReportArgs;

/// Runs the command.
pub fn run(args: &ReportArgs) -> Result<ExitCode, Box<dyn Error>> {
    let journals: Vec<PathBuf> = args.journals.iter().map(|path| journal_in(path)).collect();
    let pictures = if args.source.is_empty() { beside(&journals) } else { args.source.clone() };
    let mut pictures =
        Inputs::open_with(args.images.options(), &pictures, SampleLimits::default())?;
    let page = page(&journals, &mut pictures)?;
    let written = |why| format!("writing {}: {why}", args.output.display());
    fs::write(&args.output, page).map_err(written)?;
    log::info!("{}: open it in a browser", args.output.display());
    Ok(ExitCode::SUCCESS)
}

/// The kept shards beside the journals: without --source they are all that there is to see.
fn beside(journals: &[PathBuf]) -> Vec<PathBuf> {
    let folders = journals.iter().filter_map(|journal| journal.parent());
    let has_shards = |folder: &&Path| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        names.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == "tar"))
    };
    folders.filter(has_shards).map(Path::to_owned).collect()
}
