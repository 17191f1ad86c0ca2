//! What the commands share: from arguments to a model, a config and workers, and from an outcome
//! to an exit code.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use pairgate::config::Config;
use pairgate::decision::Verdict;
use pairgate::error::ModelError;
use pairgate::gate::{Gate, GateSettings};
use pairgate::kernels::Team;
use pairgate::model::Model;
use pairgate::model::bundle::Bundle;
use pairgate::pipeline::{self, Outcome};
use pairgate::rules::Rules;
use pairgate::sink::Sink;
use pairgate::source::Inputs;

use crate::args::{ArithmeticArg, InputArgs, RulesArg};
use crate::progress::{Pass, Progress};

/// Exit code: some pairs could not be judged.
pub const SOME_FAILED: u8 = 1;
/// Exit code: set-up, input or output failed.
pub const COULD_NOT_RUN: u8 = 2;
/// Exit code: Ctrl-C, as shells have it (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// What a command needs before it can run.
pub struct Session {
    pub model: Arc<Model>,
    pub config: Config,
    /// Threads of each worker.
    pub threads: usize,
    pub stop: Arc<AtomicBool>,
}

impl Session {
    /// Loads the config and the model, and listens for Ctrl-C.
    pub fn start(input: &InputArgs, rules: Option<RulesArg>) -> Result<Self, Box<dyn Error>> {
        let config = resolve_config(input, rules)?;
        let bundle = input.model.as_deref().map_or_else(Bundle::embedded, Bundle::load)?;
        let model = Model::load(&bundle, input.arithmetic.into());
        let model = Arc::new(model.map_err(|error| hinted(&error, input.arithmetic))?);
        let threads = input.threads.get();
        Ok(Self { model, config, threads, stop: stop_on_signal()? })
    }

    /// Opens the inputs of a command.
    pub fn open(&self, input: &InputArgs) -> Result<Inputs, Box<dyn Error>> {
        Ok(Inputs::open(&input.inputs, self.config.sample)?)
    }

    /// Runs all of `inputs` through gates with `settings` into `sink`.
    pub fn run(
        &self,
        inputs: Inputs,
        settings: GateSettings,
        sink: &mut dyn Sink,
        pass: Pass,
    ) -> Result<Outcome, Box<dyn Error>> {
        let workers = match self.config.pipeline.workers {
            0 => (available_parallelism().map_or(1, usize::from) / self.threads).max(1),
            workers => workers,
        };
        let gate = |_| {
            let team = Team::new(self.threads)?;
            Ok(Gate::on_team(self.model.clone(), settings, team))
        };
        let gates = (0..workers).map(gate).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        let mut progress = Progress::new(pass, inputs.meter());
        let source = Box::new(inputs);
        let pipeline = &self.config.pipeline;
        let watch = |counts: &_| progress.show(counts);
        Ok(pipeline::run(source, gates, sink, pipeline, &self.stop, watch))
    }
}

/// What a model failed by, and what may help where a graph is the trouble.
fn hinted(error: &ModelError, arithmetic: ArithmeticArg) -> String {
    let graph = matches!(error, ModelError::Graph { .. } | ModelError::Length { .. });
    match arithmetic {
        ArithmeticArg::Int8 if graph => format!("{error}\n(--arithmetic float may run it)"),
        _ => error.to_string(),
    }
}

/// The exit code for how a run ended; prints the error that ended it.
pub fn exit_code(outcome: &Outcome) -> ExitCode {
    if let Some(error) = &outcome.error {
        eprintln!("pairgate: {error}");
        return ExitCode::from(COULD_NOT_RUN);
    }
    if outcome.interrupted {
        return ExitCode::from(INTERRUPTED);
    }
    // A pair that could not be judged was stored if so asked, but it was not judged.
    let faulty = outcome.counts.total(Verdict::Failed) > 0
        || outcome
            .counts
            .reasons(Verdict::Kept)
            .any(|(reason, _)| reason.class() == pairgate::decision::Class::Faulty);
    ExitCode::from(if faulty { SOME_FAILED } else { 0 })
}

fn resolve_config(input: &InputArgs, rules: Option<RulesArg>) -> Result<Config, Box<dyn Error>> {
    let mut config = input.config.as_deref().map_or(Ok(Config::default()), read_config)?;
    let pipeline = &mut config.pipeline;
    pipeline.workers = input.workers.unwrap_or(pipeline.workers);
    pipeline.batch = input.batch.unwrap_or(pipeline.batch);
    pipeline.queue = input.queue.unwrap_or(pipeline.queue);
    match rules {
        Some(RulesArg::Basic) => config.rules = Rules::BASIC,
        Some(RulesArg::None) => config.rules = Rules::NONE,
        None => {}
    }
    config.check()?;
    Ok(config)
}

fn read_config(path: &Path) -> Result<Config, Box<dyn Error>> {
    let named = |why: &dyn std::fmt::Display| format!("config {}: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|why| named(&why))?;
    Ok(toml::from_str(&text).map_err(|why| named(&why))?)
}

/// A flag that the first Ctrl-C sets; the second ends the program.
fn stop_on_signal() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
        log::warn!("stopping: finishing the pairs in flight (once more to stop at once)");
    })?;
    Ok(stop)
}
