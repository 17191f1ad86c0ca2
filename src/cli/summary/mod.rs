//! What a run came to: a table for people, JSON for programs.

mod asked;
mod groups;
mod licence;
mod next;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::Digest;
use pairgate_core::stats::Counts;
use serde_json::{Map, Value, json};

use crate::capture::queue::Taken;
use crate::cli::hints::{self, NO_PAIRS};
use crate::cli::session::{SessionDecider, exit_code};
use crate::cli::terminal::{BAD, GOOD, LITERAL, POOR, Styled};
use crate::cli::tracked::Tracked;
use crate::cli::{logger, memory};
use crate::decide::Tracker;
use crate::decide::groups::GroupBar;
use crate::gate::GateSettings;
use crate::journal::{ModelName, Terms};
use crate::model::{Arithmetic, Model};
use crate::pipeline::{Outcome, Reloads};
use crate::printable::printable_line;
use crate::score_text::shortest;

use asked::Asked;
use groups::GroupTable;

pub use next::{Command, Output, after_keeping, can_be_named};

/// Pairs by what became of them in a spool: `before` and `spooled` are the sum of `left`, `lost` and those
/// that were decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spooled {
    /// Left there by an earlier run.
    pub before: u64,
    /// Brought into it.
    pub spooled: u64,
    /// Left out because it was full.
    pub shed: u64,
    /// Left there for the next run.
    pub left: u64,
    /// Taken by damage.
    pub lost: u64,
}

/// What is known before the run, and when it began.
pub struct Summary {
    model: String,
    model_digest: String,
    licence: String,
    config_digest: String,
    arithmetic: Arithmetic,
    /// Whether recorded scores decided, and no model was asked.
    is_of_scores: bool,
    threshold: Option<f32>,
    /// What the table calls pairs that nothing speaks against: scoring keeps none.
    passing: &'static str,
    /// Whether standard output is taken by something else.
    pub to_stderr: bool,
    /// Where the threshold went that follows the scores.
    tracked: Option<Tracked>,
    /// What each group came to.
    groups: Option<GroupTable>,
    /// The share that a stream was asked to keep by one threshold.
    pub asked: Option<f64>,
    /// What was decided before the run went on, in the same folder.
    before: Counts,
    /// What the table says of a run that was stopped.
    pub when_interrupted: &'static str,
    /// What became of a camera's frames before the gate.
    pub taken: Option<Taken>,
    /// What went through a spool.
    pub spooled: Option<Spooled>,
    /// Where the results go.
    pub output: Output,
    /// What may be typed next.
    pub next: Vec<Command>,
    started: Instant,
}

impl Summary {
    /// Starts the clock.
    pub fn start(model: &Model, settings: &GateSettings, passing: &'static str) -> Self {
        let manifest = model.manifest();
        let name = format!("{} {}", manifest.name, manifest.version);
        let name = ModelName { name, digest: model.digest() };
        let licence = manifest.licence.clone();
        let mut summary = Self::new(&name, licence, model.arithmetic(), passing);
        summary.set_threshold(settings);
        summary
    }

    /// Starts the clock of a run that decides by scores, under `terms`.
    pub fn of_scores(terms: &Terms, passing: &'static str) -> Self {
        let unknown = ModelName { name: String::new(), digest: Digest::default() };
        let mut name = terms.models.last().cloned().unwrap_or(unknown);
        if name.name.is_empty() {
            name.name = "unnamed".into();
        }
        let mut summary = Self::new(&name, String::new(), Arithmetic::int8(), passing);
        summary.is_of_scores = true;
        summary.threshold = terms.threshold;
        summary.config_digest = terms.config.to_string();
        summary
    }

