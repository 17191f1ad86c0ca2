//! One target in this process.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pairgate_fuzz::mutate::input;
use pairgate_fuzz::shrink::shrink;
use pairgate_fuzz::{Target, files, seal};

use crate::arguments::Arguments;

/// The last panic, in words. Some are caught where they happen, as decoders' are.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Reads inputs until the time or their number is over, or one fails.
pub fn run(target: &'static Target, progress: &Path, arguments: &Arguments) -> ExitCode {
    panic::set_hook(Box::new(|about| {
        // The longest that says all: a backtrace is what --repeat is for.
        *PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = about.to_string();
    }));
    let mut progress = match File::create(progress) {
        Ok(file) => file,
        Err(why) => {
            eprintln!("{}: {why}", progress.display());
            return ExitCode::from(2);
        }
    };
    let seeds = (target.seeds)();
    let started = Instant::now();
    let (mut number, mut slowest) = (0, Duration::ZERO);
    let goes_on = |number: u64| match arguments.cases {
        Some(cases) => number < cases,
        // The seeds are read in any case.
        None => number < seeds.len() as u64 || started.elapsed().as_secs_f64() < arguments.seconds,
    };
    while goes_on(number) {
        let bytes = input(&seeds, arguments.seed, target.name, number);
        if let Err(why) = tell(&mut progress, number) {
            eprintln!("the parent cannot be told: {why}");
            return ExitCode::from(2);
        }
        let began = Instant::now();
        if fails(target, &bytes) {
            let why = last_panic();
            let shorter = shrink(bytes, |bytes| fails(target, bytes) && last_panic() == why);
            failed(target, arguments, number, &shorter, &why);
            return ExitCode::from(1);
        }
        slowest = slowest.max(began.elapsed());
        number += 1;
    }
    let rate = number as f64 / started.elapsed().as_secs_f64();
    println!(
        "{:<16} {number:>9} {rate:>10.0} {:>9.1} {:>7}",
        target.name,
        1e3 * slowest.as_secs_f64(),
        peak_mib().map_or("-".into(), |mib| mib.to_string())
    );
    ExitCode::SUCCESS
}

fn tell(progress: &mut File, number: u64) -> io::Result<()> {
    progress.rewind()?;
    progress.write_all(&number.to_le_bytes())
}

fn fails(target: &Target, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).is_err()
}

fn last_panic() -> String {
    PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
}

/// Says what failed, and how it is seen again.
pub fn failed(target: &Target, arguments: &Arguments, number: u64, bytes: &[u8], why: &str) {
    println!("{:<16} FAILED at input {number} of seed {}: {why}", target.name, arguments.seed);
    match save(target, arguments, bytes) {
        Ok(path) => println!(
            "  again: cargo run --release -p pairgate-fuzz -- {} --repeat {}",
            target.name,
            path.display()
        ),
        Err(why) => println!("  the input cannot be written: {why}"),
    }
}

fn save(target: &Target, arguments: &Arguments, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(&arguments.out)?;
    let name = format!("{}-{:08x}", target.name, seal::crc32c(bytes));
    let path = arguments.out.join(name);
    fs::write(&path, bytes)?;
    Ok(path)
}

/// Runs one input; its panic is shown as any is.
pub fn repeat(target: &Target, file: &Path) -> ExitCode {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(why) => {
            eprintln!("{}: {why}", file.display());
            return ExitCode::from(2);
        }
    };
    let failed = fails(target, &bytes);
    let _ = fs::remove_dir_all(files::work_of(std::process::id()));
    println!(
        "{}: {} bytes, {}",
        target.name,
        bytes.len(),
        if failed { "failed" } else { "passed" }
    );
    ExitCode::from(u8::from(failed))
}

/// Most memory that the process held, where the system tells it.
fn peak_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib >> 10)
}
