//! `pairgate`: filters and scores image-text pairs.

mod args;
mod commands;
mod progress;
mod run;
mod summary;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
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
