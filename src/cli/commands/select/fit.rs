//! `pairgate select fit`.

use std::error::Error;
use std::process::ExitCode;

use serde_json::json;

use super::args::FitArgs;
use super::resources;
use super::work::{Crew, pool, steps_json, table};
use crate::cli::args::ArithmeticArg;
use crate::cli::outputs::check_file;
use crate::cli::session::load_bundle;
use crate::cli::terminal::print;
use crate::config::Layers;
use crate::disk::Disk;
use crate::select::{About, Expression, fit};
use pairgate_core::config::Config;

/// Runs the command.
pub fn run(args: &FitArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let method = method(args)?;
    let expression = Expression::parse(&method)?;
    let atoms = expression.atoms();
    let bundle = load_bundle(&Config::default(), args.model.as_deref(), ArithmeticArg::Int8)?;
    let manifest = &bundle.manifest;
    let threshold = args.pool.threshold.or(manifest.recommended_threshold);
    let has = |method: &str| atoms.iter().any(|atom| atom.method == method);
    if has("clusters") && threshold.is_none_or(|threshold| threshold <= -1.0) {
        return Err(
            "clusters keep the farthest of each, outliers among them: never without a score \
                    filter. Give --threshold"
                .into(),
        );
    }
    let mut pool = pool(&args.pool, threshold, true)?;
    let about = pool.about();
    if let Some(model) = about.model.filter(|model| *model != bundle.digest) {
        return Err(format!(
            "the runs are of the model with the digest {model}, and {} {} has {}: give --model",
            manifest.name, manifest.version, bundle.digest
        )
        .into());
    }
    if about.dimension != manifest.embedding_size {
        return Err(format!(
            "the runs' embeddings have {} values, and those of {} {} have {}: give --model",
            about.dimension, manifest.name, manifest.version, manifest.embedding_size
        )
        .into());
    }
    let (resources, tokenizer) = resources::of(args, &expression, &bundle)?;
    if let Some(tokenizer) = tokenizer {
        // What cannot be tokenized has no tokens, and no perplexity.
        pool = pool.with_tokens(Box::new(move |text| tokenizer.tokenize(text).unwrap_or_default()));
    }
    let about = About {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model_name: format!("{} {}", manifest.name, manifest.version),
        model: bundle.digest,
        dimension: u32::try_from(about.dimension)?,
        seed: args.seed,
        calibration: Default::default(),
        pairs: 0,
        threshold,
        expression: expression.to_string(),
    };
    let mut crew = Crew::new(&args.pool)?;
    let fitted = fit(&mut pool, about, &resources, crew.work())?;
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
