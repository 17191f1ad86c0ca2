//! `pairgate compare`: two runs over the same pairs, side by side.

mod args;
mod json;
mod text;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::commands::report::{beside, write};
use crate::cli::outputs::check_file;
use crate::cli::terminal::print;
use crate::compare::{Comparison, Rule, open};
use crate::report::comparison_page;
use crate::source::Inputs;

pub use args::CompareArgs;
use pairgate_core::config::SampleLimits;

/// How many more pairs of each change the page shows than the terminal.
const ON_THE_PAGE: usize = 8;

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<ExitCode, Box<dyn Error>> {
    args.output.as_deref().map_or(Ok(()), check_file)?;
    let paths = [args.old.as_path(), args.new.as_path()];
    let runs = open(paths)?;
    let most = args.examples.saturating_mul(if args.output.is_some() { ON_THE_PAGE } else { 1 });
    let compared = Comparison::of([&runs[0], &runs[1]], rule(args), most)?;
    tell_malformed(&compared, paths);
    if let Some(path) = &args.output {
        let source = match args.source.is_empty() {
            true => beside(&paths.map(Path::to_owned)),
            false => args.source.clone(),
        };
        let mut pictures =
            Inputs::open_with(args.images.options(), &source, SampleLimits::default())?;
        write(path, &comparison_page(paths, &compared, &mut pictures)?)?;
    }
    if args.json {
        print(&json::of(&compared, paths, args.examples))?;
    } else {
        text::of(&compared, paths, args.examples).print()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rule(args: &CompareArgs) -> Rule {
    match (args.decide.keep, args.decide.threshold) {
        (Some(share), _) => Rule::Keep(share),
        (None, Some(threshold)) => Rule::Threshold(threshold),
        (None, None) => Rule::Recorded,
    }
}

fn tell_malformed(compared: &Comparison, paths: [&Path; 2]) {
    for (run, path) in compared.account.runs.iter().zip(paths) {
        if run.malformed > 0 {
            log::warn!("{}: {} rows have no uid of 32 hex digits", path.display(), run.malformed);
        }
    }
}
