//! `pairgate select apply`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use pairgate_core::config::Config;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;
use serde_json::json;

use super::args::ApplyArgs;
use super::work::{Crew, runs, steps_json, table};
use crate::cli::args::ArithmeticArg;
use crate::cli::outputs::check_file;
use crate::cli::session::load_bundle;
use crate::cli::terminal::print;
use crate::datacomp::subset_file::{self, Form};
use crate::score_text::shortest;
use crate::select::fit::{SelectError, frozen};
use crate::select::{Pool, State, apply};

/// Runs the command.
pub fn run(args: &ApplyArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let state = Arc::new(State::load(&args.state)?);
    let bundle = || load_bundle(&Config::default(), args.model.as_deref(), ArithmeticArg::Int8);
    let mut pool = runs(&args.pool)?.open_for(&state, args.pool.threshold, bundle)?;
    let mut crew = Crew::new(&args.pool)?;
    let (kept, pairs, told) = if args.frozen {
        let chosen = frozen(&mut pool, &state, crew.work())?;
        let kept = (0..).zip(&chosen).filter(|(_, reason)| **reason == Reason::Passed);
        let kept: Vec<u32> = kept.map(|(place, _)| place).collect();
        let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
        chosen.iter().for_each(|reason| *reasons.entry(*reason).or_default() += 1);
        (kept, chosen.len(), Told::Reasons(reasons))
    } else {
        let applied = apply(&mut pool, &state, crew.work())?;
        (applied.kept, applied.uids.len(), Told::Steps(applied.steps))
    };
    write(&mut pool, &kept, &args.output)?;
    print(&told.text(args, kept.len(), pairs))?;
    Ok(ExitCode::SUCCESS)
}

/// What is told of what was left out.
enum Told {
    Steps(Vec<crate::select::fit::Step>),
    Reasons(BTreeMap<Reason, u64>),
}

impl Told {
    fn text(&self, args: &ApplyArgs, kept: usize, pairs: usize) -> String {
        let reasons = |reasons: &BTreeMap<Reason, u64>| -> String {
            reasons.iter().map(|(reason, count)| format!("{reason:<20}{count:>12}\n")).collect()
        };
        if args.pool.json {
            let mut json = json!({ "pairs": pairs, "kept": kept });
            match self {
                Self::Steps(steps) => json["steps"] = steps_json(steps).into(),
                Self::Reasons(reasons) => {
                    let named = reasons.iter().map(|(reason, count)| (reason.name(), *count));
                    json["reasons"] = named.collect::<BTreeMap<_, _>>().into_iter().collect();
                }
            }
            return format!("{json:#}\n");
        }
        let table = match self {
            Self::Steps(steps) => table(steps),
            Self::Reasons(found) => reasons(found),
        };
        format!("{table}\n{kept} of {pairs} pairs kept\nwrote {}\n", args.output.display())
    }
}

/// Writes what is kept, in the form that the file's name asks for.
fn write(pool: &mut dyn Pool, kept: &[u32], path: &Path) -> Result<(), Box<dyn Error>> {
    if let Some(form) = Form::of(path) {
        let mut uids: Vec<Uid> = Vec::with_capacity(kept.len());
        each_kept(pool, kept, &mut |pair| {
            uids.push(pair.uid);
            Ok(())
        })?;
        uids.sort_unstable();
        return Ok(subset_file::write(path, form, &uids)?);
    }
    let as_json = path.extension().is_some_and(|extension| extension == "jsonl");
    let failed = |why| crate::disk::IoError::Write { to: path.display().to_string(), why };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    each_kept(pool, kept, &mut |pair| {
        let line = if as_json {
            json!({
                "uid": pair.uid.to_string(),
                "key": pair.key,
                "shard": pair.shard,
                "score": shortest(pair.score),
            })
            .to_string()
        } else {
            pair.key.clone()
        };
        Ok(writeln!(file, "{line}").map_err(failed)?)
    })?;
    Ok(file.flush().map_err(failed)?)
}

fn each_kept(
    pool: &mut dyn Pool,
    kept: &[u32],
    each: &mut dyn FnMut(&crate::select::PoolPair) -> Result<(), SelectError>,
) -> Result<(), SelectError> {
    let mut kept = kept.iter().peekable();
    let mut place = 0;
    pool.read(&mut |pair| {
        let is_kept = kept.next_if_eq(&&place).is_some();
        place += 1;
        if is_kept { each(&pair) } else { Ok(()) }
    })
}
