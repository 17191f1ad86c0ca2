//! `pairgate merge`: what one-to-one outputs come to together, and what is missing or wrong.

mod args;
mod sum;
mod threshold;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use pairgate_core::decision::{Reason, Verdict};
use serde_json::{Map, Value, json};

use crate::cli::outputs::check_file;
use crate::cli::terminal::{BAD, Styled, print};
use crate::printable::printable_line;
use crate::score_text::shortest;
use crate::source::{SingleInput, single_inputs};
use crate::store::one_to_one::{left_behind, outputs};

pub use args::MergeArgs;
use sum::Sum;
use threshold::Threshold;

/// Exit code: something is missing or wrong.
const NOT_WHOLE: u8 = 1;
/// Faults that are shown one by one; the rest is counted.
const MOST_SHOWN: usize = 20;

/// Runs the command.
pub fn run(args: &MergeArgs) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(path) = &args.output {
        check_file(path)?;
    }
    let folder = args.folder.display();
    let found = outputs(&args.folder).map_err(|why| format!("reading {folder}: {why}"))?;
    let inputs = inputs(args)?;
    if found.is_empty() && inputs.is_empty() {
        return Err(format!("{folder}: no one-to-one outputs are in it").into());
    }
    // The share's threshold reads the scores anyway, each of which its journal's checksums hold.
    let reads = !args.quick && args.keep.is_none();
    let mut sum = Sum::default();
    found.iter().for_each(|names| sum.add(names, reads));
    sum.find_missing(&inputs);
    let threshold = match args.keep {
        Some(keep) => Some(threshold(args, keep, &sum)?),
        None => None,
    };
    if let (Some(path), Some(threshold)) = (&args.output, &threshold) {
        threshold.write(path)?;
    }
    let report = Report { args, sum: &sum, threshold: threshold.as_ref() };
    if args.json {
        print(&report.json())?
    } else {
        report.text().print()?
    }
    Ok(ExitCode::from(if sum.is_whole() { 0 } else { NOT_WHOLE }))
}

/// The threshold of all scores; there is none while scores are missing.
fn threshold(args: &MergeArgs, keep: f64, sum: &Sum) -> Result<Threshold, Box<dyn Error>> {
    if !sum.is_whole() {
        let first = sum.wrong.iter().chain(&sum.missing).next();
        let (count, first) = (sum.wrong.len() + sum.missing.len(), first.map_or("", |s| s));
        return Err(format!(
            "a share's threshold rests on all scores, and {count} outputs are missing or wrong; \
             the first: {first}"
        )
        .into());
    }
    match args.sketch {
        true => Threshold::of_sketches(sum, &args.folder, keep),
        false => Threshold::exact(sum, &args.folder, keep),
    }
}

fn inputs(args: &MergeArgs) -> Result<Vec<SingleInput>, Box<dyn Error>> {
    let listed = match &args.list {
        Some(list) => {
            let text = fs::read_to_string(list);
            let text = text.map_err(|why| format!("reading {}: {why}", list.display()))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(PathBuf::from).collect()
        }
        None => args.inputs.clone(),
    };
    Ok(single_inputs(&listed)?)
}

/// What is told.
struct Report<'a> {
    args: &'a MergeArgs,
    sum: &'a Sum,
    threshold: Option<&'a Threshold>,
}

impl Report<'_> {
    fn json(&self) -> String {
        let Sum { counts, stored, bytes, outputs, missing, wrong, .. } = self.sum;
        let reasons = |verdict| -> Map<String, Value> {
            let rows = counts.reasons(verdict);
            rows.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect()
        };
        let mut value = json!({
            "outputs": outputs.len(),
            "in": counts.decided(),
            "kept": counts.total(Verdict::Kept),
            "rejected": counts.total(Verdict::Rejected),
            "failed": counts.total(Verdict::Failed),
            "kept_reasons": reasons(Verdict::Kept),
            "rejected_reasons": reasons(Verdict::Rejected),
            "failed_reasons": reasons(Verdict::Failed),
            "stored": stored,
            "bytes": bytes,
            "missing": missing,
            "wrong": wrong,
            "unfinished_attempts": left_behind(&self.args.folder),
        });
        if let Some(found) = self.threshold {
            value["keep"] = found.keep.into();
            value["threshold"] = shortest(found.threshold);
            value["scored"] = found.scored.into();
            value["exact"] = found.is_exact.into();
        }
        format!("{value:#}\n")
    }

    fn text(&self) -> Styled {
        let Sum { counts, stored, bytes, outputs, missing, wrong, .. } = self.sum;
        let mut text = Styled::default();
        let pairs = counts.decided();
        let share = |count: u64| 100.0 * count as f64 / pairs.max(1) as f64;
        let row =
            |name: &str, count: u64| format!("{name:<28} {count:>12} {:>6.1} %\n", share(count));
        text.plain(&format!("{:<28} {:>12}\n", "outputs", outputs.len()));
        text.plain(&row("pairs in", pairs));
        let is_scores = self.sum.is_of_scores();
        let passing = if is_scores { "nothing against" } else { "kept" };
        let named = [
            (passing, Verdict::Kept),
            ("rejected", Verdict::Rejected),
            ("failed", Verdict::Failed),
        ];
        for (name, verdict) in named {
            text.plain(&row(name, counts.total(verdict)));
            for (reason, count) in counts.reasons(verdict).filter(|(r, _)| *r != Reason::Passed) {
                text.plain(&row(&format!("  {reason}"), count));
            }
        }
        if !is_scores {
            text.plain(&format!("{stored} samples in the shards, {bytes} bytes\n"));
        }
        if let Some(found) = self.threshold {
            text.plain(&found.to_string());
        }
        let attempts = left_behind(&self.args.folder);
        if attempts > 0 {
            text.plain(&format!(
                "{attempts} attempts are at work, or were killed: the next one at the same input tidies up\n"
            ));
        }
        faults(&mut text, "missing", missing);
        faults(&mut text, "wrong", wrong);
        if self.sum.is_whole() && self.threshold.is_none() {
            let how = if self.args.quick { "all files are there" } else { "all is whole" };
            text.plain(&format!("{how}\n"));
        }
        text
    }
}

fn faults(text: &mut Styled, name: &str, faults: &[String]) {
    for fault in faults.iter().take(MOST_SHOWN) {
        text.styled(BAD, name).plain(&format!("  {}\n", printable_line(fault)));
    }
    if let Some(more) = faults.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        text.plain(&format!("and {more} more {name}; --json names them all\n"));
    }
}
