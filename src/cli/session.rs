//! What the commands share: from arguments to a model, a config and workers, and from an outcome
//! to an exit code.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;

use crossbeam_channel::Receiver;
use pairgate_core::config::{Config, Need};
use pairgate_core::decision::{Class, Verdict};
use pairgate_core::stats::Counts;
use pairgate_kernels::Team;

use crate::cli::args::{ArithmeticArg, InputArgs, ModelArgs, RuleArgs};
use crate::cli::progress::{Pass, Progress};
use crate::cli::signals::Stop;
use crate::cli::terminal::{HINT, tell_error};
use crate::cli::{memory, settings};
use crate::config::Layers;
use crate::decide::{Decider, Drift, Fixed, Tracker};
use crate::disk::IoError;
use crate::gate::{Examine, Gate, GateSettings, Stages};
use crate::journal::Terms;
use crate::model::Model;
use crate::model::ModelError;
use crate::model::bundle::Bundle;
use crate::model::bundle::manifest::Manifest;
use crate::pipeline::{Outcome, Run, Signals};
use crate::select::State;
use crate::select::selecting::{First, Selecting};
use crate::sink::Sink;
use crate::source::{InputOptions, Inputs};
use crate::store::Resumed;

/// Exit code: some pairs could not be judged.
pub const SOME_FAILED: u8 = 1;
/// Exit code: set-up, input or output failed.
pub const COULD_NOT_RUN: u8 = 2;
/// Exit code: Ctrl-C, as shells have it (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// What a command needs before it can run.
pub struct Session {
    pub model: Arc<Model>,
    /// What selects among pairs that pass, where anything does.
    pub selection: Option<Arc<State>>,
    /// Checked; `pipeline.workers` is their number.
    pub config: Config,
    /// Where the config comes from, for messages.
    pub layers: Layers,
    pub signals: Signals,
    /// Where gates count how long their stages take, where anybody asks.
    pub stages: Option<Arc<Stages>>,
    stop: Stop,
}

impl Session {
    /// Loads the config and the model, and listens for Ctrl-C.
    pub fn start(input: &InputArgs, rules: &RuleArgs) -> Result<Self, Box<dyn Error>> {
        let mut layers = settings::of_input(input)?;
        settings::set_rules(&mut layers, rules);
        Self::with(layers, &input.model)
    }

    /// The same for a config that is laid together already; a bundle that `model` names
    /// outweighs the config's.
    pub fn with(layers: Layers, model: &ModelArgs) -> Result<Self, Box<dyn Error>> {
        let (layers, mut config) = settle(layers, model)?;
        let model = Arc::new(load(&config, model.model.as_deref(), model.arithmetic)?);
        config.pipeline.workers = workers(&config);
        let selection = selection_of(&config, &model)?;
        let stop = Stop::on_signal()?;
        let signals = Signals { stop: stop.asked.clone(), ..Signals::default() };
        Ok(Self { model, selection, config, layers, signals, stages: None, stop })
    }

    /// The same settings with what selects.
    pub fn selecting(&self, settings: GateSettings) -> GateSettings {
        let selection = self.selection.as_ref().map(|state| state.digest());
        GateSettings { selection, ..settings }
    }

    /// Opens inputs by their paths.
    pub fn open_paths(
        &self,
        options: InputOptions,
        paths: &[PathBuf],
    ) -> Result<Inputs, Box<dyn Error>> {
        Ok(Inputs::open_with(options, paths, self.config.sample)?)
    }

    /// What decides by these settings; it goes on from what an earlier run has learnt.
    ///
    /// # Errors
    /// [`IoError::Read`] if the earlier run's journal cannot be read.
    pub fn decider(
        &self,
        settings: &GateSettings,
        resumed: &Resumed,
    ) -> Result<SessionDecider, IoError> {
        let mut decider = self.new_decider(settings);
        let past = || resumed.past(Terms::of(&self.model, settings));
        match &mut decider {
            SessionDecider::Fixed(_) => {}
            SessionDecider::Tracker(tracker) => {
                tracker.restore(&resumed.decider);
                tracker.catch_up(past()?)?;
            }
            SessionDecider::Selecting(selecting) => {
                selecting.catch_up(&resumed.decider, past()?)?;
            }
        }
        Ok(decider)
    }

