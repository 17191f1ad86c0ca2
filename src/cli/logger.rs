//! Log lines: to standard error, above the progress bar, repeated warnings counted.

use std::io::{Write as _, stderr};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use anstream::{AutoStream, ColorChoice};
use env_logger::{Builder, Env, Target, WriteStyle};
use log::{Level, Log, Metadata, Record};

use crate::cli::progress::LogLines;
use crate::cli::repeats::Repeats;
use crate::printable::printable_line;

static LOGGER: OnceLock<Logger> = OnceLock::new();

struct Logger {
    lines: env_logger::Logger,
    /// `None`: every warning is told.
    repeats: Option<Mutex<Repeats>>,
    started: Instant,
}

/// Sets the process's logger; one that is set already stays. `verbose` is how often `-v` was said.
pub fn start(verbose: u8) {
    let logger = LOGGER.get_or_init(|| Logger {
        lines: lines(verbose),
        repeats: (verbose == 0 && std::env::var_os("RUST_LOG").is_none()).then(Mutex::default),
        started: Instant::now(),
    });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(logger.lines.filter());
    }
}

/// Tells how many warnings were only counted.
pub fn tell_repeats() {
    let Some((logger, repeats)) = LOGGER.get().and_then(|l| Some((l, l.repeats.as_ref()?))) else {
        return;
    };
    let closing = repeats.lock().unwrap_or_else(PoisonError::into_inner).close();
    closing.iter().for_each(|text| logger.warn(text));
}

fn lines(verbose: u8) -> env_logger::Logger {
    let level = match verbose {
        0 => "warn,pairgate=info",
        1 => "info,pairgate=debug",
        _ => "trace",
    };
    let colours = match AutoStream::choice(&stderr()) {
        ColorChoice::Never => WriteStyle::Never,
        _ => WriteStyle::Always,
    };
    Builder::new()
        .write_style(colours)
        .parse_env(Env::default().default_filter_or(level))
        .format(|line, record| {
            let time = humantime::format_rfc3339_seconds(SystemTime::now());
            let style = line.default_level_style(record.level());
            let (level, text) = (record.level(), record.args().to_string());
            writeln!(line, "[{time} {style}{level:<5}{style:#}] {}", printable_line(&text))
        })
        .target(Target::Pipe(Box::new(LogLines)))
        .build()
}

impl Logger {
    fn warn(&self, text: &str) {
        let mut record = Record::builder();
        self.lines.log(
            &record.level(Level::Warn).target("pairgate").args(format_args!("{text}")).build(),
        );
    }

    /// Whether a warning is told itself; tells how many were not, where it is time to.
    fn admits(&self, record: &Record<'_>, repeats: &Mutex<Repeats>) -> bool {
        let place = (record.file().unwrap_or_default().to_owned(), record.line().unwrap_or(0));
        let text = record.args().to_string();
        let now = self.started.elapsed();
        let mut repeats = repeats.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = repeats.admit(place, &text, now);
        drop(repeats);
        admitted.closing.into_iter().for_each(|closing| self.warn(&closing));
        admitted.is_told
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let repeats = self.repeats.as_ref();
        let repeats =
            repeats.filter(|_| record.level() == Level::Warn && self.lines.matches(record));
        if repeats.is_none_or(|repeats| self.admits(record, repeats)) {
            self.lines.log(record);
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}
