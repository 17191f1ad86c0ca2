//! `pairgate subset`: DataComp's filters by name, and subset files for its resharder.

mod args;

#[cfg_attr(not(feature = "parquet"), path = "no_metadata.rs")]
mod metadata;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use pairgate_core::decision::Verdict;
use pairgate_core::pair::Uid;
use serde_json::{Map, Value, json};

use super::journal::journal_at;
use crate::cli::session::SOME_FAILED;
use crate::cli::terminal::print;
use crate::datacomp::subset_file::{self, Form};
use crate::journal::Reader;

pub use args::SubsetArgs;

/// What came of the inputs.
#[derive(Default)]
struct Found {
    /// What the table calls them.
    noun: &'static str,
    rows: u64,
    /// Sorted.
    uids: Vec<Uid>,
    /// Rows that are not kept, by why.
    rejected: Vec<(&'static str, u64)>,
    /// Rows that could not be judged, by why.
    failed: Vec<(&'static str, u64)>,
    /// What scores had to reach, by whose they are.
    thresholds: Vec<(String, f64)>,
    /// What else there is to say, by name.
    notes: Vec<(&'static str, Value)>,
}

/// Runs the command.
pub fn run(args: &SubsetArgs) -> Result<ExitCode, Box<dyn Error>> {
    let started = Instant::now();
    let form = Form::of(&args.output).ok_or_else(|| {
        let path = args.output.display();
        format!("{path}: a subset file's name ends in .npy, or in .bin, .raw or .memmap")
    })?;
    let journals: Vec<PathBuf> = args.inputs.iter().filter_map(|path| journal_at(path)).collect();
    let mut found = match journals.len() {
        0 => metadata::select(args)?,
        all if all == args.inputs.len() => kept_in(args, &journals)?,
        _ => return Err("inputs are metadata or journals, not both".into()),
    };
    let repeated = found.uids.windows(2).filter(|pair| pair[0] == pair[1]).count();
    if !args.repeats {
        found.uids.dedup();
    }
    subset_file::write(&args.output, form, &found.uids)?;
    let seconds = started.elapsed().as_secs_f64();
    let text = if args.json {
        as_json(args, &found, repeated, seconds)
    } else {
        as_table(args, &found, repeated, seconds)
    };
    print(&text)?;
    Ok(ExitCode::from(if found.failed.is_empty() { 0 } else { SOME_FAILED }))
}

/// The pairs that journals say were kept.
fn kept_in(args: &SubsetArgs, journals: &[PathBuf]) -> Result<Found, Box<dyn Error>> {
    if !args.filter.is_empty() || args.scores.is_some() {
        return Err("filters need metadata, of which journals have none; with metadata, \
                    --scores JOURNAL gives its scores (and replay another threshold)"
            .into());
    }
    let mut found = Found { noun: "records", ..Found::default() };
    let (mut rejected, mut failed) = (0, 0);
    for path in journals {
        let mut journal = Reader::open(path)?;
        while let Some(record) = journal.next().transpose()? {
            found.rows += 1;
            match record.verdict {
                Verdict::Kept => found.uids.push(record.uid),
                Verdict::Rejected => rejected += 1,
                Verdict::Failed => failed += 1,
            }
        }
        journal.tell_dropped(path);
    }
    found.uids.sort_unstable();
    // The gate has told of those already: for the subset they are pairs that it did not keep.
    let rows = [("rejected_by_the_gate", rejected), ("failed_in_the_gate", failed)];
    found.rejected.extend(rows.into_iter().filter(|&(_, count)| count > 0));
    Ok(found)
}

fn sum(rows: &[(&str, u64)]) -> u64 {
    rows.iter().map(|&(_, count)| count).sum()
}

fn as_json(args: &SubsetArgs, found: &Found, repeated: usize, seconds: f64) -> String {
    let reasons = |rows: &[(&'static str, u64)]| -> Map<String, Value> {
        rows.iter().map(|&(name, count)| (name.to_owned(), count.into())).collect()
    };
    let thresholds: Map<String, Value> =
        found.thresholds.iter().map(|(name, x)| (name.clone(), json!(x))).collect();
    let (rejected, failed) = (sum(&found.rejected), sum(&found.failed));
    let mut summary = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "in": found.rows,
        "kept": found.rows - rejected - failed,
        "rejected": rejected,
        "failed": failed,
        "rejected_reasons": reasons(&found.rejected),
        "failed_reasons": reasons(&found.failed),
        "thresholds": thresholds,
        "repeated": repeated,
        "written": found.uids.len(),
        "output": args.output.display().to_string(),
        "seconds": seconds,
    });
    for (name, value) in &found.notes {
        summary[*name] = value.clone();
    }
    format!("{summary:#}\n")
}

fn as_table(args: &SubsetArgs, found: &Found, repeated: usize, seconds: f64) -> String {
    let mut text = String::new();
    let mut row = |name: &str, count: u64| {
        let share = 100.0 * count as f64 / found.rows.max(1) as f64;
        text += &format!("{name:<28} {count:>10} {share:>6.1} %\n");
    };
    let (rejected, failed) = (sum(&found.rejected), sum(&found.failed));
    row(&format!("{} in", found.noun), found.rows);
    row("kept", found.rows - rejected - failed);
    for (name, total, reasons) in
        [("rejected", rejected, &found.rejected), ("failed", failed, &found.failed)]
    {
        row(name, total);
        reasons.iter().for_each(|(name, count)| row(&format!("  {name}"), *count));
    }
    text.push('\n');
    for (name, threshold) in &found.thresholds {
        text += &format!("threshold of {name} {threshold}\n");
    }
    for (name, value) in &found.notes {
        text += &format!("{} {value}\n", name.replace('_', " "));
    }
    if repeated > 0 {
        let how = if args.repeats { "written too" } else { "not written again" };
        text += &format!("{repeated} kept {} have the uid of another one: {how}\n", found.noun);
    }
    let (path, uids) = (args.output.display(), found.uids.len());
    text + &format!("{uids} uids in {path}, {seconds:.1} s\n")
}