    /// `first`, and behind it the state that selects, where there is one; it goes on from what an earlier
    /// run under `terms` has learnt.
    ///
    /// # Errors
    /// [`IoError::Read`] if the earlier run's journal cannot be read.
    pub fn selected(
        &self,
        first: Box<dyn Decider>,
        terms: Terms,
        resumed: &Resumed,
    ) -> Result<Box<dyn Decider>, IoError> {
        let Some(state) = &self.selection else { return Ok(first) };
        let mut selecting = Selecting::new(First::Other(first), state.clone());
        selecting.catch_up(&resumed.decider, resumed.past(terms)?)?;
        Ok(Box::new(selecting))
    }

    /// What decides by these settings, and has learnt nothing yet.
    pub fn new_decider(&self, settings: &GateSettings) -> SessionDecider {
        let selection = self.selection.as_ref();
        decider_of(&self.config, self.model.manifest(), settings, selection)
    }

    /// From now on SIGHUP is told here, and ends nothing.
    pub fn hangups(&self) -> Receiver<()> {
        self.stop.hangups()
    }

    /// What tells the exit code when the session is gone.
    pub fn ending(&self) -> Ending {
        Ending { stop: self.stop.clone() }
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
        let mut decider = match settings.selection {
            None => SessionDecider::Fixed(Fixed(settings.policy)),
            Some(_) => self.new_decider(&settings),
        };
        Ok(self.run_through(inputs, gates, decider.as_decider(), sink, pass, 0))
    }

    /// The same through gates, or what stands for them, that are made already, where `decider`
    /// decides; the first pair has the ticket `first_ticket`.
    pub fn run_through<E: Examine + 'static>(
        &self,
        inputs: Inputs,
        examiners: Vec<E>,
        decider: &mut dyn Decider,
        sink: &mut dyn Sink,
        pass: Pass,
        first_ticket: u64,
    ) -> Outcome {
        let mut progress = Progress::new(pass, inputs.meter());
        let (config, signals) = (&self.config.pipeline, &self.signals);
        let source = Box::new(inputs);
        let run = Run { source, decider, sink, config, signals, first_ticket };
        run.through(examiners, |counts| progress.show(counts))
    }

    /// One gate for each worker; refuses a run whose worst case, or what `part` leaves of it, is
    /// more than the config's ceiling.
    pub fn gates(
        &self,
        settings: GateSettings,
        part: impl Fn(Need) -> Need,
    ) -> Result<Vec<Gate>, Box<dyn Error>> {
        let selection = self.selection.as_ref().filter(|_| settings.selection.is_some());
        let stages = self.stages.as_ref();
        let mut gates = gates_of(&self.model, &self.config, settings, stages, selection)?;
        let ceiling = self.config.memory.ceiling_bytes;
        if ceiling > 0 {
            let learnt = selection.map_or(0, |state| state.growth());
            let need = memory::need(&self.model, &self.config, &mut gates)?;
            let need = part(need).with_sink(learnt);
            need.check(ceiling).map_err(|error| self.layers.blame(&error))?;
        }
        Ok(gates)
    }
}

/// How a session ends.
pub struct Ending {
    stop: Stop,
}

impl Ending {
    /// The exit code for how a run ended, `ends_by_stop` where it has no other end; prints the error
    /// that ended it.
    pub fn exit_code(&self, outcome: &Outcome, ends_by_stop: bool) -> ExitCode {
        let terminated = self.stop.terminated.load(Ordering::SeqCst);
        if outcome.interrupted && outcome.error.is_none() && ends_by_stop && terminated {
            return ExitCode::SUCCESS;
        }
        exit_code(outcome, &outcome.counts)
    }
}

