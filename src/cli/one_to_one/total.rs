//! What all inputs of a run have come to.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::stats::Counts;

use super::OneToOne;
use super::row::Row;
use crate::cli::logger;
use crate::cli::session::{COULD_NOT_RUN, INTERRUPTED, exit_code};
use crate::cli::terminal::Styled;
use crate::pipeline::Outcome;
use crate::printable::printable_line;
use crate::store::one_to_one::Kind;

/// What all inputs have come to, those done before among them.
pub struct Total {
    /// Pairs of all outputs, and of those that were made now.
    all: Counts,
    now: Counts,
    done: u64,
    skipped: u64,
    /// Inputs that could not be read.
    pub unread: u64,
    pub interrupted: bool,
    passing: &'static str,
    folder: String,
    started: Instant,
}

impl Total {
    pub fn start(run: &OneToOne<'_>) -> Self {
        let passing = match run.kind {
            Kind::Filter => "kept",
            Kind::Score => "nothing against",
        };
        Self {
            all: Counts::default(),
            now: Counts::default(),
            done: 0,
            skipped: 0,
            unread: 0,
            interrupted: false,
            passing,
            folder: run.folder.display().to_string(),
            started: Instant::now(),
        }
    }

    pub fn add(&mut self, row: &Row) {
        self.all.merge(&row.counts);
        if row.skipped {
            self.skipped += 1;
        } else {
            self.done += 1;
            self.now.merge(&row.counts);
        }
    }

    /// Tells of an input that is done, one of `inputs`.
    pub fn tell(&self, row: &Row, inputs: usize) {
        let (read, kept) = (row.counts.decided(), row.counts.total(Verdict::Kept));
        let (name, passing) = (printable_line(&row.name), self.passing);
        let number = self.done + self.skipped + self.unread;
        match row.skipped {
            true => log::info!("{number} of {inputs}: {name} was done before"),
            false => log::info!("{number} of {inputs}: {name}, {read} pairs, {kept} {passing}"),
        }
    }

    /// What was done now, as an outcome.
    pub fn outcome(&self) -> Outcome {
        let (read, interrupted) = (self.now.decided(), self.interrupted);
        Outcome { read, counts: self.now, interrupted, ..Outcome::default() }
    }

    /// Of what was done now: what was done before has been answered for.
    pub fn exit_code(&self) -> ExitCode {
        match (self.unread, self.done) {
            (1.., _) => ExitCode::from(COULD_NOT_RUN),
            _ if self.interrupted => ExitCode::from(INTERRUPTED),
            (0, 0) => ExitCode::SUCCESS,
            _ => exit_code(&self.outcome(), &self.now),
        }
    }

    pub fn print(&self) -> io::Result<()> {
        logger::tell_repeats();
        let pairs = self.all.decided();
        let mut text = Styled::default();
        let mut row = |name: &str, count: u64| {
            let share = 100.0 * count as f64 / pairs.max(1) as f64;
            text.plain(&format!("{name:<28} {count:>10} {share:>6.1} %\n"));
        };
        row("pairs in", pairs);
        let named = [
            (self.passing, Verdict::Kept),
            ("rejected", Verdict::Rejected),
            ("failed", Verdict::Failed),
        ];
        for (name, verdict) in named {
            row(name, self.all.total(verdict));
            for (reason, count) in self.all.reasons(verdict) {
                if reason != Reason::Passed {
                    row(&format!("  {reason}"), count);
                }
            }
        }
        let Self { done, skipped, unread, .. } = self;
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = self.now.decided() as f64 / seconds;
        text.plain(&format!(
            "\n{done} inputs done, {skipped} done before, {unread} unreadable; {seconds:.1} s, \
             {rate:.0} pairs/s\n"
        ));
        text.plain(&format!("outputs in {}\n", printable_line(&self.folder)));
        if self.interrupted {
            text.plain(
                "interrupted: the same command goes on; the input that it was at is done again\n",
            );
        }
        text.print()
    }
}
