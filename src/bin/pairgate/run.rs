//! What the commands share: from arguments to a model, a config and workers, and from an outcome
//! to an exit code.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use pairgate::config::file::Layers;
use pairgate::config::{Config, Need};
use pairgate::decision::Verdict;
use pairgate::error::ModelError;
use pairgate::follow::{Drift, Follow};
use pairgate::gate::{Gate, GateSettings};
use pairgate::kernels::Team;
use pairgate::model::Model;
use pairgate::model::bundle::Bundle;
use pairgate::pipeline::{self, Outcome, Signals};
use pairgate::printable::printable;
use pairgate::sink::Sink;
use pairgate::source::{InputOptions, Inputs, Source};
use pairgate::stats::Counts;
use pairgate::wire;

use crate::args::{ArithmeticArg, InputArgs, RulesArg};
use crate::progress::{Pass, Progress};
use crate::{memory, settings};

/// Exit code: some pairs could not be judged.
pub const SOME_FAILED: u8 = 1;
/// Exit code: set-up, input or output failed.
pub const COULD_NOT_RUN: u8 = 2;
/// Exit code: Ctrl-C, as shells have it (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// What a command needs before it can run.
pub struct Session {
    pub model: Arc<Model>,
    /// Checked; `pipeline.workers` is their number.
    pub config: Config,
    /// Where the config comes from, for messages.
    layers: Layers,
    pub signals: Signals,
}

impl Session {
    /// Loads the config and the model, and listens for Ctrl-C.
    pub fn start(input: &InputArgs, rules: Option<RulesArg>) -> Result<Self, Box<dyn Error>> {
        let layers = settings::of_input(input, rules)?;
        Self::with(layers, input.model.as_deref(), input.arithmetic)
    }

    /// The same for a config that is laid together already; `model` is a bundle's path that
    /// outweighs the config's.
    pub fn with(
        layers: Layers,
        model: Option<&Path>,
        arithmetic: ArithmeticArg,
    ) -> Result<Self, Box<dyn Error>> {
        let mut config = layers.resolve()?;
        let model = Arc::new(load(&config, model, arithmetic)?);
        config.pipeline.workers = workers(&config);
        let signals = Signals { stop: stop_on_signal()?, ..Signals::default() };
        Ok(Self { model, config, layers, signals })
    }

    /// Opens the inputs of a command.
    pub fn open(&self, input: &InputArgs) -> Result<Inputs, Box<dyn Error>> {
        self.open_paths(input.options(), &input.inputs)
    }

    /// Opens inputs by their paths.
    pub fn open_paths(
        &self,
        options: InputOptions,
        paths: &[PathBuf],
    ) -> Result<Inputs, Box<dyn Error>> {
        Ok(Inputs::open_with(options, paths, self.config.sample)?)
    }

    /// What a journal of this model and these settings begins with.
    pub fn header(&self, settings: &GateSettings) -> wire::Header {
        let config = settings.earlier_digest(self.model.arithmetic());
        let threshold = settings.policy.threshold;
        wire::Header::new(self.model.digest(), config, threshold, settings.follow)
    }

    /// What follows the scores by these settings, where they say so.
    pub fn follow(&self, settings: &GateSettings) -> Option<Follow> {
        let rule = settings.follow?;
        let (alarm, manifest) = (self.config.follow.drift_alarm, self.model.manifest());
        let drift = (alarm > 0.0).then(|| Drift::new(&manifest.score_quantiles, alarm)).flatten();
        if alarm > 0.0 && drift.is_none() {
            log::warn!("the model is not calibrated: nothing tells whether the scores drift");
        }
        Some(Follow::new(rule, settings.policy, drift))
    }

    /// Runs all of `inputs` through gates with `settings` into `sink`.
    pub fn run(
        &self,
        inputs: Inputs,
        settings: GateSettings,
        sink: &mut dyn Sink,
        pass: Pass,
    ) -> Result<Outcome, Box<dyn Error>> {
        let gates = self.gates(settings, Need::without_capture)?;
        Ok(self.run_through(inputs, gates, None, sink, pass))
    }