/// What decides in a run that gates examine.
pub enum SessionDecider {
    Fixed(Fixed),
    Tracker(Box<Tracker>),
    Selecting(Box<Selecting>),
}

impl SessionDecider {
    pub fn as_decider(&mut self) -> &mut dyn Decider {
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Tracker(tracker) => &mut **tracker,
            Self::Selecting(selecting) => &mut **selecting,
        }
    }

    pub fn into_boxed(self) -> Box<dyn Decider> {
        match self {
            Self::Fixed(fixed) => Box::new(fixed),
            Self::Tracker(tracker) => tracker,
            Self::Selecting(selecting) => selecting,
        }
    }

    /// The threshold that follows the scores, where it does.
    pub fn tracker(&self) -> Option<&Tracker> {
        match self {
            Self::Fixed(_) => None,
            Self::Tracker(tracker) => Some(tracker),
            Self::Selecting(selecting) => selecting.tracker(),
        }
    }
}

/// The config that the layers come to, with what the model's options say, checked.
pub fn settle(mut layers: Layers, model: &ModelArgs) -> Result<(Layers, Config), Box<dyn Error>> {
    if let Some(decode) = model.decode {
        settings::set_decode(&mut layers, decode);
    }
    let config = layers.resolve()?;
    settings::check_languages(&layers, &config)?;
    Ok((layers, config))
}

/// What an input that is read once is decided by.
pub fn stream_settings(config: &Config, model: &Manifest) -> Result<GateSettings, Box<dyn Error>> {
    let mut settings = GateSettings::of(config);
    settings.policy.threshold = Some(settings::stream_threshold(config, model)?);
    settings.tracker = settings::tracker_rule(config);
    Ok(settings)
}

/// What decides by these settings, and has learnt nothing yet.
pub fn decider_of(
    config: &Config,
    model: &Manifest,
    settings: &GateSettings,
    selection: Option<&Arc<State>>,
) -> SessionDecider {
    let first = first_of(config, model, settings);
    let Some(state) = selection.filter(|_| settings.selection.is_some()) else { return first };
    let first = match first {
        SessionDecider::Fixed(fixed) => First::Fixed(fixed),
        SessionDecider::Tracker(tracker) => First::Tracker(tracker),
        selecting @ SessionDecider::Selecting(_) => return selecting,
    };
    SessionDecider::Selecting(Box::new(Selecting::new(first, state.clone())))
}

fn first_of(config: &Config, model: &Manifest, settings: &GateSettings) -> SessionDecider {
    let Some(rule) = settings.tracker else {
        return SessionDecider::Fixed(Fixed(settings.policy));
    };
    let alarm = config.tracker.drift_alarm;
    let drift = (alarm > 0.0).then(|| Drift::new(&model.score_quantiles, alarm)).flatten();
    if alarm > 0.0 && drift.is_none() {
        log::warn!("the model is not calibrated: nothing tells whether the scores drift");
    }
    SessionDecider::Tracker(Box::new(Tracker::new(rule, settings.policy, drift)))
}

/// One gate for each worker.
pub fn gates_of(
    model: &Arc<Model>,
    config: &Config,
    settings: GateSettings,
    stages: Option<&Arc<Stages>>,
    selection: Option<&Arc<State>>,
) -> Result<Vec<Gate>, Box<dyn Error>> {
    // Shared by all workers.
    let measures = selection.map(|state| state.measures()).unwrap_or_default();
    let embeds = selection.is_some_and(|state| state.needs_embeddings());
    let gate = |_| {
        let team = Team::new(config.model.threads as usize)?;
        let gate = Gate::on_team(model.clone(), settings, team).measuring(measures.clone());
        let gate = if embeds { gate.embedding() } else { gate };
        Ok(match stages {
            Some(stages) => gate.timed(stages.clone()),
            None => gate,
        })
    };
    (0..config.pipeline.workers).map(gate).collect()
}

