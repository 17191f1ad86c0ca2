//! `pairgate`: filters and scores image-text pairs.

mod args;
mod commands;
mod followed;
mod memory;
#[cfg_attr(not(feature = "mqtt"), path = "no_mqtt.rs")]
mod mqtt;
mod progress;
mod run;
mod settings;
mod summary;

use std::process::ExitCode;

use clap::Parser;
use pairgate::kernels::{Isa, isa};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if asks_for_details(&arguments) {
        return details();
    }
    let args = args::Args::parse();
    let level = match args.verbose {
        0 => "warn,pairgate=info",
        1 => "info,pairgate=debug",
        _ => "trace",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .format_target(false)
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
            eprintln!("pairgate: {error}");
            ExitCode::from(run::COULD_NOT_RUN)
        }
    }
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
