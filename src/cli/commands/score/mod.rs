//! `pairgate score`: every pair's score, and nothing copied.

mod args;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use pairgate_core::policy::Policy;

use crate::cli::progress::Pass;
use crate::cli::session::{Session, exit_code};
use crate::cli::summary::Summary;
use crate::decide::Fixed;
use crate::disk::IoError;
use crate::gate::{GateSettings, Screening};
use crate::journal::Header;
use crate::sink::Sink;
use crate::sink::journal::JournalSink;
use crate::sink::scores::ScoresSink;
use crate::sink::table::{Format, TableSink};

pub use args::ScoreArgs;

/// Runs the command.
pub fn run(args: &ScoreArgs) -> Result<ExitCode, Box<dyn Error>> {
    let to_stdout = args.output == Path::new("-");
    if to_stdout && args.json {
        return Err("--json and -o - would both write to standard output: name a file".into());
    }
    let session = Session::start(&args.input, args.rules)?;
    let paths = args.input.share_of_inputs()?;
    if paths.is_empty() {
        log::info!("no input has this share's number: nothing to do");
        return Ok(ExitCode::SUCCESS);
    }
    let inputs = session.open_paths(args.input.options(), &paths)?;
    let settings = GateSettings {
        policy: Policy::default(),
        screening: Screening::Note,
        ..GateSettings::of(&session.config)
    };
    let table = Format::of(&args.output).map_or(0, Format::memory);
    let gates = session.gates(settings, |need| need.without_capture().with_sink(table))?;
    let names = paths.iter().map(|path| path.to_string_lossy().into_owned());
    let header = Header::new(session.terms(&settings), names.collect());
    let mut sink = sink(&args.output, header)?;
    let mut summary = Summary::start(&session.model, &settings, "nothing against");
    summary.to_stderr = to_stdout;
    let mut decider = Fixed(settings.policy);
    let pass = Pass::Scoring;
    let outcome = session.run_through(inputs, gates, &mut decider, &mut *sink, pass, 0);
    summary.print(&outcome, args.json)?;
    Ok(exit_code(&outcome, &outcome.counts))
}

/// The form of the output, by its name.
fn sink(output: &Path, header: Header) -> Result<Box<dyn Sink>, IoError> {
    if let Some(format) = Format::of(output) {
        return Ok(Box::new(TableSink::create(output, format, header.terms)?));
    }
    Ok(match output.extension() {
        Some(extension) if extension == "pairgate" => {
            Box::new(JournalSink::create(output, &header)?)
        }
        _ => Box::new(ScoresSink::create(output)?),
    })
}
