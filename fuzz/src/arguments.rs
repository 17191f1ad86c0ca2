//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use pairgate_fuzz::{Target, find, targets};

/// What `--help` says.
pub const HELP: &str = "\
Feeds pairgate's parsers damaged input and tells what they do not stand.

    cargo run --release -p pairgate-fuzz -- [TARGET...] [OPTIONS]

    --seconds N     time of the whole run, shared by its targets (default 60)
    --cases N       inputs of each target, in place of a time: the same on every machine
    --seed N        which inputs (default 1): the same seed gives the same ones
    --out DIR       where inputs that fail are written (default: beside the program, fuzz-failures/)
    --repeat FILE   runs one target on one file, and shows its panic
    --list          names the targets

Without a TARGET all are run. An input fails where it panics, aborts, takes more than 20 s, or 1 GiB of
memory. Exit code 1 says that some did.
";

/// What is asked for.
pub enum Wanted {
    /// Help.
    Help,
    /// The names of the targets.
    List,
    /// Inputs, many of them.
    Run(Arguments),
    /// One input.
    Repeat {
        /// What reads it.
        target: &'static Target,
        /// The input.
        file: PathBuf,
    },
    /// The same as `Run`, for one target and in this process; the parent asks for it.
    Child {
        /// What is run.
        target: &'static Target,
        /// The file that tells the parent which input is being read.
        progress: PathBuf,
        /// How much.
        arguments: Arguments,
    },
}

/// How much is run.
pub struct Arguments {
    /// What is run.
    pub targets: Vec<&'static Target>,
    /// Time of all of them together.
    pub seconds: f64,
    /// Inputs of each, in place of a time.
    pub cases: Option<u64>,
    /// Which inputs.
    pub seed: u64,
    /// Where inputs that fail are written.
    pub out: PathBuf,
}

impl Arguments {
    /// Reads the arguments.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
        let mut parsed =
            Self { targets: Vec::new(), seconds: 60.0, cases: None, seed: 1, out: beside()? };
        let (mut repeat, mut progress) = (None, None);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "-h" | "--help" => return Ok(Wanted::Help),
                "--list" => return Ok(Wanted::List),
                "--seconds" => parsed.seconds = number(&argument, &value()?)?,
                "--cases" => parsed.cases = Some(number(&argument, &value()?)?),
                "--seed" => parsed.seed = number(&argument, &value()?)?,
                "--out" => parsed.out = value()?.into(),
                "--repeat" => repeat = Some(PathBuf::from(value()?)),
                "--progress" => progress = Some(PathBuf::from(value()?)),
                name => {
                    let target = find(name).ok_or(format!("there is no target {name:?}"))?;
                    parsed.targets.push(target);
                }
            }
        }
        if repeat.is_none() && progress.is_none() {
            if parsed.targets.is_empty() {
                parsed.targets = targets::ALL.iter().collect();
            }
            return Ok(Wanted::Run(parsed));
        }
        let &[target] = parsed.targets.as_slice() else {
            return Err("one target is needed".into());
        };
        Ok(match (repeat, progress) {
            (Some(file), _) => Wanted::Repeat { target, file },
            (None, progress) => {
                let progress = progress.unwrap_or_default();
                Wanted::Child { target, progress, arguments: parsed }
            }
        })
    }
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} takes a number, not {text:?}"))
}

fn beside() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|why| why.to_string())?;
    Ok(program.with_file_name("fuzz-failures"))
}
