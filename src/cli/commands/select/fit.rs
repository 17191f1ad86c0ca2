//! `pairgate select fit`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::args::{FitArgs, PoolArgs};
use super::work::{Crew, runs, steps_json, table};
use crate::cli::args::ArithmeticArg;
use crate::cli::outputs::check_file;
use crate::cli::session::load_bundle;
use crate::cli::terminal::print;
use crate::config::Layers;
use crate::disk::Disk;
use crate::select::Fit;
use crate::select::runs::Fitting;
use pairgate_core::config::Config;

/// Runs the command.
pub fn run(args: &FitArgs) -> Result<ExitCode, Box<dyn Error>> {
    let (files, threshold) = (args.references.files(), args.pool.threshold);
    let fitting = Fitting { method: method(args)?, threshold, seed: args.seed, files, again: None };
    fit(&fitting, &args.pool, args.model.as_deref(), &args.output)
}

/// Fits, saves and tells.
pub fn fit(
    fitting: &Fitting,
    pool: &PoolArgs,
    model: Option<&Path>,
    output: &Path,
) -> Result<ExitCode, Box<dyn Error>> {
    check_file(output)?;
    let bundle = load_bundle(&Config::default(), model, ArithmeticArg::Int8)?;
    let mut crew = Crew::new(pool)?;
    let fitted = fitting.fit(&runs(pool)?, &bundle, crew.work())?;
    fitted.state.save(&Disk::system(), output)?;
    print(&told(&fitted, output, pool.json))?;
    Ok(ExitCode::SUCCESS)
}

/// What was fitted, in words or as JSON.
fn told(fitted: &Fit, output: &Path, as_json: bool) -> String {
    let (state, about) = (&fitted.state, fitted.state.about());
    if as_json {
        let json = json!({
            "state": output.display().to_string(),
            "digest": state.digest().to_string(),
            "expression": about.expression,
            "pairs": about.pairs,
            "kept": fitted.kept,
            "steps": steps_json(&fitted.steps),
        });
        return format!("{json:#}\n");
    }
    format!(
        "{}\n{} of {} pairs kept\nwrote {}, {}\n",
        table(&fitted.steps),
        fitted.kept,
        about.pairs,
        output.display(),
        &state.digest().to_string()[..12],
    )
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