    fn new(
        model: &ModelName,
        licence: String,
        arithmetic: Arithmetic,
        passing: &'static str,
    ) -> Self {
        Self {
            model: model.name.clone(),
            model_digest: model.digest.to_string(),
            licence,
            config_digest: String::new(),
            arithmetic,
            is_of_scores: false,
            threshold: None,
            passing,
            to_stderr: false,
            tracked: None,
            groups: None,
            asked: None,
            before: Counts::default(),
            when_interrupted: "interrupted: the input was not read to its end\n",
            taken: None,
            spooled: None,
            output: Output::default(),
            next: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Takes the threshold, and the digest of the settings with it, from `settings`.
    pub fn set_threshold(&mut self, settings: &GateSettings) {
        self.threshold = settings.policy.threshold;
        self.config_digest = settings.digest(self.arithmetic).to_string();
    }

    /// Takes who decided last, where that changed in the run, and where the threshold went.
    pub fn set_last<E>(&mut self, reloads: &Reloads<E>, first: &SessionDecider) {
        let last = reloads.last();
        if let Some(last) = &last {
            self.set_terms(&last.terms);
            // Not all of it was decided by one threshold.
            self.asked = None;
        }
        self.set_tracked(last.as_ref().map_or(first.tracker(), |last| last.decider.tracker()));
    }

    fn set_terms(&mut self, terms: &Terms) {
        if let Some(ModelName { name, digest }) = terms.models.last() {
            (self.model, self.model_digest) = (name.clone(), digest.to_string());
        }
        (self.threshold, self.config_digest) = (terms.threshold, terms.config.to_string());
    }

    /// Takes where the threshold went, where it follows the scores; the last one is then the
    /// summary's.
    pub fn set_tracked(&mut self, tracker: Option<&Tracker>) {
        let Some(tracker) = tracker else { return };
        self.tracked = Some(Tracked::of(tracker, self.threshold));
        self.threshold = tracker.threshold();
    }

    /// Takes what each group came to, where there are groups.
    pub fn set_groups(&mut self, groups: Option<&GroupBar>) {
        self.groups = groups.map(GroupTable::of);
    }

    /// The share that was kept, where another one may have been asked for.
    fn asked(&self, counts: &Counts) -> Option<Asked> {
        Asked::of(self.asked?, counts)
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

    /// Prints to standard output, or to standard error where the other is taken; before it, how many
    /// warnings were only counted.
    pub fn print(&self, outcome: &Outcome, as_json: bool) -> io::Result<()> {
        logger::tell_repeats();
        let mut text = Styled::default();
        match as_json {
            true => drop(text.plain(&self.json(outcome))),
            false => self.table(outcome, &mut text),
        }
        if self.to_stderr { text.print_to_stderr() } else { text.print() }
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
            "licence": self.licence,
            "output": self.output.path().map(|path| path.display().to_string()),
            "config_digest": self.config_digest,
            "threshold": self.threshold.map(shortest),
            "in": read,
            "before": self.before.decided(),
            "kept": total(Verdict::Kept),
            "rejected": total(Verdict::Rejected),
            "failed": total(Verdict::Failed),
            "unstored": outcome.unstored,
            "dropped": outcome.dropped,
            "kept_reasons": reasons(Verdict::Kept),
            "rejected_reasons": reasons(Verdict::Rejected),
            "failed_reasons": reasons(Verdict::Failed),
            "interrupted": outcome.interrupted,
            "error": outcome.error.as_ref().map(ToString::to_string),
            "seconds": seconds,
            "pairs_per_second": outcome.read as f64 / seconds,
            "peak_memory_bytes": memory::account("VmHWM"),
        });
        if let Some(asked) = self.asked(&counts) {
            summary["keep"] = asked.json();
        }
        if let Some(groups) = &self.groups {
            summary["groups"] = groups.json();
        }
        if let Some(tracked) = &self.tracked {
            summary["follow"] = tracked.json();
        }
        if let Some(Taken { read, shed, early, backed_off, silences }) = self.taken {
            summary["frames"] = json!({
                "read": read,
                "shed": shed,
                "early": early,
                "backed_off": backed_off,
                "silences": silences,
            });
        }
        if let Some(Spooled { before, spooled, shed, left, lost }) = self.spooled {
            summary["spool"] = json!({
                "before": before,
                "in": spooled,
                "shed": shed,
                "left": left,
                "lost": lost,
            });
        }
        format!("{summary:#}\n")
    }

    fn table(&self, outcome: &Outcome, text: &mut Styled) {
        let (read, counts) = self.all(outcome);
        self.rows(outcome, read, &counts, text);
        text.plain("\n");
        if let Some(groups) = &self.groups {
            text.plain(&groups.text()).plain("\n");
        }
        if let Some(asked) = self.asked(&counts) {
            text.plain(&asked.text());
        }
        self.circumstances(outcome, text);
        if outcome.interrupted {
            text.plain(self.when_interrupted);
        }
        self.whereabouts(outcome, text);
        if outcome.error.is_none() {
            self.hints(outcome, read, &counts, text);
        }
        if outcome.error.is_none() && !outcome.interrupted && read > 0 {
            next_commands(&self.next, text);
        }
    }

    /// What became of the pairs.
    fn rows(&self, outcome: &Outcome, read: u64, counts: &Counts, text: &mut Styled) {
        let numbers = |count: u64| {
            let share = 100.0 * count as f64 / read.max(1) as f64;
            format!(" {count:>10} {share:>6.1} %\n")
        };
        let row = |name: &str, count: u64| format!("{name:<28}{}", numbers(count));
        text.plain(&row("pairs in", read));
        for (name, verdict, style) in [
            (self.passing, Verdict::Kept, GOOD),
            ("rejected", Verdict::Rejected, POOR),
            ("failed", Verdict::Failed, BAD),
        ] {
            let total = counts.total(verdict);
            let name = format!("{name:<28}");
            if total > 0 {
                text.styled(style, &name)
            } else {
                text.plain(&name)
            };
            text.plain(&numbers(total));
            for (reason, count) in counts.reasons(verdict) {
                if reason != Reason::Passed {
                    text.plain(&row(&format!("  {reason}"), count));
                }
            }
        }
        if outcome.unstored > 0 {
            text.plain(&row("not stored", outcome.unstored));
        }
        if outcome.dropped > 0 {
            let dropped = outcome.dropped;
            text.plain(&format!("{:<28} {dropped:>10}\n", "stored and removed again"));
        }
        if self.before.decided() > 0 {
            text.plain(&row("decided by earlier runs", self.before.decided()));
        }
    }

    /// By what the pairs were decided, and how fast.
    fn circumstances(&self, outcome: &Outcome, text: &mut Styled) {
        if let Some(Taken { read, shed, early, backed_off, silences }) = self.taken {
            if silences > 0 {
                text.plain(&format!("{silences} times without a picture for long\n"));
            }
            text.plain(&format!(
                "frames {read}: {early} within the interval, {shed} shed (no place),\n\
                 {backed_off} left out for heat or battery\n\n"
            ));
        }
        if let Some(Spooled { before, spooled, shed, left, lost }) = self.spooled {
            text.plain(&format!(
                "spool: {before} from before, {spooled} in, {shed} shed (full), {left} left, {lost} damaged\n\n"
            ));
        }
        if let Some(tracked) = &self.tracked {
            text.plain(&format!("{tracked}\n\n"));
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = outcome.read as f64 / seconds;
        let threshold = self.threshold.map_or(String::new(), |t| format!("threshold {t:.4}, "));
        text.plain(&format!("{threshold}{seconds:.1} s, {rate:.0} pairs/s\n"));
        let (digest, model) = (&self.model_digest[..12], printable_line(&self.model));
        match (self.is_of_scores, self.model_digest.bytes().all(|digit| digit == b'0')) {
            (false, _) => {
                text.plain(&format!("model {model} ({digest}...), {}\n", self.arithmetic))
            }
            (true, false) => text.plain(&format!("scores of model {model} ({digest}...)\n")),
            (true, true) => text.plain("scores that do not tell their model\n"),
        };
        if let Some(licence) = licence::told(&self.licence).filter(|_| !self.licence.is_empty()) {
            text.plain(&format!("its licence: {}\n", printable_line(&licence)));
        }
    }

    /// Where the results are.
    fn whereabouts(&self, outcome: &Outcome, text: &mut Styled) {
        let told = |path: &std::path::Path| printable_line(&path.to_string_lossy()).into_owned();
        match &self.output {
            Output::Nowhere => text.plain("a dry run: nothing was written\n"),
            Output::Folder(path) => {
                let journal = told(&path.join("journal"));
                text.plain(&format!("kept pairs in {}, every decision in {journal}\n", told(path)))
            }
            Output::File(path) if outcome.error.is_none() && !outcome.interrupted => {
                text.plain(&format!("scores in {}\n", told(path)))
            }
            Output::File(_) | Output::Stream => text,
        };
    }

    /// What may help where one reason took most of the pairs, or where there was no pair.
    fn hints(&self, outcome: &Outcome, read: u64, counts: &Counts, text: &mut Styled) {
        if read == 0 && !outcome.interrupted {
            hint(text, NO_PAIRS);
        }
        if let Some(asked) = self.asked(counts).and_then(|asked| asked.hint()) {
            hint(text, asked);
        }
        for &reason in Reason::ALL {
            let of = |verdict| counts.reasons(verdict).find(|(found, _)| *found == reason);
            let count: u64 = Verdict::ALL.into_iter().filter_map(of).map(|(_, count)| count).sum();
            let share = count as f64 / read.max(1) as f64;
            if let Some(found) = hints::of(reason).filter(|hint| share > hint.above) {
                hint(
                    text,
                    &format!("{reason}, {:.0} % of the pairs:\n{}", 100.0 * share, found.text),
                );
            }
        }
    }
}

/// Prints commands to type next.
pub fn tell_next_commands(commands: &[Command]) -> io::Result<()> {
    let mut text = Styled::default();
    next_commands(commands, &mut text);
    text.print()
}

fn next_commands(commands: &[Command], text: &mut Styled) {
    let mut mark = "\nnext: ";
    for command in commands {
        for line in command.lines() {
            text.plain(mark).styled(LITERAL, &line).plain("\n");
            mark = "      ";
        }
    }
}

/// Adds a hint, its lines below each other.
fn hint(text: &mut Styled, lines: &str) {
    text.plain("\n").styled(GOOD, "hint:").plain(" ");
    text.plain(&lines.replace('\n', "\n      ")).plain("\n");
}
