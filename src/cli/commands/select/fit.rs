//! `pairgate select fit`.

use std::error::Error;
use std::process::ExitCode;

use serde_json::json;

use super::args::FitArgs;
use super::work::{Crew, runs, steps_json, table};
use crate::cli::args::ArithmeticArg;
use crate::cli::outputs::check_file;
use crate::cli::session::load_bundle;
use crate::cli::terminal::print;
use crate::config::Layers;
use crate::disk::Disk;
use crate::select::resources::ResourceFiles;
use crate::select::runs::Fitting;
use pairgate_core::config::Config;

/// Runs the command.
pub fn run(args: &FitArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let method = method(args)?;
    let bundle = load_bundle(&Config::default(), args.model.as_deref(), ArithmeticArg::Int8)?;
    let mut crew = Crew::new(&args.pool)?;
    let fitted = fitting(args, method).fit(&runs(&args.pool)?, &bundle, crew.work())?;
    fitted.state.save(&Disk::system(), &args.output)?;
    let (state, about) = (&fitted.state, fitted.state.about());
    let text = if args.pool.json {
        let json = json!({
            "state": args.output.display().to_string(),
            "digest": state.digest().to_string(),
            "expression": about.expression,
            "pairs": about.pairs,
            "kept": fitted.kept,
            "steps": steps_json(&fitted.steps),
        });
        format!("{json:#}\n")
    } else {
        format!(
            "{}\n{} of {} pairs kept\nwrote {}, {}\n",
            table(&fitted.steps),
            fitted.kept,
            about.pairs,
            args.output.display(),
            &state.digest().to_string()[..12],
        )
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn fitting(args: &FitArgs, method: String) -> Fitting {
    let files = ResourceFiles {
        entries: args.entries.clone(),
        targets: args.targets.clone(),
        labels: args.labels.clone(),
        phrases: args.phrases.clone(),
        prior: args.prior.clone(),
        cond: args.cond.clone(),
    };
    Fitting { method, threshold: args.pool.threshold, seed: args.seed, files }
}

fn method(args: &FitArgs) -> Result<String, Box<dyn Error>> {
    if let Some(method) = &args.method {
        return Ok(method.clone());
    }
    let mut layers = Layers::default();
    if let Some(path) = &args.config {
        layers.add_file(path)?;
    }
    let config = layers.resolve()?;
    match config.select.method.as_str() {
        "" => Err("what is to be fitted? give --method, such as 'clusters keep 20%'".into()),
        method => Ok(method.to_owned()),
    }
}
