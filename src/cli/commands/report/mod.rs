//! `pairgate report`: a journal as a page to look at.

mod args;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::outputs::check_file;
use crate::report::page;
use crate::source::Inputs;

pub use args::ReportArgs;
use pairgate_core::config::SampleLimits;

/// Runs the command.
pub fn run(args: &ReportArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let journals = &args.journals;
    let pictures = if args.source.is_empty() { beside(journals) } else { args.source.clone() };
    let mut pictures =
        Inputs::open_with(args.images.options(), &pictures, SampleLimits::default())?;
    let page = page(journals, &mut pictures)?;
    let written = |why| format!("writing {}: {why}", args.output.display());
    fs::write(&args.output, page).map_err(written)?;
    log::info!("{}: open it in a browser", args.output.display());
    Ok(ExitCode::SUCCESS)
}

/// The kept shards beside the journals: without --source they are all that there is to see.
fn beside(journals: &[PathBuf]) -> Vec<PathBuf> {
    let own = |journal: &PathBuf| if journal.is_dir() { Some(journal.clone()) } else { None };
    let beside = |journal: &PathBuf| own(journal).or_else(|| journal.parent().map(Path::to_owned));
    let folders = journals.iter().filter_map(beside);
    let has_shards = |folder: &PathBuf| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        names.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == "tar"))
    };
    folders.filter(has_shards).collect()
}
