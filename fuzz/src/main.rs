//! Runs the targets: one child process each, so that an abort, a hang or a flood of memory is seen and
//! told of like a panic.

mod arguments;
mod child;
mod parent;

use std::process::ExitCode;

use arguments::{Arguments, Wanted};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Wanted::Help) => {
            print!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(Wanted::List) => {
            for target in pairgate_fuzz::targets::ALL {
                println!("{:<16} {}", target.name, target.about);
            }
            ExitCode::SUCCESS
        }
        Ok(Wanted::Repeat { target, file }) => child::repeat(target, &file),
        Ok(Wanted::Child { target, progress, arguments }) => {
            child::run(target, &progress, &arguments)
        }
        Ok(Wanted::Run(arguments)) => parent::run(&arguments),
        Err(why) => {
            eprintln!("pairgate-fuzz: {why} (--help tells more)");
            ExitCode::from(2)
        }
    }
}
