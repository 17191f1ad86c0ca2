//! `pairgate select apply`.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use pairgate_core::config::Config;
use pairgate_core::decision::Reason;
use serde_json::json;

use super::args::ApplyArgs;
use super::output::{ChosenTable, is_table, write};
use super::work::{Crew, runs, steps_json, table};
use crate::cli::args::ArithmeticArg;
use crate::cli::outputs::check_file;
use crate::cli::session::load_bundle;
use crate::cli::terminal::print;
use crate::journal::Choice;
use crate::select::fit::{Step, frozen_choices, measure_pool};
use crate::select::{Applied, Pool, State, apply};

/// Runs the command.
pub fn run(args: &ApplyArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let state = Arc::new(State::load(&args.state)?);
    let bundle = || load_bundle(&Config::default(), args.model.as_deref(), ArithmeticArg::Int8);
    let mut pool = runs(&args.pool)?.open_for(&state, args.pool.threshold, bundle)?;
    let mut crew = Crew::new(&args.pool)?;
    let (kept, pairs, told) = match args.frozen {
        true => choose_frozen(args, &mut pool, &state, &mut crew)?,
        false => choose(args, &mut pool, &state, &mut crew)?,
    };
    print(&told.text(args, kept, pairs))?;
    Ok(ExitCode::SUCCESS)
}

/// Decides over the whole pool, and writes it: how many are kept of how many pairs.
fn choose(
    args: &ApplyArgs,
    pool: &mut dyn Pool,
    state: &State,
    crew: &mut Crew,
) -> Result<(usize, usize, Told), Box<dyn Error>> {
    let Applied { uids, kept, reasons, steps } = apply(pool, state, crew.work())?;
    if is_table(&args.output) {
        let mut table = ChosenTable::create(&args.output, state, false)?;
        let mut reasons = reasons.into_iter();
        measure_pool(pool, state, crew.work(), &mut |pair, measures| {
            let reason = reasons.next().unwrap_or(Reason::NotJudged);
            let choice = Choice { measures, ..Choice::default() };
            Ok(table.add(pair, reason, &choice)?)
        })?;
        table.finish()?;
    } else {
        write(pool, &kept, &args.output)?;
    }
    Ok((kept.len(), uids.len(), Told::Steps(steps)))
}

/// The same pair by pair, as a stream decides.
fn choose_frozen(
    args: &ApplyArgs,
    pool: &mut dyn Pool,
    state: &Arc<State>,
    crew: &mut Crew,
) -> Result<(usize, usize, Told), Box<dyn Error>> {
    let mut table = match is_table(&args.output) {
        true => Some(ChosenTable::create(&args.output, state, true)?),
        false => None,
    };
    let (mut kept, mut pairs) = (Vec::new(), 0);
    let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
    frozen_choices(pool, state, crew.work(), &mut |pair, reason, choice| {
        if reason == Reason::Passed {
            kept.push(pairs);
        }
        pairs += 1;
        *reasons.entry(reason).or_default() += 1;
        Ok(table.as_mut().map_or(Ok(()), |table| table.add(pair, reason, choice))?)
    })?;
    match table {
        Some(table) => table.finish()?,
        None => write(pool, &kept, &args.output)?,
    }
    Ok((kept.len(), pairs as usize, Told::Reasons(reasons)))
}

/// What is told of what was left out.
enum Told {
    Steps(Vec<Step>),
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
