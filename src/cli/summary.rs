//! What a run came to: a table for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use serde_json::{Map, Value, json};

use crate::capture::queue::Taken;
use crate::cli::memory;
use crate::cli::session::exit_code;
use crate::cli::tracked::Tracked;
use crate::decide::Tracker;
use crate::gate::GateSettings;
use crate::model::{Arithmetic, Model};
use crate::pipeline::Outcome;
use crate::printable::{printable, printable_line};
use crate::score_text::shortest;

/// Prints text or JSON to standard output, without control characters but newline and tab. A reader
/// that has seen enough (`| head`) is no error.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(printable(text).as_bytes()) {
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// What is known before the run, and when it began.
pub struct Summary {
    model: String,
    model_digest: String,
    config_digest: String,
    arithmetic: Arithmetic,
    threshold: Option<f32>,
    /// What the table calls pairs that nothing speaks against: scoring keeps none.
    passing: &'static str,
    /// Whether standard output is taken by something else.
    pub to_stderr: bool,
    /// Where the threshold went that follows the scores.
    tracked: Option<Tracked>,
    /// What was decided before the run went on, in the same folder.
    before: Counts,
    /// What the table says of a run that was stopped.
    pub when_interrupted: &'static str,
    /// What became of a camera's frames before the gate.
    pub taken: Option<Taken>,
    started: Instant,
}

impl Summary {
    /// Starts the clock.
    pub fn start(model: &Model, settings: &GateSettings, passing: &'static str) -> Self {
        let manifest = model.manifest();
        let mut summary = Self {
            model: format!("{} {}", manifest.name, manifest.version),
            model_digest: model.digest().to_string(),
            config_digest: String::new(),
            arithmetic: model.arithmetic(),
            threshold: None,
            passing,
            to_stderr: false,
            tracked: None,
            before: Counts::default(),
            when_interrupted: "interrupted: the input was not read to its end\n",
            taken: None,
            started: Instant::now(),
        };
        summary.set_threshold(settings);
        summary
    }

    /// Takes the threshold, and the digest of the settings with it, from `settings`.
    pub fn set_threshold(&mut self, settings: &GateSettings) {
        self.threshold = settings.policy.threshold;
        self.config_digest = settings.earlier_digest(self.arithmetic).to_string();
    }

    /// Takes where the threshold went, where it follows the scores; the last one is then the
    /// summary's.
    pub fn set_tracked(&mut self, tracker: Option<&Tracker>) {
        let Some(tracker) = tracker else { return };
        self.tracked = Some(Tracked::of(tracker, self.threshold));
        self.threshold = tracker.threshold();
    }

    /// Counts what was decided before the run went on.
    pub fn set_before(&mut self, before: Counts) {
        self.before = before;
    }

    /// All pairs that the run and those before it in its folder have come to.
    fn all(&self, outcome: &Outcome) -> (u64, Counts) {
        let mut counts = outcome.counts;
        counts.merge(&self.before);
        (outcome.read + self.before.decided(), counts)
    }

    /// The exit code for how the run ended, and for the pairs of those before it in its folder.
    pub fn exit_code(&self, outcome: &Outcome) -> ExitCode {
        let (_, counts) = self.all(outcome);
        exit_code(outcome, &counts)
    }

    /// Prints to standard output, or to standard error where the other is taken.
    pub fn print(&self, outcome: &Outcome, as_json: bool) -> io::Result<()> {
        let text = if as_json { self.json(outcome) } else { self.table(outcome) };
        if self.to_stderr {
            io::stderr().write_all(printable(&text).as_bytes())
        } else {
            print(&text)
        }
    }

    fn json(&self, outcome: &Outcome) -> String {
        let (read, counts) = self.all(outcome);
        let reasons = |verdict| -> Map<String, Value> {
            let rows = counts.reasons(verdict);
            rows.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect()
        };
        let total = |verdict| counts.total(verdict);
        let seconds = self.started.elapsed().as_secs_f64();
        let mut summary = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": self.model,
            "model_digest": self.model_digest,
            "config_digest": self.config_digest,
            "threshold": self.threshold.map(shortest),
            "in": read,
            "before": self.before.decided(),
            "kept": total(Verdict::Kept),
            "rejected": total(Verdict::Rejected),
            "failed": total(Verdict::Failed),
            "unstored": outcome.unstored,
            "kept_reasons": reasons(Verdict::Kept),
            "rejected_reasons": reasons(Verdict::Rejected),
            "failed_reasons": reasons(Verdict::Failed),
            "interrupted": outcome.interrupted,
            "error": outcome.error.as_ref().map(ToString::to_string),
            "seconds": seconds,
            "pairs_per_second": outcome.read as f64 / seconds,
            "peak_memory_bytes": memory::account("VmHWM"),
        });
        if let Some(tracked) = &self.tracked {
            summary["follow"] = tracked.json();
        }
        if let Some(Taken { read, shed, early, backed_off }) = self.taken {
            summary["frames"] =
                json!({ "read": read, "shed": shed, "early": early, "backed_off": backed_off });
        }
        format!("{summary:#}\n")
    }

    fn table(&self, outcome: &Outcome) -> String {
        let mut text = String::new();
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = outcome.read as f64 / seconds;
        let (read, counts) = self.all(outcome);
        let mut row = |name: &str, count: u64| {
            let share = 100.0 * count as f64 / read.max(1) as f64;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<28} {count:>10} {share:>6.1} %");
        };
        row("pairs in", read);
        for (name, verdict) in [
            (self.passing, Verdict::Kept),
            ("rejected", Verdict::Rejected),
            ("failed", Verdict::Failed),
        ] {
            row(name, counts.total(verdict));
            let worth_a_row =
                |(reason, _): &(_, u64)| *reason != pairgate_core::decision::Reason::Passed;
            for (reason, count) in counts.reasons(verdict).filter(worth_a_row) {
                row(&format!("  {reason}"), count);
            }
        }
        if outcome.unstored > 0 {
            row("not stored", outcome.unstored);
        }
        if self.before.decided() > 0 {
            row("decided by earlier runs", self.before.decided());
        }
        if let Some(Taken { read, shed, early, backed_off }) = self.taken {
            let _ = writeln!(
                text,
                "\nframes {read}: {early} within the interval, {shed} shed (no place), {backed_off} \
                 left out for heat or battery"
            );
        }
        if let Some(tracked) = &self.tracked {
            let _ = writeln!(text, "\n{tracked}");
        }
        let threshold = self.threshold.map_or(String::new(), |t| format!("threshold {t:.4}, "));
        let _ = writeln!(text, "\n{threshold}{seconds:.1} s, {rate:.0} pairs/s");
        let digest = &self.model_digest[..12];
        let model = printable_line(&self.model);
        let _ = writeln!(text, "model {model} ({digest}...), {}", self.arithmetic);
        if outcome.interrupted {
            text.push_str(self.when_interrupted);
        }
        text
    }
}
