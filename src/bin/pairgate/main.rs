//! `pairgate`: filters and scores image-text pairs.

mod args;
mod commands;
mod memory;
#[cfg_attr(not(feature = "mqtt"), path = "no_mqtt.rs")]
mod mqtt;
mod progress;
mod run;
mod settings;
mod signals;
mod summary;
mod tracked;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use pairgate::kernels::{Isa, isa};
use pairgate::printable::{printable, printable_line};

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<String> =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    if asks_for_details(&arguments) {
        return details();
    }
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return misused(&error, &arguments),
    };
    let level = match args.verbose {
        0 => "warn,pairgate=info",
        1 => "info,pairgate=debug",
        _ => "trace",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .format(|line, record| {
            let time = humantime::format_rfc3339_seconds(SystemTime::now());
            let style = line.default_level_style(record.level());
            let (level, text) = (record.level(), record.args().to_string());
            writeln!(line, "[{time} {style}{level:<5}{style:#}] {}", printable_line(&text))
        })
        .target(env_logger::Target::Pipe(Box::new(progress::LogLines)))
        .init();
    let ended = match args.command {
        args::Command::Filter(args) => commands::filter::run(&args),
        args::Command::Score(args) => commands::score::run(&args),
        args::Command::Capture(args) => commands::capture::run(&args),
        args::Command::Calibrate(args) => commands::calibrate::run(&args),
        args::Command::Replay(args) => commands::replay::run(&args),
        args::Command::Report(args) => commands::report::run(&args),
        args::Command::Subset(args) => commands::subset::run(&args),
        args::Command::Journal(command) => commands::journal::run(&command),
        args::Command::Config(command) => commands::config::run(&command),
        args::Command::Model(command) => commands::model::run(&command),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            run::tell_error(&*error);
            ExitCode::from(run::COULD_NOT_RUN)
        }
    }
}

/// Tells what is wrong with the arguments, or what they ask for: help, the version.
fn misused(error: &clap::Error, arguments: &[String]) -> ExitCode {
    if arguments.iter().all(|argument| !argument.contains(char::is_control)) {
        error.exit();
    }
    // The message repeats them. Its colours are control characters too, so it goes without.
    eprint!("{}", printable(&error.to_string()));
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(run::COULD_NOT_RUN))
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
    let printed = summary::print(&text);
    ExitCode::from(if printed.is_ok() { 0 } else { run::COULD_NOT_RUN })
}
