//! Progress of long work: a bar on a terminal, a log line now and then elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write, stderr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use terminal_size::terminal_size_of;

use crate::source::Meter;

/// Time between two log lines where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The terminal's last lines, which the bar and the log lines share.
static TERMINAL: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5)));

/// Standard error for log lines, which go above a bar that is shown.
pub struct LogLines;

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A terminal that was closed takes no line; asked to make room for one, the bar would panic.
        if !stderr().is_terminal() {
            return stderr().write(line);
        }
        TERMINAL.suspend(|| stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

/// What a pass over the input does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It scores; what is kept is not known yet, or not asked.
    Scoring,
    /// It scores and keeps.
    Filtering,
    /// It finds the groups of pairs whose scores are known.
    Grouping,
    /// It keeps by scores that are known.
    Keeping,
    /// It takes frames and keeps, until it is stopped.
    Capturing,
    /// It takes pairs that are sent, and keeps, until it is stopped.
    #[cfg(feature = "serve")]
    Serving,
    /// It takes what appears in a folder, until it is stopped.
    Watching,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Scoring => "scoring",
            Self::Filtering => "filtering",
            Self::Grouping => "grouping",
            Self::Keeping => "keeping",
            Self::Capturing => "capturing",
            #[cfg(feature = "serve")]
            Self::Serving => "serving",
            Self::Watching => "watching",
        }
    }
}

/// Shows how far a run is.
pub struct Progress {
    pass: Pass,
    meter: Arc<Meter>,
    bar: ProgressBar,
    started: Instant,
    logged: Instant,
}

impl Progress {
    /// Progress of `pass`, with the share done from `meter`.
    pub fn new(pass: Pass, meter: Arc<Meter>) -> Self {
        let (bar, template) = match meter.total_bytes() {
            Some(total) => {
                (ProgressBar::new(total), "{prefix} [{bar:16}] {percent:>3}%, {left} left, {msg}")
            }
            None => (ProgressBar::new_spinner(), "{prefix} {spinner} {elapsed}, {msg}"),
        };
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.with_key("left", write_time_left).progress_chars("=> "));
        let bar = TERMINAL.add(bar);
        bar.set_prefix(pass.name());
        // What is passed over because an earlier run has decided it says nothing of the speed.
        bar.set_position(meter.bytes_read());
        bar.reset_eta();
        let now = Instant::now();
        Self { pass, meter, bar, started: now, logged: now }
    }

    /// Shows the counts so far.
    pub fn show(&mut self, counts: &Counts) {
        if stderr().is_terminal() {
            self.bar.set_position(self.meter.bytes_read());
            self.bar.set_message(fitting(&self.parts(counts), self.room()));
        } else if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            log::info!("{} {}", self.pass.name(), self.parts(counts).join(", "));
        }
    }

    /// What there is to say, the most important first.
    fn parts(&self, counts: &Counts) -> Vec<String> {
        let pairs = counts.decided();
        let rate = pairs as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let mut parts = vec![format!("{pairs} pairs"), format!("{rate:.0}/s")];
        if self.pass != Pass::Scoring {
            let kept = 100.0 * counts.total(Verdict::Kept) as f64 / pairs.max(1) as f64;
            parts.push(format!("{kept:.1}% kept"));
        }
        parts
    }

    /// Columns behind the bar or the spinner, and the time.
    fn room(&self) -> usize {
        let columns = terminal_size_of(stderr()).map_or(80, |(width, _)| usize::from(width.0));
        // A time is `59m` or `120d`; the last column stays free.
        let before = if self.bar.length().is_some() {
            " [0123456789abcdef] 100%, 120d left, ".len()
        } else {
            " * 120d, ".len()
        };
        columns.saturating_sub(self.pass.name().len() + before + 1)
    }
}

/// The time left; before anything has been measured it is not known.
fn write_time_left(state: &ProgressState, text: &mut dyn fmt::Write) {
    let (left, is_done) = (state.eta(), Some(state.pos()) >= state.len());
    // The bar has nowhere to tell of a failure.
    let _ = match left.is_zero() && !is_done {
        true => text.write_str("?"),
        false => write!(text, "{:#}", HumanDuration(left)),
    };
}

/// As many parts as the columns have room for: a number that is cut off would be another number.
fn fitting(parts: &[String], columns: usize) -> String {
    let joined = (0..=parts.len()).rev().map(|count| parts[..count].join(", "));
    joined.into_iter().find(|text| text.len() <= columns).unwrap_or_default()
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how many of a known number of steps are done; only on a terminal.
pub struct Steps {
    bar: ProgressBar,
}

impl Steps {
    /// A bar of `total` steps.
    pub fn new(name: &'static str, total: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix} [{bar:24}] {pos} of {len}, {eta} left");
        let bar = ProgressBar::new(total);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        let bar = TERMINAL.add(bar);
        bar.set_prefix(name);
        Self { bar }
    }

    /// Shows that `done` steps are done.
    pub fn show(&self, done: u64) {
        self.bar.set_position(done);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
