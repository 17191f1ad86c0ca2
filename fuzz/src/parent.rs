//! A child process for each target, and an eye on it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pairgate_fuzz::{Target, files, mutate};

use crate::arguments::Arguments;
use crate::child;

/// Time of one input at most. Machines are shared, so it is long.
const MOST_TIME: Duration = Duration::from_secs(20);
/// Memory of a child at most, in KiB.
const MOST_MEMORY: u64 = 1 << 20;

/// Runs the targets one after the other.
pub fn run(arguments: &Arguments) -> ExitCode {
    println!("{:<16} {:>9} {:>10} {:>9} {:>7}", "target", "inputs", "a second", "worst, ms", "MiB");
    let mut failures = 0;
    for target in &arguments.targets {
        match watch(target, arguments) {
            Ok(passed) => failures += usize::from(!passed),
            Err(why) => {
                eprintln!("{}: the child cannot be run: {why}", target.name);
                return ExitCode::from(2);
            }
        }
    }
    if failures > 0 {
        println!("{failures} of {} targets failed", arguments.targets.len());
    }
    ExitCode::from(u8::from(failures > 0))
}

fn watch(target: &'static Target, arguments: &Arguments) -> io::Result<bool> {
    let progress = files::work_of(std::process::id()).with_extension("progress");
    let mut child = start(target, arguments, &progress)?;
    let ended = wait_for(&mut child, &progress);
    let _ = fs::remove_dir_all(files::work_of(child.id()));
    let number = current(&progress).unwrap_or(0);
    let _ = fs::remove_file(&progress);
    let why = match ended? {
        Ended::Itself(status) if status.success() => return Ok(true),
        // It has said why.
        Ended::Itself(status) if status.code().is_some_and(|code| code <= 2) => return Ok(false),
        Ended::Itself(status) => format!("the process ended: {status}"),
        Ended::TooLong => format!("it takes more than {} s", MOST_TIME.as_secs()),
        Ended::TooMuch(kib) => format!("{} MiB of memory", kib >> 10),
    };
    let bytes = mutate::input(&(target.seeds)(), arguments.seed, target.name, number);
    let _ = fs::remove_dir_all(files::work_of(std::process::id()));
    child::failed(target, arguments, number, &bytes, &why);
    Ok(false)
}

fn start(target: &Target, arguments: &Arguments, progress: &PathBuf) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    let seconds = arguments.seconds / arguments.targets.len() as f64;
    command.arg(target.name).arg("--progress").arg(progress).arg("--out").arg(&arguments.out);
    command.args(["--seed", &arguments.seed.to_string(), "--seconds", &seconds.to_string()]);
    if let Some(cases) = arguments.cases {
        command.args(["--cases", &cases.to_string()]);
    }
    command.spawn()
}

enum Ended {
    Itself(ExitStatus),
    TooLong,
    /// KiB that it held.
    TooMuch(u64),
}

/// Waits for the child, and ends it where it takes too much.
fn wait_for(child: &mut Child, progress: &Path) -> io::Result<Ended> {
    let (mut last, mut since) = (None, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Itself(status));
        }
        let now = current(progress);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let held = memory_kib(child.id()).unwrap_or(0);
        let ended = if held > MOST_MEMORY {
            Some(Ended::TooMuch(held))
        } else {
            (since.elapsed() > MOST_TIME).then_some(Ended::TooLong)
        };
        if let Some(ended) = ended {
            child.kill()?;
            child.wait()?;
            return Ok(ended);
        }
        sleep(Duration::from_millis(20));
    }
}

/// The input that the child is reading.
fn current(progress: &Path) -> Option<u64> {
    let bytes = fs::read(progress).ok()?;
    bytes.first_chunk().map(|number| u64::from_le_bytes(*number))
}

/// Memory that a process holds, where the system tells it.
fn memory_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