/// What a config has select among pairs that pass; it must be fitted on this model.
pub fn selection_of(config: &Config, model: &Model) -> Result<Option<Arc<State>>, Box<dyn Error>> {
    if config.select.state.is_empty() {
        return Ok(None);
    }
    let path = Path::new(config.select.state.as_str());
    let state = State::load(path)?;
    state
        .check_manifest(model.manifest(), model.digest())
        .map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(Some(Arc::new(state)))
}

/// The same gates, whose evidence has embeddings where that is `asked`.
pub fn embedding(gates: Vec<Gate>, asked: bool) -> Vec<Gate> {
    if asked { gates.into_iter().map(Gate::embedding).collect() } else { gates }
}

/// The model that a config names, or `path` in its place.
fn load(
    config: &Config,
    path: Option<&Path>,
    arithmetic: ArithmeticArg,
) -> Result<Model, Box<dyn Error>> {
    load_model(&load_bundle(config, path, arithmetic)?, arithmetic)
}

/// The files of the model that a config names, or `path` in its place.
pub fn load_bundle(
    config: &Config,
    path: Option<&Path>,
    arithmetic: ArithmeticArg,
) -> Result<Bundle, Box<dyn Error>> {
    let path = path.or_else(|| configured_model(config));
    let bundle = path.map_or_else(Bundle::embedded, Bundle::load);
    Ok(bundle.map_err(|error| hinted(&error, arithmetic))?)
}

/// The model that these files are, checked.
pub fn load_model(bundle: &Bundle, arithmetic: ArithmeticArg) -> Result<Model, Box<dyn Error>> {
    Ok(Model::load(bundle, arithmetic.into()).map_err(|error| hinted(&error, arithmetic))?)
}

/// What a run of this config takes at worst, the model that it names loaded for that.
pub fn need_of(config: &Config) -> Result<Need, Box<dyn Error>> {
    let mut config = config.clone();
    config.pipeline.workers = workers(&config);
    memory::need_of(load(&config, None, ArithmeticArg::Int8)?, &config)
}

/// The number of workers; where it is left open, one for each core.
pub fn workers(config: &Config) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    match config.pipeline.workers {
        0 => (cores / config.model.threads as usize).max(1),
        workers => workers,
    }
}

/// The bundle's path in a config; `None` is the model in the binary.
pub fn configured_model(config: &Config) -> Option<&Path> {
    let path = config.model.bundle.as_str();
    (!path.is_empty()).then_some(Path::new(path))
}

/// What a model failed by, and what may help where the bundle is none or a graph is the trouble.
fn hinted(error: &ModelError, arithmetic: ArithmeticArg) -> String {
    let hint = match (error, arithmetic) {
        (ModelError::Read { .. }, _) => {
            "a bundle is a folder with a bundle.toml, or a tar of one;\n`pairgate model import` makes one"
        }
        (ModelError::Graph { .. } | ModelError::Length { .. }, ArithmeticArg::Int8) => {
            "--arithmetic float may run it"
        }
        _ => return error.to_string(),
    };
    format!("{error}{HINT}{hint}")
}

/// The exit code for how a run ended in which pairs came out as `counts` say; prints the error that
/// ended it.
pub fn exit_code(outcome: &Outcome, counts: &Counts) -> ExitCode {
    if let Some(error) = &outcome.error {
        tell_error(error);
        return ExitCode::from(COULD_NOT_RUN);
    }
    if outcome.interrupted {
        return ExitCode::from(INTERRUPTED);
    }
    // A pair that could not be judged was stored if so asked, but it was not judged.
    let faulty = counts.total(Verdict::Failed) > 0
        || counts.reasons(Verdict::Kept).any(|(reason, _)| reason.class() == Class::Faulty);
    let found_nothing = counts.decided() == 0;
    ExitCode::from(if faulty || found_nothing { SOME_FAILED } else { 0 })
}
