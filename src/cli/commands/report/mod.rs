//! `pairgate report`: a journal as a page to look at.

mod args;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::outputs::check_file;
use crate::compare::{Comparison, Rule, open, overlap};
use crate::model::bundle::Bundle;
use crate::report::{Calibration, Clusters, Page, Report};
use crate::source::Inputs;

pub use args::ReportArgs;
use pairgate_core::config::SampleLimits;

/// The share of all pairs that two runs of the same pairs have in common at least.
const SAME: f64 = 0.5;
/// Pairs of each change that are shown.
const CHANGED: usize = 40;

/// Runs the command.
pub fn run(args: &ReportArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let source = if args.source.is_empty() { beside(&args.journals) } else { args.source.clone() };
    let compared = two_of_the_same(&args.journals)?;
    // Of two runs of the same pairs the later one is shown: as one they would count each pair twice.
    let journals = if compared.is_some() { &args.journals[1..] } else { &args.journals };
    let clusters = args.state.as_deref().map(|state| clusters(journals, state)).transpose()?;
    let mut pictures = Inputs::open_with(args.images.options(), &source, SampleLimits::default())?;
    let report = Report {
        journals,
        compared: compared
            .as_ref()
            .map(|compared| ([args.journals[0].as_path(), args.journals[1].as_path()], compared)),
        pairs: args.pairs,
        calibration: built_in(),
        clusters,
        state: args.state.clone(),
    };
    write(&args.output, &report.page(&mut pictures)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The clusters of a state that the journals' pairs are in.
fn clusters(journals: &[PathBuf], path: &Path) -> Result<Clusters, Box<dyn Error>> {
    let clusters = Clusters::of_state(journals, path)?;
    if clusters.outside() > 0 {
        let (path, outside) = (path.display(), clusters.outside());
        log::info!("{path}: {outside} pairs are in no cluster: nothing tells their embeddings");
    }
    Ok(clusters)
}

/// Compares two journals, if they are runs of the same pairs.
fn two_of_the_same(journals: &[PathBuf]) -> Result<Option<Comparison>, Box<dyn Error>> {
    let [old, new] = journals else { return Ok(None) };
    let [old_run, new_run] = open([old, new])?;
    let share = overlap([&old_run, &new_run])?;
    let (old, new) = (old.display(), new.display());
    if share >= SAME {
        log::info!(
            "{old} and {new} are runs of the same pairs: the page shows {new}, and compares"
        );
        return Ok(Some(Comparison::of([&old_run, &new_run], Rule::Recorded, CHANGED)?));
    }
    if share > 0.0 {
        let percent = 100.0 * share;
        log::warn!(
            "about {percent:.0} % of the pairs are in both {old} and {new}: they count twice"
        );
    }
    Ok(None)
}

/// What the model in the binary was calibrated with.
fn built_in() -> Option<Calibration> {
    let bundle = Bundle::embedded().ok()?;
    Some(Calibration {
        model: bundle.digest,
        recommended: bundle.manifest.recommended_threshold,
        quantiles: bundle.manifest.score_quantiles,
    })
}

/// Writes a page, and says what is in it.
pub fn write(path: &Path, page: &Page) -> Result<(), Box<dyn Error>> {
    let at = path.display();
    fs::write(path, &page.html).map_err(|why| format!("writing {at}: {why}"))?;
    let Page { shown, with_picture, html } = page;
    let megabytes = html.len() as f64 / 1e6;
    log::info!(
        "{at}: {shown} pairs, {with_picture} with a picture, {megabytes:.1} MB: open it in a browser"
    );
    if *with_picture == 0 && *shown > 0 {
        log::warn!("{at}: no picture was found: give --source, the pairs that were judged");
    }
    Ok(())
}

/// The kept shards beside the journals: without --source they are all that there is to see.
pub fn beside(journals: &[PathBuf]) -> Vec<PathBuf> {
    let own = |journal: &PathBuf| if journal.is_dir() { Some(journal.clone()) } else { None };
    let beside = |journal: &PathBuf| own(journal).or_else(|| journal.parent().map(Path::to_owned));
    let folders = journals.iter().filter_map(beside);
    let has_shards = |folder: &PathBuf| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        names.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == "tar"))
    };
    folders.filter(has_shards).collect()
}
