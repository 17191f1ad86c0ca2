//! `pairgate select fit`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::args::{FitArgs, PoolArgs, ReferenceArgs};
use super::resources;
use super::work::{Crew, pool, steps_json, table};
use crate::cli::args::ArithmeticArg;
use crate::cli::outputs::check_file;
use crate::cli::session::load_bundle;
use crate::cli::terminal::print;
use crate::config::Layers;
use crate::disk::Disk;
use crate::model::bundle::Bundle;
use crate::select::pool::SamePairs;
use crate::select::recorded::RecordedPool;
use crate::select::{About, Expression, Fit, Pool, fit};
use pairgate_core::config::Config;
use pairgate_core::pair::{Digest, Uid};

/// What is to be fitted.
pub struct Fitting<'a> {
    pub pool: &'a PoolArgs,
    pub references: &'a ReferenceArgs,
    pub model: Option<&'a Path>,
    pub output: &'a Path,
    pub expression: Expression,
    pub seed: u64,
    /// What is kept of a state that is fitted again.
    pub again: Option<Again>,
}

/// A state that is fitted again under another model.
pub struct Again {
    /// Its model.
    pub model: Digest,
    /// The pairs that it was fitted on.
    pub uids: Vec<Uid>,
    /// Its entries, where it has any.
    pub entries: Option<Vec<String>>,
}

/// Runs the command.
pub fn run(args: &FitArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let fitting = Fitting {
        pool: &args.pool,
        references: &args.references,
        model: args.model.as_deref(),
        output: &args.output,
        expression: Expression::parse(&method(args)?)?,
        seed: args.seed,
        again: None,
    };
    fitting.run()
}

impl Fitting<'_> {
    /// Fits, saves and tells.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let bundle = load_bundle(&Config::default(), self.model, ArithmeticArg::Int8)?;
        let threshold = self.pool.threshold.or(bundle.manifest.recommended_threshold);
        self.check(&bundle, threshold)?;
        // Pairs that were told by name are taken whatever their scores are now.
        let least = threshold.filter(|_| self.again.is_none());
        let pool = pool(self.pool, least, true)?;
        check_pool(&pool, &bundle)?;
        let Self { expression, references, again, .. } = self;
        let (uids, entries) = again.map_or((None, None), |again| (Some(again.uids), again.entries));
        let names = self.pool.embedding_names.as_deref();
        let (resources, tokenizer) =
            resources::of(references, entries, names, &expression, &bundle)?;
        let pool = match tokenizer {
            // What cannot be tokenized has no tokens, and no perplexity.
            Some(tokenizer) => {
                pool.with_tokens(Box::new(move |text| tokenizer.tokenize(text).unwrap_or_default()))
            }
            None => pool,
        };
        let manifest = &bundle.manifest;
        let about = About {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            model_name: format!("{} {}", manifest.name, manifest.version),
            model: bundle.digest,
            dimension: u32::try_from(pool.about().dimension)?,
            seed: self.seed,
            calibration: Default::default(),
            pairs: 0,
            threshold,
            expression: expression.to_string(),
        };
        let mut crew = Crew::new(self.pool)?;
        let mut pool: Box<dyn Pool> = match uids {
            Some(uids) => Box::new(SamePairs { pool, uids }),
            None => Box::new(pool),
        };
        let fitted = fit(&mut *pool, about, &resources, crew.work())?;
        fitted.state.save(&Disk::system(), self.output)?;
        print(&told(&fitted, self.output, self.pool.json))?;
        Ok(ExitCode::SUCCESS)
    }

    fn check(&self, bundle: &Bundle, threshold: Option<f32>) -> Result<(), String> {
        let has_clusters = self.expression.atoms().iter().any(|atom| atom.method == "clusters");
        if has_clusters && threshold.is_none_or(|threshold| threshold <= -1.0) {
            return Err(
                "clusters keep the farthest of each, outliers among them: never without a score \
                        filter. Give --threshold"
                    .into(),
            );
        }
        if self.again.as_ref().is_some_and(|again| again.model == bundle.digest) {
            let manifest = &bundle.manifest;
            return Err(format!(
                "the state was fitted on {} {} already: name the new model, --model",
                manifest.name, manifest.version
            ));
        }
        Ok(())
    }
}

/// Refuses runs of another model than the bundle's.
fn check_pool(pool: &RecordedPool, bundle: &Bundle) -> Result<(), String> {
    let (about, manifest) = (pool.about(), &bundle.manifest);
    if let Some(model) = about.model.filter(|model| *model != bundle.digest) {
        return Err(format!(
            "the runs are of the model with the digest {model}, and {} {} has {}: give --model",
            manifest.name, manifest.version, bundle.digest
        ));
    }
    if about.dimension != manifest.embedding_size {
        return Err(format!(
            "the runs' embeddings have {} values, and those of {} {} have {}: give --model",
            about.dimension, manifest.name, manifest.version, manifest.embedding_size
        ));
    }
    Ok(())
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
        format!("{json:#}\n")
    } else {
        format!(
            "{}\n{} of {} pairs kept\nwrote {}, {}\n",
            table(&fitted.steps),
            fitted.kept,
            about.pairs,
            output.display(),
            &state.digest().to_string()[..12],
        )
    }
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
