//! The command line as a library: [`run`] is all that the program does, so that a Python wheel can
//! have it too. The folder `commands` is the tree that `--help` shows.

mod args;
mod commands;
#[doc(hidden)]
pub mod hints;
mod logger;
mod memory;
#[cfg_attr(not(feature = "mqtt"), path = "no_mqtt.rs")]
mod mqtt;
mod one_to_one;
mod operations;
mod outbox;
mod outputs;
mod progress;
mod reload;
#[doc(hidden)]
pub mod repeats;
#[cfg_attr(not(feature = "parquet"), path = "no_selection.rs")]
mod selection;
mod session;
mod settings;
mod signals;
mod summary;
mod terminal;
mod tracked;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use pairgate_kernels::{Isa, isa};

use crate::printable::printable;

/// Runs the program with these arguments, the first of which is its name, and gives its exit code: 0
/// done, 1 done but some pairs could not be judged or none were found, 2 could not run to the end, 130 interrupted. It
/// writes to the process's standard output and error, sets its logger, and takes its signals.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let said: Vec<String> =
        arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    if asks_for_details(&said) {
        return details();
    }
    let args = match args::Args::try_parse_from(&arguments) {
        Ok(args) => args,
        Err(error) => return misused(&error, &said),
    };
    logger::start(args.verbose);
    let ended = command(&args.command);
    logger::tell_repeats();
    match ended {
        Ok(code) => code,
        Err(error) => {
            terminal::tell_error(&*error);
            ExitCode::from(session::COULD_NOT_RUN)
        }
    }
}

fn command(command: &args::Command) -> Result<ExitCode, Box<dyn Error>> {
    use args::Command;
    match command {
        Command::Filter(args) => commands::filter::run(args),
        Command::Cut(args) => commands::cut::run(args),
        Command::Score(args) => commands::score::run(args),
        Command::Capture(args) => commands::capture::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Judge(args) => commands::judge::run(args),
        Command::Watch(args) => commands::watch::run(args),
        Command::Health(args) => commands::health::run(args),
        Command::Calibrate(args) => commands::calibrate::run(args),
        Command::Merge(args) => commands::merge::run(args),
        Command::Replay(args) => commands::replay::run(args),
        Command::Report(args) => commands::report::run(args),
        Command::Compare(args) => commands::compare::run(args),
        Command::Subset(args) => commands::subset::run(args),
        Command::Plan(args) => commands::plan::run(args),
        Command::Journal(command) => commands::journal::run(command),
        Command::Config(command) => commands::config::run(command),
        Command::Select(command) => commands::select::run(command),
        Command::Model(command) => commands::model::run(command),
        #[cfg(feature = "manual")]
        Command::Completions(args) => commands::manual::completions(args),
        #[cfg(feature = "manual")]
        Command::Man(args) => commands::manual::man(args),
    }
}

/// Tells what is wrong with the arguments, or what they ask for: help, the version.
fn misused(error: &clap::Error, arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument.contains(char::is_control)) {
        // The message repeats them. Its colours are control characters too, so it goes without.
        eprint!("{}", printable(&error.to_string()));
    } else {
        // There is nowhere else to tell it.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(session::COULD_NOT_RUN))
}

/// Whether the arguments are `--version -v`.
fn asks_for_details(arguments: &[String]) -> bool {
    let has =
        |names: [&str; 2]| arguments.iter().any(|argument| names.contains(&argument.as_str()));
    arguments.len() == 2 && has(["-V", "--version"]) && has(["-v", "--verbose"])
}

/// Tells what the kernels run on.
fn details() -> ExitCode {
    let here: Vec<_> = Isa::available().iter().map(|isa| isa.name()).collect();
    let text = format!(
        "pairgate {}\nkernels {}; here: {}; {} lowers the choice\n",
        env!("CARGO_PKG_VERSION"),
        Isa::chosen(),
        here.join(", "),
        isa::VARIABLE
    );
    let printed = terminal::print(&text);
    ExitCode::from(if printed.is_ok() { 0 } else { session::COULD_NOT_RUN })
}