    /// The same through gates that are made already, where `follow`, if it is there, decides.
    pub fn run_through(
        &self,
        inputs: Inputs,
        gates: Vec<Gate>,
        follow: Option<&mut Follow>,
        sink: &mut dyn Sink,
        pass: Pass,
    ) -> Outcome {
        let mut progress = Progress::new(pass, inputs.meter());
        let watch = |counts: &_| progress.show(counts);
        self.run_gates(Box::new(inputs), gates, follow, sink, watch)
    }

    /// One gate for each worker; refuses a run whose worst case, or what `part` leaves of it, is
    /// more than the config's ceiling.
    pub fn gates(
        &self,
        settings: GateSettings,
        part: impl Fn(Need) -> Need,
    ) -> Result<Vec<Gate>, Box<dyn Error>> {
        let gate = |_| {
            let team = Team::new(self.config.model.threads as usize)?;
            Ok(Gate::on_team(self.model.clone(), settings, team))
        };
        let gates = (0..self.config.pipeline.workers).map(gate);
        let mut gates = gates.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        let ceiling = self.config.memory.ceiling_bytes;
        if ceiling > 0 {
            let need = part(memory::need(&self.model, &self.config, &mut gates)?);
            need.check(ceiling).map_err(|error| self.layers.blame(&error))?;
        }
        Ok(gates)
    }

    /// Runs a source through `gates` into `sink`.
    pub fn run_gates(
        &self,
        source: Box<dyn Source>,
        gates: Vec<Gate>,
        follow: Option<&mut Follow>,
        sink: &mut dyn Sink,
        watch: impl FnMut(&Counts),
    ) -> Outcome {
        let config = &self.config.pipeline;
        pipeline::run_following(source, gates, sink, config, &self.signals, follow, watch)
    }
}

/// The model that a config names, or `path` in its place.
fn load(
    config: &Config,
    path: Option<&Path>,
    arithmetic: ArithmeticArg,
) -> Result<Model, Box<dyn Error>> {
    let path = path.or_else(|| configured_model(config));
    let bundle = path.map_or_else(Bundle::embedded, Bundle::load)?;
    Ok(Model::load(&bundle, arithmetic.into()).map_err(|error| hinted(&error, arithmetic))?)
}

/// What a run of this config takes at worst, the model that it names loaded for that.
pub fn need_of(config: &Config) -> Result<Need, Box<dyn Error>> {
    let mut config = config.clone();
    config.pipeline.workers = workers(&config);
    memory::need_of(load(&config, None, ArithmeticArg::Int8)?, &config)
}

/// The number of workers; where it is left open, one for each core.
fn workers(config: &Config) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    match config.pipeline.workers {
        0 => (cores / config.model.threads as usize).max(1),
        workers => workers,
    }
}

/// The bundle's path in a config; `None` is the model in the binary.
fn configured_model(config: &Config) -> Option<&Path> {
    let path = config.model.bundle.as_str();
    (!path.is_empty()).then_some(Path::new(path))
}

/// What a model failed by, and what may help where a graph is the trouble.
fn hinted(error: &ModelError, arithmetic: ArithmeticArg) -> String {
    let graph = matches!(error, ModelError::Graph { .. } | ModelError::Length { .. });
    match arithmetic {
        ArithmeticArg::Int8 if graph => format!("{error}\n(--arithmetic float may run it)"),
        _ => error.to_string(),
    }
}

/// Tells what went wrong. Names in it come from outside.
pub fn tell_error(error: &dyn std::fmt::Display) {
    eprintln!("pairgate: {}", printable(&error.to_string()));
}

/// The exit code for how a run ended; prints the error that ended it.
pub fn exit_code(outcome: &Outcome) -> ExitCode {
    if let Some(error) = &outcome.error {
        tell_error(error);
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
