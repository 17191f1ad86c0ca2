//! `pairgate score`: every pair's score, and nothing copied.

mod args;
mod one;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::args::FormatArg;
use crate::cli::mqtt::Plan;
use crate::cli::one_to_one::{self, OneToOne};
use crate::cli::outputs::{self, check_file};
use crate::cli::progress::Pass;
use crate::cli::session::{Session, SessionDecider, embedding, exit_code};
use crate::cli::settings;
use crate::cli::summary::{Command, Output, Summary, can_be_named};
use crate::decide::Fixed;
use crate::disk::IoError;
use crate::embeddings::{Covers, Recording};
use crate::gate::{GateSettings, Screening};
use crate::journal::{Header, Terms};
use crate::sink::Sink;
use crate::sink::embeddings::EmbeddingsSink;
use crate::sink::journal::JournalSink;
use crate::sink::scores::ScoresSink;
use crate::sink::table::{Format, TableSink};
use crate::store::StoreSink;
use crate::store::one_to_one::Kind;

pub use args::ScoreArgs;
use pairgate_core::config::Need;
use pairgate_core::policy::Policy;

/// Runs the command.
pub fn run(args: &ScoreArgs) -> Result<ExitCode, Box<dyn Error>> {
    let output = match (&args.caption, &args.output) {
        (Some(caption), _) => return one::run(args, caption),
        (None, Some(output)) => output.as_path(),
        (None, None) => {
            let why = "say where the scores go: --output FILE, which may be -; the score of one \
                       picture is printed with --caption TEXT";
            return Err(why.into());
        }
    };
    if args.one_to_one {
        return one_to_one(args, output);
    }
    let to_stdout = output == Path::new("-");
    if to_stdout && args.json {
        return Err("--json and -o - would both write to standard output: name a file".into());
    }
    if to_stdout && args.embeddings {
        return Err("--embeddings go beside a file of scores: name one with --output".into());
    }
    if !to_stdout {
        check_file(output)?;
    }
    let session = start(args)?;
    let paths = args.input.part_of_inputs()?;
    if paths.is_empty() {
        log::info!("this part of the inputs is empty: nothing to do");
        return Ok(ExitCode::SUCCESS);
    }
    let inputs = session.open_paths(args.input.options(), &paths)?;
    let settings = settings_of(args, &session);
    let table = Format::of(output).map_or(0, Format::memory);
    let recording = recording_of(args, &session);
    let embeddings = if args.embeddings { StoreSink::EMBEDDINGS_MEMORY } else { 0 };
    let need = |need: Need| need.without_capture().with_sink(table + embeddings);
    let gates = embedding(session.gates(settings, need)?, args.embeddings);
    let names = paths.iter().map(|path| path.to_string_lossy().into_owned());
    let mut terms = Terms::of(&session.model, &settings);
    terms.read_as(args.input.options().named());
    let header = Header::new(terms, names.collect());
    let measures = session.selection.as_ref().map(|state| state.value_names());
    let mut sink = sink(output, header, measures.unwrap_or_default())?;
    if let Some(recording) = recording {
        sink = Box::new(EmbeddingsSink::around(sink, output, recording)?);
    }
    let passing = if args.threshold.is_some() { "kept" } else { "nothing against" };
    let mut summary = Summary::start(&session.model, &settings, passing);
    summary.to_stderr = to_stdout;
    summary.output = if to_stdout { Output::Stream } else { Output::File(output.to_owned()) };
    summary.next = next(args, output, &paths).into_iter().collect();
    let mut decider = match settings.selection {
        None => SessionDecider::Fixed(Fixed(settings.policy)),
        Some(_) => session.new_decider(&settings),
    };
    let (decider, pass) = (decider.as_decider(), Pass::Scoring);
    let outcome = session.run_through(inputs, gates, decider, &mut *sink, pass, 0);
    summary.print(&outcome, args.json)?;
    Ok(exit_code(&outcome, &outcome.counts))
}

/// Scores each input into an output of its own.
fn one_to_one(args: &ScoreArgs, folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let folder = &outputs::folder(folder.to_owned())?;
    one_to_one::check_input(&args.input)?;
    let session = start(args)?;
    one_to_one::check_selection(&session, false)?;
    let inputs = one_to_one::inputs(&args.input)?;
    let run = OneToOne {
        session: &session,
        input: &args.input,
        kind: Kind::Score,
        settings: settings_of(args, &session),
        folder,
        scores: None,
        overwrite: args.overwrite,
        accept: false,
        annotate: false,
        json: args.json,
        queue_bytes: 0,
        recording: recording_of(args, &session),
    };
    run.run(&inputs, Plan::none().open()?)
}

fn start(args: &ScoreArgs) -> Result<Session, Box<dyn Error>> {
    let mut layers = settings::of_input(&args.input)?;
    settings::set_selection(&mut layers, args.select.as_deref());
    settings::set_rules(&mut layers, &args.rules);
    Session::with(layers, &args.input.model)
}

/// What is recorded of each pair beside its score.
fn recording_of(args: &ScoreArgs, session: &Session) -> Option<Recording> {
    let names = &args.embedding_names;
    args.embeddings.then(|| names.recording(Covers::All, &session.model))
}

/// Pairs that break a rule are scored too.
fn settings_of(args: &ScoreArgs, session: &Session) -> GateSettings {
    session.selecting(GateSettings {
        policy: Policy { threshold: args.threshold, ..Policy::default() },
        screening: Screening::Note,
        ..GateSettings::of(&session.config)
    })
}

/// What to do with the scores: keep the best of the pairs.
fn next(args: &ScoreArgs, output: &Path, inputs: &[PathBuf]) -> Option<Command> {
    if output.extension().is_some_and(|extension| extension == "pairgate") {
        return Some(Command::new(&["replay"]).path(output).words(&["--keep", "15%"]));
    }
    let can_be_read = args.input.format == FormatArg::Auto && can_be_named(inputs);
    if !can_be_read || output == Path::new("-") {
        return None;
    }
    let filter = Command::new(&["filter"]).inputs(&[], inputs);
    let filter = filter.option("--image-root", args.input.images.image_root.as_deref());
    let filter = filter.option("--model", args.input.model.model.as_deref());
    let filter = match args.threshold {
        Some(threshold) => filter.words(&["--threshold", &threshold.to_string()]),
        None => filter.words(&["--keep", "15%"]),
    };
    Some(filter.words(&["-o", "kept"]))
}

/// The form of the output, by its name.
fn sink(output: &Path, header: Header, measures: Vec<String>) -> Result<Box<dyn Sink>, IoError> {
    if let Some(format) = Format::of(output) {
        return Ok(Box::new(
            TableSink::create(output, format, header.terms)?.with_measures(measures),
        ));
    }
    Ok(match output.extension() {
        Some(extension) if extension == "pairgate" => {
            Box::new(JournalSink::create(output, &header)?)
        }
        _ => {
            let lines = ScoresSink::create(output)?.with_measures(measures);
            match header.terms.threshold {
                Some(_) => Box::new(lines.with_verdicts()),
                None => Box::new(lines),
            }
        }
    })
}
