//! `pairgate score`: every pair's score, and nothing copied.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use pairgate::gate::{GateSettings, Screening};
use pairgate::policy::Policy;
use pairgate::sink::Sink;
use pairgate::sink::journal::JournalSink;
use pairgate::sink::scores::ScoresSink;

use crate::args::ScoreArgs;
use crate::progress::Pass;
use crate::run::{Session, exit_code};
use crate::summary::Summary;

/// Runs the command.
pub fn run(args: &ScoreArgs) -> Result<ExitCode, Box<dyn Error>> {
    let to_stdout = args.output == Path::new("-");
    if to_stdout && args.json {
        return Err("--json and -o - would both write to standard output: name a file".into());
    }
    let session = Session::start(&args.input, args.rules)?;
    let inputs = session.open(&args.input)?;
    let settings = GateSettings {
        policy: Policy::default(),
        screening: Screening::Note,
        ..GateSettings::of(&session.config)
    };
    let mut sink: Box<dyn Sink> = if args.output.extension().is_some_and(|e| e == "pairgate") {
        Box::new(JournalSink::create(&args.output, session.header(&settings))?)
    } else {
        Box::new(ScoresSink::create(&args.output)?)
    };
    let mut summary = Summary::start(&session.model, &settings, "nothing against");
    summary.to_stderr = to_stdout;
    let outcome = session.run(inputs, settings, &mut *sink, Pass::Scoring)?;
    summary.print(&outcome, args.json)?;
    Ok(exit_code(&outcome))
}
